"""BIN_CONV's weights come: group after group while slots are free, as many as the layer has."""

import pytest
from amaranth import Mux, Signal

from overlays.gateware.weight_cells import SLOTS
from overlays.gateware.weights import Weights
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]

PATIENCE = Weights.RELEASE_LATENCY - 1
MOST = 512
"""Passes of a layer, with half as many reducers as there can be."""


class WeightsClaims(Claims):
    """Units come when they like; a pass that is loaded is taken, and released, some time."""

    def state(self):
        s, m, inside = self.dut, self.m, self.inside
        each = s.passes_a_group
        complete, taking, opening = (inside(name) for name in ("complete", "taking", "opening"))
        come, taken, freed = (Signal(12, name=name) for name in ("come", "taken", "freed"))
        m.d.sync += [come.eq(come + Mux(complete, each, 0)), taken.eq(taken + s.take),
                     freed.eq(freed + s.release)]
        with m.If(s.start):
            m.d.sync += [come.eq(0), taken.eq(0), freed.eq(0)]
        active = Signal()  # not all of the layer's passes are through
        through = active & (freed == s.passes)
        m.d.sync += active.eq(s.start | active & ~through)
        lately = Signal(s.LOADED_LATENCY)  # a pass was taken
        m.d.sync += lately.eq((lately << 1) | s.take)
        same = s.passes == self.before(s.passes)
        self.assume(~active | same)
        self.assume(~s.start | same & ~active)
        self.assume(~s.take | s.loaded & ~lately.any())
        self.assume(~s.release | (freed != taken))
        self.assume((s.passes != 0) & (s.passes <= MOST) & (s.passes % each == 0))

        held = (come - freed)[:12]
        opened = Mux(taking, each, 0)
        self.claim("nothing is put into a slot that is in use", held + opened <= SLOTS)
        self.claim("no more than the layer has", ~active | (come + opened <= s.passes))
        may = active & ~taking & (come != s.passes) & (held + each <= SLOTS)
        waits = self.patience(PATIENCE, may)
        self.claim("units are taken while slots are free", waits <= PATIENCE)
        absent = self.patience(s.LOADED_LATENCY, (come != taken) & ~s.loaded & ~lately.any())
        self.claim("what has come is there to be taken", absent <= s.LOADED_LATENCY)
        self.claim("and nothing else", ~s.loaded | lately.any() | (come != taken))
        self.grows("every unit is further on", s.start, inside("accept"), active | taking,
                   come, inside("tap"), inside("place"))

        remaining, free, waiting = (inside(name) for name in ("remaining", "free", "waiting"))
        just = Mux(opening, each, 0)
        tap, before = inside("tap"), self.before(opening)
        self.lemma("a tap at a time", ~active | (tap != 0) & ((tap & (tap - 1)) == 0))
        self.lemma("a group begins", ~(opening | before) | tap[0] & taking)
        self.lemma("its first unit", ~opening | (inside("place") == 0))
        self.lemma("between groups", ~active | taking | tap[0] & (inside("place") == 0))
        self.lemma("at rest", active | ~taking & ~inside("more") & (remaining == 0)
                   & (come == taken) & (taken == freed) & (waiting == 0))
        self.lemma("in whole groups", (come % each == 0) & (remaining % each == 0))
        self.lemma("remaining", ~active | (come + opened + remaining == s.passes + just))
        self.lemma("free", ~active | (free + inside("released") + held + opened == SLOTS + just))
        self.lemma("waiting", waiting + Mux(inside("completed"), each, 0) + taken == come)
        self.lemma("in this order", (taken <= come) & (freed <= taken) & (come <= MOST))
        self.lemma("loaded", ~s.loaded | lately.any() | (waiting != 0))
        self.lemma("more", ~inside("more") | opening | before | ~active
                   | (remaining != 0) & (free >= each))
        self.lemma("soon free", ~may | (waits < 1) | (remaining != 0) & (free >= each))
        self.lemma("soon more", ~may | (waits < 2) | inside("more"))
        self.lemma("soon taken", ~may | (waits < 3))
        self.lemma("soon there", (come == taken) | lately.any() | (waiting != 0)
                   | (absent == 0))
        self.lemma("then told", (come == taken) | lately.any() | s.loaded | (absent < 2))


@pytest.mark.parametrize("reducers", [8, 16])
def test_claims(tmp_path, reducers):
    WeightsClaims(Weights(reducers)).prove(tmp_path)


SLOT, LAYER = "nothing is put into a slot that is in use", "no more than the layer has"
TAKES, THERE = "units are taken while slots are free", "what has come is there to be taken"
NOTHING, FURTHER = "and nothing else", "every unit is further on"
FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("(free >= each)", "(free + 1 >= each)", (SLOT,)),
    ("more.eq((remaining != 0) &", "more.eq(", (LAYER,)),
    ("with m.If(complete | ~taking):", "with m.If(complete):", (TAKES,)),
    ("self.loaded.eq(waiting != 0)", "self.loaded.eq(waiting[1:] != 0)", (THERE,)),
    ("- self.take", "", (NOTHING,)),
    ("tap.eq(tap.rotate_left(1))", "tap.eq(tap)", (FURTHER,)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    WeightsClaims(faulty(Weights, right, wrong)(8)).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(WeightsClaims(Weights(16)).names) == broken
