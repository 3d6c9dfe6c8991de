"""The parameter stream of a fully connected layer, pair of units by pair to where each belongs."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.fc_lanes import CHUNKS
from overlays.gateware.interfaces import Pairs
from overlays.gateware.pipeline import KEEP

BURST = 4
"""Pairs of a burst: a chunk of each of two outputs, or 32 thresholds."""
ENOUGH = CHUNKS * 3 // 4
"""Chunks (of two outputs) with which the stream stops.  The places left are for the chunk on
its way, the one that is being read, and one read before whose last rows are still under way."""
FIRST = 3
"""From `start` to the cycle that takes the first pair."""
AVAILABLE = 2
"""From a chunk's last pair to `available`."""


class Phase(enum.Enum, shape=1):
    """What the next burst is."""

    THRESHOLDS = 0
    WEIGHTS = 1


class FcLoader(wiring.Component):
    """Thresholds (but for LAST), then chunks of two outputs, both four units long.

    Everything comes in bursts of four pairs, and of which kind one is is decided while the burst
    before it comes: only the count to four and `ready` follow a pair at once.

    Timing: one pair a cycle while there is room; what is said of a pair, but for its taking, is
    said a cycle after it was taken.

    Ports
    -----
    start : begin a layer; `outputs`, `last`, `chunks` (of an output) are stable from FIRST cycles
        later (`outputs` and `last` from now) until its end
    pairs : the stream, ready while there is room
    write_threshold, threshold_place : the pair before has the thresholds of outputs 8n to 8n + 7
    write, write_place : the pair before is, of the chunk at that place, the first half of the first
        output's, its second half, the first half of the second output's, its second half
    available : there is a chunk (of two outputs) that nobody took
    take : the oldest of them is used from now on; the one before it is used up
    idle : every pair of the layer was taken
    """

    start: In(1)
    outputs: In(14)
    last: In(1)
    chunks: In(6)
    pairs: In(Pairs)
    write_threshold: Out(1)
    threshold_place: Out(10)
    write: Out(BURST)
    write_place: Out(range(CHUNKS))
    available: Out(1)
    take: In(1)
    idle: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        start = Signal(**KEEP)
        taken, came = Signal(), Signal()
        position, before = Signal(2), Signal(2, reset_less=True)
        final, room = Signal(reset_less=True), Signal()
        going, more = Signal(), Signal()
        m.d.comb += [
            taken.eq(self.pairs.valid & self.pairs.ready),
            more.eq(going & ~(taken & final & position.all())),
            self.idle.eq(~going),
        ]
        m.d.sync += [
            start.eq(self.start), going.eq(more | start), self.pairs.ready.eq(more & room),
            position.eq(position + taken), came.eq(taken), before.eq(position),
        ]

        phase, burst = Signal(Phase), Signal(8)
        left, chunk = Signal(13), Signal(range(CHUNKS))  # twos of outputs, or 32s; chunks
        last_left, last_chunk = Signal(reset_less=True), Signal(reset_less=True)
        limit, twos = Signal.like(chunk, reset_less=True), Signal(13, reset_less=True)
        thresholds, weights = phase == Phase.THRESHOLDS, phase == Phase.WEIGHTS
        through, complete = came & before.all(), Signal()
        # Right two and three cycles after a burst came, before the next one has.
        m.d.sync += [
            last_left.eq(left == 1), limit.eq(self.chunks - 1), last_chunk.eq(chunk == limit),
            final.eq(weights & last_left & last_chunk), twos.eq((self.outputs + 1) >> 1),
        ]
        m.d.comb += [
            self.write_threshold.eq(came & thresholds),
            self.threshold_place.eq(Cat(before, burst)),
            self.write.eq((came & weights) << before),
            complete.eq(through & weights),
        ]
        with m.If(through):
            m.d.sync += burst.eq(burst + 1)
            with m.If(thresholds | last_chunk):
                m.d.sync += left.eq(left - 1)
                with m.If(last_left):
                    m.d.sync += [left.eq(twos), phase.eq(Phase.WEIGHTS)]
        with m.If(complete):
            m.d.sync += [self.write_place.eq(self.write_place + 1),
                         chunk.eq(Mux(last_chunk, 0, chunk + 1))]
        with m.If(start):
            m.d.sync += [phase.eq(Mux(self.last, Phase.WEIGHTS, Phase.THRESHOLDS)), burst.eq(0),
                         left.eq(Mux(self.last, twos, self.outputs >> 5))]

        level = Signal(range(CHUNKS))
        with m.If(complete ^ self.take):
            m.d.sync += level.eq(level + Mux(complete, 1, CHUNKS - 1))
        m.d.sync += [
            self.available.eq(complete | Mux(self.take, level[1:].any(), self.available)),
            room.eq(level < ENOUGH),
        ]
        return m
