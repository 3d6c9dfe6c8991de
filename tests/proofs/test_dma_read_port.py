"""AXI3's rules for a master that reads: what it asks for stays until it is taken."""

import pytest

from overlays.gateware.dma_read_port import DmaReadPort
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]

BURSTS = 2


class PortClaims(Claims):
    def state(self):
        port, axi = self.dut, self.dut.axi
        self.assume(~port.issue | port.can_issue)
        self.assume(~port.take | port.available)
        self.assume(~port.clear)
        self.claim("an address stays until it is taken",
                   self.held(axi.arvalid, axi.arready, axi.araddr))
        self.claim("every burst is asked for", ~self.before(port.issue) | axi.arvalid)
        self.claim("nothing else is", ~axi.arvalid | (
            self.before(port.issue) | self.before(axi.arvalid & ~axi.arready)))
        self.claim("not while one waits", ~(port.can_issue & axi.arvalid))


def test_claims(tmp_path):
    PortClaims(DmaReadPort(BURSTS)).prove(tmp_path)


FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("with m.Elif(axi.arready):", "with m.Else():", ("an address stays until it is taken",)),
    ("~self.issue & ~axi.arvalid & (free != 0)", "~axi.arvalid & (free != 0)",
     ("not while one waits",)),
    ("m.d.sync += axi.arvalid.eq(0)", "m.d.sync += axi.arvalid.eq(self.take)",
     ("nothing else is",)),
    ("axi.arvalid.eq(1), burst", "axi.arvalid.eq(~self.take), burst",
     ("every burst is asked for",)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    PortClaims(faulty(DmaReadPort, right, wrong)(BURSTS)).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(PortClaims(DmaReadPort(BURSTS)).names) == broken
