"""From counts of mismatches to stored bits: sums, thresholds, pooling, and where the bits go."""

from typing import List, Tuple

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from overlays.gateware.config import QUARTERS, UNIT
from overlays.gateware.interfaces import MERGE_CYCLES, WRITE_BITS, FmapWrite
from overlays.gateware.pipeline import OWN, delay, register
from overlays.gateware.raster import Centre, Edges, next_quarter
from overlays.gateware.thresholds import Threshold, Thresholds, threshold_depth
from pynq_bnn.registers import CHANNEL_STEP, MAX_CHANNELS, MAX_SIDE

SPREADS = range(QUARTERS.bit_length())


class Decision(wiring.Component):
    """Decides sum >= threshold for each output, pools, flips and writes.

    With m mismatches over v valid taps of C channels the sum is C v - 2 m, so it reaches t exactly
    when m <= (C v - t) // 2; the right side is ready before m is.

    Ports
    -----
    start : pulse; the inputs up to `pool` are right since the cycle before
    spread : log2 of the quarters of a pixel, and so of the reducers that an output takes, 0 to 2
    out_spread : log2 of the quarters of an output pixel
    blocks : 64-channel blocks of an input pixel, 1 to 8
    passes : of the layer
    pool : 2 x 2 max pooling
    edges, centre : of a window
    mismatches : MISMATCH_LATENCY cycles after them
    index, thresholds : port of the thresholds' memory
    write : LATENCY cycles after edges and centre
    done : MERGE_CYCLES after the last write
    """

    def __init__(self, reducers: int, mismatch_latency: int) -> None:
        self.reducers = reducers
        self.mismatch_latency = mismatch_latency
        self.latency = mismatch_latency + 6
        super().__init__({
            "start": In(1),
            "spread": In(2),
            "out_spread": In(2),
            "blocks": In(4),
            "passes": In(10),
            "pool": In(1),
            "edges": In(Edges),
            "centre": In(Centre),
            "mismatches": In(data.ArrayLayout(11, reducers)),
            "index": Out(range(threshold_depth(reducers))),
            "thresholds": In(data.ArrayLayout(Threshold, reducers)),
            "write": Out(FmapWrite),
            "done": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Ages, in cycles since edges and centre: when what is compared, and the outcome, are there.
        summed = self.mismatch_latency + 2
        compared = summed + 1
        centres = [self.centre]
        for age in range(1, compared + 2):
            centres.append(_later(m, centres[-1], f"centre_{age}"))
        limits, flips = self._limits(m, summed, centres)
        reached = self._compare(m, limits)
        flips = delay(m, flips, compared - summed)

        # Output j of the pass was decided at reducer j << spread.
        packed, flip = (Signal(self.reducers, name=name, reset_less=True)
                        for name in ("packed", "flip"))
        packing = Signal(2, **OWN)
        m.d.sync += packing.eq(self.spread)
        with m.Switch(packing):
            for spread in SPREADS:
                with m.Case(spread):
                    m.d.sync += [packed.eq(Cat(reached[::1 << spread])),
                                 flip.eq(Cat(flips[::1 << spread]))]
        emits, pooled = self._pool(m, packed, centres[-1])
        emit, bits = Signal(), Signal(self.reducers, reset_less=True)
        m.d.sync += [emit.eq(emits), bits.eq(~(pooled ^ flip))]
        self._write(m, emit, bits, centres[-1])
        return m

    def _limits(self, m: Module, age: int, centres: List[data.View]) -> Tuple[List[Value], Value]:
        """The most mismatches with which each sum reaches its threshold; the flips; at `age`."""
        blocks, blocks_3 = Signal(4, **OWN), Signal(5, **OWN)
        m.d.sync += [blocks.eq(self.blocks), blocks_3.eq(self.blocks + (self.blocks << 1))]
        # One, two or three rows of as many columns are valid, never none.
        above, below = self.edges.above, self.edges.below
        left, right = self.edges.left, self.edges.right
        rows, rows_1, rows_3, every = (Signal(bits, name=name, reset_less=True) for name, bits in (
            ("rows", 5), ("rows_1", 5), ("rows_3", 7), ("every", 7)))
        side, sides = (Signal(2, name=name, reset_less=True) for name in ("side", "sides"))
        m.d.sync += [
            rows.eq(Mux(above & below, blocks_3, Mux(above | below, blocks << 1, blocks))),
            side.eq(Cat(left | right, left & right)),
            rows_1.eq(rows), rows_3.eq(rows + (rows << 1)), sides.eq(side),
            every.eq(Mux(sides[1], rows_3, Mux(sides[0], rows_1 << 1, rows_1))),
        ]
        every = delay(m, every, age - 4)

        index_age = age - 1 - Thresholds.READ_LATENCY
        with m.If(centres[index_age].valid & centres[index_age].pass_end):
            m.d.sync += self.index.eq(self.index + 1)
        with m.If(self.start):
            m.d.sync += self.index.eq(0)

        limits = []
        for r in range(self.reducers):
            limit = Signal(signed(17), name=f"limit_{r}", reset_less=True)
            m.d.sync += limit.eq(every * CHANNEL_STEP - self.thresholds[r].t)
            limits.append(limit >> 1)
        flips = Cat(self.thresholds[r].flip for r in range(self.reducers))
        return limits, delay(m, flips, 1)

    def _compare(self, m: Module, limits: List[Value]) -> Signal:
        """Reached or not, for each reducer's output, from the mismatches 3 cycles ago."""
        counts = list(self.mismatches)
        for spread in SPREADS[1:]:
            sums = []
            for r, count in enumerate(counts):
                total = Signal(11 + spread, name=f"total_{spread}_{r}", reset_less=True)
                other = 0
                if r % (1 << spread) == 0:
                    joined = Signal(name=f"joined_{spread}_{r}", **OWN)
                    m.d.sync += joined.eq(self.spread[spread - 1:].any())
                    other = Mux(joined, counts[r + (1 << spread - 1)], 0)
                m.d.sync += total.eq(count + other)
                sums.append(total)
            counts = sums
        reached = Signal(self.reducers, reset_less=True)
        m.d.sync += [reached[r].eq(counts[r] <= limits[r]) for r in range(self.reducers)]
        return reached

    def _pool(self, m: Module, packed: Value, centre: data.View) -> Tuple[Value, Value]:
        """Whether an output pixel is complete, and its bits: any of the 2 x 2, with pooling."""
        column, odd_row = Signal(range(MAX_SIDE), reset_less=True), Signal(reset_less=True)
        pool = Signal(**OWN)
        m.d.sync += pool.eq(self.pool)
        with m.If(centre.valid):
            m.d.sync += column.eq(column + 1)
            with m.If(centre.row_end):
                m.d.sync += [column.eq(0), odd_row.eq(~odd_row & ~centre.image_end)]
        with m.If(self.start):
            m.d.sync += [column.eq(0), odd_row.eq(0)]
        m.submodules.row_above = memory = Memory(
            shape=self.reducers, depth=MAX_SIDE // 2, init=[])
        into, outof = memory.write_port(), memory.read_port(domain="comb")
        before = Signal(self.reducers, reset_less=True)
        pair = Signal(self.reducers)
        m.d.sync += before.eq(packed)
        m.d.comb += [
            pair.eq(before | packed),
            into.en.eq(centre.valid & column[0] & ~odd_row),
            into.addr.eq(column >> 1), into.data.eq(pair),
            outof.addr.eq(column >> 1),
        ]
        return (centre.valid & (~pool | (column[0] & odd_row)),
                Mux(pool, pair | outof.data, packed))

    def _write(self, m: Module, emit: Value, bits: Value, centre: data.View) -> None:
        """Pixel after pixel, each image from a row of its own, a pass beside the one before.

        `centre` is a cycle before `emit` and `bits`.
        """
        row, quarter = Signal(16, reset_less=True), Signal(2, reset_less=True)
        channel = Signal(range(MAX_CHANNELS), reset_less=True)
        remaining, is_last = Signal(10, reset_less=True), Signal(reset_less=True)
        last = Signal(MERGE_CYCLES + 1)
        # What follows from the shape: log2 of the outputs of a pass, these, quarters of a pixel.
        size, outputs, stride = (Signal(range(WRITE_BITS.bit_length()), **OWN),
                                 Signal(self.reducers.bit_length(), **OWN), Signal(3, **OWN))
        m.d.sync += [
            size.eq(exact_log2(self.reducers) - self.spread),
            outputs.eq(self.reducers >> self.spread),
            stride.eq(1 << self.out_spread),
            is_last.eq(remaining == 1),  # a pass takes longer than this
        ]
        image_ends = register(m, centre.row_end & centre.image_end, "image_ends")
        pass_ends = register(m, centre.row_end & centre.image_end & centre.pass_end, "pass_ends")
        m.d.sync += [
            self.write.enable.eq(emit),
            self.write.address.eq(Cat(Const(0, exact_log2(UNIT)), quarter, row) | channel),
            self.write.size.eq(size),
            self.write.bits.eq(bits),
            last.eq(Cat(emit & pass_ends & is_last, last)),
        ]
        m.d.comb += self.done.eq(last[-1])
        after, full = next_quarter(quarter, stride)
        with m.If(emit):
            m.d.sync += quarter.eq(after)
            with m.If(full | image_ends):
                m.d.sync += [quarter.eq(0), row.eq(row + 1)]
            with m.If(pass_ends):
                m.d.sync += [row.eq(0), channel.eq(channel + outputs),
                             remaining.eq(remaining - 1)]
        with m.If(self.start):
            m.d.sync += [row.eq(0), quarter.eq(0), channel.eq(0), remaining.eq(self.passes)]


def _later(m: Module, centre: data.View, name: str) -> data.View:
    """`centre` a cycle later; only `valid` needs a reset."""
    later = register(m, centre, name)
    valid = register(m, centre.valid, f"{name}_valid", reset_less=False)
    return data.View(Centre, Cat(valid, later.as_value()[1:]))
