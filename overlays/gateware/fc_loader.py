"""The parameter stream of a fully connected layer, unit by unit to where each belongs."""

from amaranth import Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import QUARTERS
from overlays.gateware.fc_lanes import CHUNKS
from overlays.gateware.interfaces import Units


class Phase(enum.Enum, shape=2):
    """What the next unit is."""

    IDLE = 0
    THRESHOLDS = 1
    WEIGHTS = 2
    PADDING = 3


class FcLoader(wiring.Component):
    """Thresholds (but for LAST), chunks of four units for each output, four units of padding.

    Padding fills the last burst: a layer of an odd number of chunks has it.  A chunk is available a
    cycle after its last unit; chunks are kept until they are released, in order.

    Ports
    -----
    start : begin a layer; `outputs`, `last`, `chunks` (of an output) are stable until its end
    units : the stream, ready while there is room
    write_threshold, threshold_place : this cycle's unit has the thresholds of outputs 4n to 4n + 3
    write, write_place : this cycle's unit is that quarter of the chunk at that place
    available : there is a chunk
    release : the oldest chunk is used up
    idle : every unit of the layer was taken
    """

    start: In(1)
    outputs: In(14)
    last: In(1)
    chunks: In(6)
    units: In(Units)
    write_threshold: Out(1)
    threshold_place: Out(11)
    write: Out(QUARTERS)
    write_place: Out(range(CHUNKS))
    available: Out(1)
    release: In(1)
    idle: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        phase, unit = Signal(Phase), Signal(11)
        chunk, output, level = Signal(6), Signal(14), Signal(range(CHUNKS))
        taken, complete = Signal(), Signal()
        weights, quarter = phase == Phase.WEIGHTS, unit[:2]
        m.d.comb += [
            self.idle.eq(phase == Phase.IDLE),
            # One place stays free: the chunk released last is still read.
            self.units.ready.eq(~self.idle & ~(weights & (level == CHUNKS - 1))),
            taken.eq(self.units.valid & self.units.ready),
            complete.eq(taken & weights & (quarter == QUARTERS - 1)),
            self.write_threshold.eq(taken & (phase == Phase.THRESHOLDS)),
            self.threshold_place.eq(unit),
            self.write.eq((taken & weights) << quarter),
            self.available.eq(level != 0),
        ]
        m.d.sync += level.eq(level + complete - self.release)
        with m.If(taken):
            m.d.sync += unit.eq(unit + 1)
            with m.If((phase == Phase.THRESHOLDS) & (unit == (self.outputs >> 2) - 1)):
                m.d.sync += [phase.eq(Phase.WEIGHTS), unit.eq(0)]
            with m.If((phase == Phase.PADDING) & (quarter == QUARTERS - 1)):
                m.d.sync += phase.eq(Phase.IDLE)
        with m.If(complete):
            m.d.sync += [self.write_place.eq(self.write_place + 1), chunk.eq(chunk + 1)]
            with m.If(chunk == self.chunks - 1):
                m.d.sync += [chunk.eq(0), output.eq(output + 1)]
                with m.If(output == self.outputs - 1):
                    m.d.sync += phase.eq(Mux(self.chunks[0] & self.outputs[0],
                                             Phase.PADDING, Phase.IDLE))
        with m.If(self.start):
            m.d.sync += [phase.eq(Mux(self.last, Phase.WEIGHTS, Phase.THRESHOLDS)), unit.eq(0),
                         chunk.eq(0), output.eq(0), level.eq(0), self.write_place.eq(0)]
        return m
