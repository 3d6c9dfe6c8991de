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
        self.used = used
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
        coming = self.before(fetch), self.before(self.before(fetch)), inside("arrived")
        self.claim("no more pairs in block RAM than it has places", stored + coming[0] <= PAIRS)
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
        came, read = Signal(2), Signal(2)
        data = Cat(self.inside(f"data_{half}0")[0] for half in ("lower", "upper"))
        written, (addressed, reading, arrived) = self.before(pair), coming
        later = waiting + arrived + reading
        self.nothing_kept = 1
        store = self._memory("store", PAIRS, written, came, addressed,
                             addressed + stored - written, marked, ahead, later)
        self._memory("queue", QUEUE, arrived, data, taken, waiting, marked, ahead, 0)
        m.d.sync += [came.bit_select(second, 1).eq(fifo.w.payload[0]), read.eq(store)]

        out = pair_at(0)
        self.claim("both of two units are those whose turn it is", ~fifo.r.valid | (
            Cat(fifo.pairs.payload[0], fifo.pairs.payload[UNIT]) == out))
        self.claim("so is one alone",
                   ~fifo.r.valid | (fifo.r.payload[0] == out.bit_select(upper, 1)))
        self.lemma("it is one of those inside", (marked == 0) | (ahead < pairs))
        self.lemma("one mark", (marked != 3) & ~((marked != 0) & begun) & (~begun | second))
        self.lemma("once", used | (marked == 0) & ~begun)
        self.lemma("not again", ~begun | self.nothing_kept)
        self.lemma("half a pair", ~second | (came[0] == begun))
        self.lemma("being stored", ~written | (came == pair_at(pairs - 1)))
        self.lemma("read", ~reading | (read == pair_at(waiting + arrived)))
        self.lemma("read a cycle ago", ~arrived | (data == pair_at(waiting)))

    def _memory(self, name, places, write, value, take, size, marked, ahead, before):
        """A ring of `size` pairs with `before` others before them; returns the oldest.

        All is 0 but what was last written with the mark; whether that is one of them is `held`.
        """
        m = self.m
        ring = Array(Signal(2, name=f"{name}{n}") for n in range(places))
        first, last, place = (Signal(range(places)) for _ in range(3))
        kept, held = Signal(2), Signal()
        self.nothing_kept &= kept == 0
        m.d.sync += [last.eq(last + write), first.eq(first + take)]
        with m.If(write):
            m.d.sync += ring[last].eq(value)
        with m.If(write & (value != 0)):
            m.d.sync += [place.eq(last), kept.eq(value), held.eq(1)]
        with m.Else():
            with m.If(write & (last == place)):
                m.d.sync += kept.eq(0)
            with m.If(take & (first == place)):
                m.d.sync += held.eq(0)
        behind = (place - first)[:len(place)]
        self.lemma(f"the mark in the {name}",
                   Cat(here == Mux(place == n, kept, 0) for n, here in enumerate(ring)).all())
        self.lemma(f"one after the other in the {name}", (first + size - last)[:len(last)] == 0)
        self.lemma(f"what the {name} holds", held == (
            (marked != 0) & (ahead >= before) & (ahead < before + size)))
        self.lemma(f"where the {name} holds it", Mux(
            held, (behind < size) & (kept == marked) & (ahead == before + behind),
            (kept == 0) | (behind >= size)))
        self.lemma(f"what is left of it in the {name}",
                   (kept == 0) | self.used & ((marked == 0) | (ahead < before + size)))
        return ring[first]


def test_claims(tmp_path):
    FifoClaims(ParameterFifo(DEPTH)).prove(tmp_path)


IN_RAM = "no more pairs in block RAM than it has places"
IN_QUEUE = "no more pairs in the queue than it has places"
OFFERED = "what is offered is there"
BOTH = "both of two units are those whose turn it is"
ALONE = "so is one alone"
FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("self.w.ready.eq(stored < self.depth - MARGIN)", "self.w.ready.eq(1)", (IN_RAM,)),
    ("free.eq(free + gone - fetch)", "free.eq(free + gone)", (IN_QUEUE,)),
    ("Mux(taken, waiting > 1, waiting != 0)", "(waiting != 0)", (OFFERED,)),
    ("first.eq(moved(first, taken))", "first.eq(moved(first, taken & ~arrived))", (BOTH, ALONE)),
    ("from_upper.eq(from_upper ^ step)", "from_upper.eq(from_upper ^ taken)", (ALONE,)),
    ("enable.eq(complete), fetched.eq(fetch)", "enable.eq(complete), fetched.eq(arrived)", (BOTH,)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    FifoClaims(faulty(ParameterFifo, right, wrong)(DEPTH)).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(FifoClaims(ParameterFifo(DEPTH)).names) == broken
