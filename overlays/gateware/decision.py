"""From counts of mismatches to stored bits: sums, thresholds, pooling, and where the bits go."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import MAX_SIDE, QUARTERS, ROW, TAPS
from overlays.gateware.interfaces import MERGE_CYCLES, FmapWrite
from overlays.gateware.raster import Centre
from overlays.gateware.thresholds import Threshold, Thresholds

SPREADS = range(QUARTERS.bit_length())


class Decision(wiring.Component):
    """Decides sum >= threshold for each output, pools, flips and writes.

    With m mismatches over v valid taps of C channels the sum is C v - 2 m, so it reaches t exactly
    when m <= (C v - t) // 2; the right side is ready before m is.

    Ports
    -----
    start : pulse; the inputs up to `pool` are right from two cycles before on
    spread : log2 of the reducers that an output takes, 0 to 2
    out_spread : log2 of the quarters of an output pixel
    blocks : 64-channel blocks of an input pixel, 1 to 8
    passes : of the layer
    pool : 2 x 2 max pooling
    valid, centre : of a window
    mismatches : MISMATCH_LATENCY cycles after them
    index, thresholds : port of the thresholds' memory
    write : LATENCY cycles after valid and centre
    done : MERGE_CYCLES after the last write

    Cost: 420 LUT, 560 flip-flops for 8 reducers.
    """

    def __init__(self, reducers: int, mismatch_latency: int) -> None:
        self.reducers = reducers
        self.mismatch_latency = mismatch_latency
        self.latency = mismatch_latency + 5
        super().__init__({
            "start": In(1),
            "spread": In(2),
            "out_spread": In(2),
            "blocks": In(4),
            "passes": In(10),
            "pool": In(1),
            "valid": In(TAPS),
            "centre": In(Centre),
            "mismatches": In(data.ArrayLayout(11, reducers)),
            "index": Out(range(Thresholds(reducers).depth)),
            "thresholds": In(data.ArrayLayout(Threshold, reducers)),
            "write": Out(FmapWrite),
            "done": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Ages, in cycles since valid and centre came: mismatches, their sums by 2, by 4, comparison.
        counted = self.mismatch_latency
        summed = counted + 2
        compared = summed + 1
        centres = [self.centre]
        for age in range(1, compared + 2):
            later = Signal(Centre, name=f"centre_{age}")
            m.d.sync += later.eq(centres[-1])
            centres.append(later)

        self._read_thresholds(m, centres[summed - 1 - Thresholds.READ_LATENCY - 0])
        limits, flips = self._limits(m, summed - 1)
        reached = self._compare(m, limits)
        packed, flip = self._pack(m, reached, flips)
        emit, bits = self._pool(m, packed, centres[compared + 1])
        self._write(m, emit, ~(bits ^ flip), centres[compared + 1])
        return m
