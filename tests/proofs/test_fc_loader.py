"""The FC layers' loader ends: each pair is further on; it takes them while there is room."""

import pytest
from amaranth import Cat, Mux, Signal

from overlays.gateware.fc_lanes import CHUNKS
from overlays.gateware.fc_loader import BURST, ENOUGH, FIRST, FcLoader, Phase
from pynq_bnn.registers import MAX_FC_INPUTS
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]

PATIENCE = 3


class LoaderClaims(Claims):
    """Pairs come, and chunks are taken that are there, when others like."""

    def state(self):
        s, m, inside = self.dut, self.m, self.inside
        started, going, came = inside("start"), inside("going"), inside("came")
        begun = Signal(FIRST)  # so long ago at most
        m.d.sync += begun.eq(Cat(s.start, begun))
        busy = begun.any() | going
        self.assume(~s.start | ~busy & ~came)
        self.assume(~busy | (Cat(s.outputs, s.last) == self.before(Cat(s.outputs, s.last))))
        self.assume(~(going | came) | (s.chunks == self.before(s.chunks)))
        self.assume((s.outputs != 0) & (s.outputs <= MAX_FC_INPUTS))
        self.assume(s.last | (s.outputs[:6] == 0))
        self.assume((s.chunks != 0) & (s.chunks <= CHUNKS))
        self.assume(~s.take | s.available)

        phase, left, chunk = inside("phase"), inside("left"), inside("chunk")
        position, before = inside("position"), inside("before")
        weights = phase == Phase.WEIGHTS.value
        index = Mux(came, before, position)
        self.grows("every pair is further on", begun.any(), came, going | came,
                   weights, ~left, chunk, index)
        through = came & (before == BURST - 1)
        ends = through & weights & (left == 1) & (chunk == s.chunks - 1)
        fell = self.before(going) & ~going
        self.claim("it stops with the last pair", fell == ends)
        self.lemma("the last pair", ~came | (going != ends))
        self.lemma("it begins", (started == begun[0]) & ((begun & (begun - 1)) == 0))
        self.lemma("at rest when it begins", ~begun[:2].any() | ~came & ~s.pairs.ready
                   & (going == begun[1]))
        waits = self.patience(PATIENCE, going & ~s.pairs.ready & (inside("level") < ENOUGH))
        self.claim("a pair is taken if there is room", waits <= PATIENCE)
        self.claim("what is there can be taken", s.available == (inside("level") != 0))
        self.claim("no more chunks than places", inside("level") <= ENOUGH)

        since = Signal(range(BURST), init=BURST - 1)  # cycles since a burst came whole
        with m.If(through | started):
            m.d.sync += since.eq(0)
        with m.Elif(since != BURST - 1):
            m.d.sync += since.eq(since + 1)
        self._settled(busy, came, since, index, weights)
        self._room(going, came, since, waits)

    def _settled(self, busy, came, since, index, weights):
        """Lemmas: what is said of the next burst is right by the time that it is asked."""
        s, inside = self.dut, self.inside
        left, chunk, going = inside("left"), inside("chunk"), inside("going")
        position, twos = inside("position"), inside("twos")
        lasts = left == 1, chunk == s.chunks - 1
        self.lemma("in turn", ~came | (inside("before") == (position - 1)[:2]))
        self.lemma("no burst comes sooner", ~(going | came) | (index <= since))
        self.lemma("at rest", going | came | (position == 0) & (chunk == 0))
        self.lemma("twos", ~busy | (twos == (s.outputs + 1) >> 1))
        self.lemma("limit", ~(going | came) | (inside("limit") == (s.chunks - 1)[:5]))
        self.lemma("last flags", ~(going | came) | (since == 0) | (
            Cat(inside("last_left"), inside("last_chunk")) == Cat(lasts)))
        self.lemma("final", ~(going | came) | (since < 2)
                   | (inside("final") == weights & Cat(lasts).all()))
        self.lemma("within", ~(going | came) | (left != 0) & (chunk < s.chunks)
                   & Mux(weights, left <= twos, (chunk == 0) & (left <= s.outputs >> 5) & ~s.last))

    def _room(self, going, came, since, waits):
        """Lemmas: with ENOUGH chunks it stops before another one is whole."""
        level, room, ready = self.inside("level"), self.inside("room"), self.dut.pairs.ready
        full = level == ENOUGH
        self.lemma("no room", ~full | (since < 1) | ~room)
        self.lemma("not ready", ~full | (since < 2) | ~ready)
        self.lemma("no burst comes", ~full | ~(came & (self.inside("before") == BURST - 1)))
        self.lemma("ready while it goes", ~ready | going)
        self.lemma("room again", (waits == 0) | room)
        self.lemma("ready again", (waits < 2) | ready)


def test_claims(tmp_path):
    LoaderClaims(FcLoader()).prove(tmp_path)


FURTHER, STOPS = "every pair is further on", "it stops with the last pair"
TAKES, THERE = "a pair is taken if there is room", "what is there can be taken"
PLACES = "no more chunks than places"
FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("left.eq(left - 1)", "left.eq(left)", (FURTHER,)),
    ("final.eq(weights & last_left & last_chunk)", "final.eq(weights & last_left)", (STOPS,)),
    ("self.pairs.ready.eq(more & room)", "self.pairs.ready.eq(more & room & ~position[0])",
     (TAKES,)),
    ("level[1:].any()", "level[2:].any()", (THERE,)),
    ("room.eq(level < ENOUGH)", "room.eq(1)", (PLACES,)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    LoaderClaims(faulty(FcLoader, right, wrong)()).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(LoaderClaims(FcLoader()).names) == broken
