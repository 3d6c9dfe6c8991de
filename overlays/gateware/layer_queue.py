"""A queue of the convolution's own for its layer's parameters: with that it runs on by itself."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware import geometry
from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.dma_read_port import BURST_UNITS
from overlays.gateware.interfaces import Pairs, StageShape, Units
from overlays.gateware.parameter_fifo import ParameterFifo
from overlays.gateware.pipeline import OWN, register
from pynq_bnn.registers import CHANNEL_STEP

THRESHOLD_BITS = 32
BLOCK_BURSTS = CHANNEL_STEP * THRESHOLD_BITS // UNIT // BURST_UNITS
"""Bursts of thresholds for 64 outputs; of weights, TAPS * 8 for each quarter of a pixel."""
WEIGHT_BURSTS = CHANNEL_STEP * TAPS // BURST_UNITS


class LayerQueue(wiring.Component):
    """Takes a layer's parameters off the stream, all of them and no more, into a FIFO.

    Parameters
    ----------
    depth : int
        Units of the FIFO; 0: what is taken goes through at once, and may be pairs.

    Attributes
    ----------
    start, shape : In(1), In(StageShape)
        A layer begins; `shape` stands from then on, and units are taken from SETTLING cycles later.
    units, pairs : In(Units), In(Pairs)
        The stream, one view of which is taken from at a time; pairs only without a FIFO.
    to_units, to_pairs : Out(Units), Out(Pairs)
        What the convolution takes.
    loaded : Out(1)
        Everything was taken, LOADED cycles ago at least; falls 2 cycles after `start`.
    """

    SETTLING = 5
    LOADED = 1

    start: In(1)
    shape: In(StageShape)
    units: In(Units)
    pairs: In(Pairs)
    to_units: Out(Units)
    to_pairs: Out(Pairs)
    loaded: Out(1)

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        blocks, out_blocks, spread = Signal(4, **OWN), Signal(4, **OWN), Signal(2, **OWN)
        weights, bursts = Signal(12, **OWN), Signal(12, **OWN)
        m.d.sync += [
            blocks.eq(self.shape.channels // CHANNEL_STEP),
            out_blocks.eq(self.shape.outputs // CHANNEL_STEP),
            spread.eq(geometry.spread(blocks)),
            weights.eq((out_blocks * WEIGHT_BURSTS) << spread),
            bursts.eq(weights + out_blocks * BLOCK_BURSTS),
        ]
        start = Signal(self.SETTLING - 1)
        m.d.sync += start.eq(Cat(self.start, start))

        left, last = Signal(12), Signal()  # bursts; it is the last one
        place = Signal(range(BURST_UNITS))
        going, single, double = Signal(), Signal(), Signal()
        ends = Signal()
        m.d.comb += ends.eq(last & (single & place.all() | double & place[1:].all()))
        m.d.sync += last.eq(left == 1)  # bursts take four cycles at least
        with m.If(single):
            m.d.sync += place.eq(place + 1)
        with m.Elif(double):
            m.d.sync += place.eq(place + 2)
        with m.If(single & place.all() | double & place[1:].all()):
            m.d.sync += left.eq(left - 1)
        with m.If(start[-1]):
            m.d.sync += [going.eq(1), left.eq(bursts), place.eq(0), last.eq(0)]
        with m.Elif(ends):
            m.d.sync += going.eq(0)
        under_way = register(m, self.start | start.any() | going, "under_way", reset_less=False)
        m.d.comb += self.loaded.eq(~under_way)

        if self.depth:
            fifo = m.submodules.fifo = ParameterFifo(self.depth)
            m.d.comb += [
                fifo.w.payload.eq(self.units.payload), fifo.w.valid.eq(self.units.valid & going),
                self.units.ready.eq(fifo.w.ready & going),
                single.eq(self.units.valid & self.units.ready),
            ]
            wiring.connect(m, fifo.r, wiring.flipped(self.to_units))
            return m
        for mine, theirs, taken in ((self.units, self.to_units, single),
                                    (self.pairs, self.to_pairs, double)):
            m.d.comb += [
                theirs.payload.eq(mine.payload), theirs.valid.eq(mine.valid & going),
                mine.ready.eq(theirs.ready & going), taken.eq(mine.valid & mine.ready),
            ]
        return m
