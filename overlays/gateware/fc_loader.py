"""The parameter stream of a fully connected layer, unit by unit to where each belongs."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import QUARTERS
from overlays.gateware.fc_lanes import CHUNKS
from overlays.gateware.interfaces import Units
from overlays.gateware.pipeline import KEEP

ENOUGH = CHUNKS * 3 // 4
"""Chunks with which the stream stops.  The places left are for the chunk that is on its way then,
the one that is being read, and one read before it whose last rows are still under way."""
FIRST = 3
"""From `start` to the cycle that takes the first unit."""
AVAILABLE = 2
"""From a chunk's last unit to `available`."""


class Phase(enum.Enum, shape=2):
    """What the next four units are."""

    THRESHOLDS = 0
    WEIGHTS = 1
    PADDING = 2


class FcLoader(wiring.Component):
    """Thresholds (but for LAST), chunks of four units for each output, four units of padding.

    Padding fills the last burst: a layer of an odd number of chunks has it.  Everything comes in
    groups of four units, and of which kind a group is (thresholds, weights, padding) is decided
    while the group before it comes: only the count to four and `ready` follow a unit at once.

    Timing: one unit a cycle while there is room; what is said of a unit, but for its taking, is
    said a cycle after it was taken.

    Ports
    -----
    start : begin a layer; `outputs`, `last`, `chunks` (of an output) are stable from FIRST cycles
        later (`outputs` and `last` from now) until its end
    units : the stream, ready while there is room
    write_threshold, threshold_place : the unit before has the thresholds of outputs 4n to 4n + 3
    write, write_place : the unit before is that quarter of the chunk at that place
    available : there is a chunk that nobody took
    take : the oldest of them is used from now on; the one before it is used up
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
    take: In(1)
    idle: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        start = Signal(**KEEP)
        taken, came = Signal(), Signal()
        position, quarter = Signal(2), Signal(2, reset_less=True)
        final, room = Signal(reset_less=True), Signal()
        going, more = Signal(), Signal()
        m.d.comb += [
            taken.eq(self.units.valid & self.units.ready),
            more.eq(going & ~(taken & final & position.all())),
            self.idle.eq(~going),
        ]
        m.d.sync += [
            start.eq(self.start), going.eq(more | start), self.units.ready.eq(more & room),
            position.eq(position + taken), came.eq(taken), quarter.eq(position),
        ]

        phase, group = Signal(Phase), Signal(9)
        left, chunk = Signal(14), Signal(range(CHUNKS))  # outputs, or fours of thresholds; chunks
        last_left, last_chunk = Signal(reset_less=True), Signal(reset_less=True)
        limit, padded = Signal.like(chunk, reset_less=True), Signal(reset_less=True)
        thresholds, weights = phase == Phase.THRESHOLDS, phase == Phase.WEIGHTS
        through, complete = came & quarter.all(), Signal()
        # Right two and three cycles after four units came, before the next four have.
        m.d.sync += [
            last_left.eq(left == 1), limit.eq(self.chunks - 1), last_chunk.eq(chunk == limit),
            padded.eq(self.chunks[0] & self.outputs[0]),
            final.eq(Mux(weights, last_left & last_chunk & ~padded, phase == Phase.PADDING)),
        ]
        m.d.comb += [
            self.write_threshold.eq(came & thresholds),
            self.threshold_place.eq(Cat(quarter, group)),
            self.write.eq((came & weights) << quarter),
            complete.eq(through & weights),
        ]
        with m.If(through):
            m.d.sync += group.eq(group + 1)
            with m.If(thresholds | last_chunk):
                m.d.sync += left.eq(left - 1)
                with m.If(last_left):
                    m.d.sync += [left.eq(self.outputs),
                                 phase.eq(Mux(thresholds, Phase.WEIGHTS, Phase.PADDING))]
        with m.If(complete):
            m.d.sync += [self.write_place.eq(self.write_place + 1),
                         chunk.eq(Mux(last_chunk, 0, chunk + 1))]
        with m.If(start):
            m.d.sync += [phase.eq(Mux(self.last, Phase.WEIGHTS, Phase.THRESHOLDS)), group.eq(0),
                         left.eq(Mux(self.last, self.outputs, self.outputs >> 4))]

        level = Signal(range(CHUNKS))
        with m.If(complete ^ self.take):
            m.d.sync += level.eq(level + Mux(complete, 1, CHUNKS - 1))
        m.d.sync += [
            self.available.eq(complete | Mux(self.take, level[1:].any(), self.available)),
            room.eq(level < ENOUGH),
        ]
        return m
