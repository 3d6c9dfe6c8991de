"""AXI's rule for WVALID, and that beats come in order, none lost or doubled."""

import pytest

from overlays.gateware.beat_ring import BeatRing
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]


class RingClaims(Claims):
    def state(self):
        ring = self.dut
        self.assume(self.held(ring.beats.valid, ring.beats.ready, ring.beats.payload.as_value()))
        self.claim("a beat stays until it is taken",
                   self.held(ring.valid, ring.ready, ring.beat.as_value()))
        self.in_order(ring.beats.valid & ring.beats.ready, ring.beats.payload.data[0],
                      ring.valid & ring.ready, ring.beat.data[0], most=2)


def test_claims(tmp_path):
    RingClaims(BeatRing()).prove(tmp_path)


FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("(write == n) & ~full[n]", "(write == n)", ("a beat stays until it is taken",)),
    ("self.beats.ready.eq(~full[write])", "self.beats.ready.eq(1)",
     ("in order, nothing lost, nothing twice", "no more inside than there is room")),
    ("read.eq(read ^ (self.valid & self.ready))", "read.eq(read ^ self.ready)",
     ("in order, nothing lost, nothing twice",)),
    ("self.valid.eq(full[read])", "self.valid.eq(1)", ("what comes out went in",)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    RingClaims(faulty(BeatRing, right, wrong)()).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(RingClaims(BeatRing()).names) == broken
