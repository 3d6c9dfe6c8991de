"""The parameter FIFO has room for what it takes and gives it back in order, in ones and in twos."""

import pytest
from amaranth import Array, Cat, Mux, Signal

from overlays.gateware.config import UNIT
from overlays.gateware.parameter_fifo import QUEUE, ParameterFifo
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]

DEPTH = 64
PAIRS = DEPTH // 2


class FifoClaims(Claims):
    """Units come and are taken whenever they may be; one unit's lowest bit is 1, any one's."""

    def state(self):
        fifo, m, inside = self.dut, self.m, self.inside
        mark, used, second, upper = Signal(), Signal(), Signal(), Signal()
        both = self.free() & ~upper
        m.d.comb += [
            fifo.w.valid.eq(self.free()), mark.eq(self.free() & ~used),
            fifo.w.payload[0].eq(mark & fifo.w.valid & fifo.w.ready),
            fifo.pairs.ready.eq(both), fifo.r.ready.eq(self.free() & ~both),
        ]
        accept, one = fifo.w.valid & fifo.w.ready, fifo.r.valid & fifo.r.ready
        taken = fifo.r.valid & (both | fifo.r.ready & upper)
        pair = accept & second
        m.d.sync += [used.eq(used | accept & mark), second.eq(second ^ accept),
                     upper.eq(upper ^ one)]
        pairs = self.count(2 * PAIRS, pair, taken)
        fetch = inside("fetch")
        stored = self.count(2 * PAIRS, pair, fetch)  # from when it is accepted on
        self.claim("no more pairs in block RAM than it has places", stored <= PAIRS)
        coming = self.before(fetch), self.before(self.before(fetch)), inside("arrived")
        waiting = inside("waiting")
        self.claim("no more pairs in the queue than it has places",
                   waiting + sum(coming) <= QUEUE)
        self.claim("what is offered is there", fifo.r.valid == (waiting != 0))
        self.lemma("pairs are counted", pairs == stored + sum(coming) + waiting)
        self.lemma("those inside, later", inside("inside") + inside("accepted")
                   + inside("counted") == pairs + inside("gone"))
        self.lemma("those stored, later",
                   inside("stored") + inside("accepted") + inside("counted") == stored)
        self.lemma("the queue's places", inside("free") + sum(coming) + waiting + inside("gone")
                   == QUEUE)
        self.lemma("some are stored", inside("any_stored") == (inside("stored") != 0))
        self.lemma("some places are free", inside("any_free") == (inside("free") != 0))
        self.lemma("what may come finds room", ~fifo.w.ready | (inside("stored") <= PAIRS - 6))
        self._order(accept & mark, used, pair, taken, second, upper, pairs, stored, coming, waiting)

    def _order(self, mark, used, pair, taken, second, upper, pairs, stored, coming, waiting):
        """The unit with the mark comes out as such, and no other does: where it lies in between.

        `marked` pairs of units, lower and upper, of which one has it, and `ahead` others before it.
        """
        fifo, m = self.dut, self.m
        begun, ahead = Signal(), Signal(range(2 * PAIRS))
        marked = Signal(2)
        with m.If(mark & ~second):
            m.d.sync += begun.eq(1)
        with m.Elif(pair):
            m.d.sync += begun.eq(0)
        with m.If(pair & (begun | mark)):
            m.d.sync += [marked.eq(Cat(begun, mark)), ahead.eq(pairs - taken)]
        with m.Elif(taken):
            m.d.sync += [marked.eq(Mux(ahead == 0, 0, marked)), ahead.eq(ahead - 1)]

        def pair_at(place):
            return Mux(ahead == place, marked, 0)

        # what the FIFO keeps of the units' lowest bits, to speak of it
        came, data, read = Signal(2), Signal(2), Signal(2)
        store = Array(Signal(2, name=f"store{n}") for n in range(PAIRS))
        queue = Array(Signal(2, name=f"queue{n}") for n in range(QUEUE))
        write_place, read_place = Signal(range(PAIRS)), Signal(range(PAIRS))
        first, last = Signal(range(QUEUE)), Signal(range(QUEUE))
        written, (addressed, reading, arrived) = self.before(pair), coming
        m.d.sync += [
            came.bit_select(second, 1).eq(fifo.w.payload[0]), read.eq(store[read_place]),
            data.eq(read), write_place.eq(write_place + written),
            read_place.eq(read_place + addressed), last.eq(last + arrived), first.eq(first + taken)]
        with m.If(written):
            m.d.sync += store[write_place].eq(came)
        with m.If(arrived):
            m.d.sync += queue[last].eq(data)

        out = pair_at(0)
        self.claim("both of two units are those whose turn it is", ~fifo.r.valid | (
            Cat(fifo.pairs.payload[0], fifo.pairs.payload[UNIT]) == out))
        self.claim("so is one alone",
                   ~fifo.r.valid | (fifo.r.payload[0] == out.bit_select(upper, 1)))
        self.lemma("it is one of those inside", (marked == 0) | (ahead < pairs))
        self.lemma("one mark", (marked != 3) & ~((marked != 0) & begun) & (~begun | second))
        self.lemma("once", used | (marked == 0) & ~begun)
        self.lemma("half a pair", ~second | (came[0] == begun))
        self.lemma("being stored", ~written | (came == pair_at(pairs - 1)))
        self.lemma("read", ~reading | (read == pair_at(waiting + arrived)))
        self.lemma("read a cycle ago", ~arrived | (data == pair_at(waiting)))
        held = []
        for n, place in enumerate(store):
            behind = (n - read_place)[:len(read_place)]
            held.append((behind >= addressed + stored - written)
                        | (place == pair_at(waiting + arrived + reading + behind)))
        self.lemma("stored", Cat(held).all())
        self.lemma("written one after the other", (
            read_place + addressed + stored - written - write_place)[:len(read_place)] == 0)
        self.lemma("in the queue", Cat(
            ((n - first)[:len(first)] >= waiting) | (place == pair_at((n - first)[:len(first)]))
            for n, place in enumerate(queue)).all())
        self.lemma("queued one after the other", (first + waiting - last)[:len(first)] == 0)


def test_claims(tmp_path):
    FifoClaims(ParameterFifo(DEPTH)).prove(tmp_path)
