"""AXI3's rules for a slave (IHI 0022), and that it answers whatever it is asked, soon."""

import pytest
from amaranth import Cat, Signal

from overlays.gateware.axi_slave import READ_CYCLES, WRITE_CYCLES, AxiSlave
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]

BASE = 0x43C00000
SOON = max(READ_CYCLES, WRITE_CYCLES) + 2


class SlaveClaims(Claims):
    def state(self):
        m, axi = self.m, self.dut.axi
        for channel in ("ar", "aw"):
            self.assume(self.held(*self.pair(channel), *(
                getattr(axi, channel + name) for name in ("id", "addr", "len", "size", "burst"))))
        self.assume(self.held(axi.wvalid, axi.wready, axi.wdata, axi.wstrb, axi.wlast))
        asked, read, told, written, answered = (
            Cat(*self.pair(channel)).all() for channel in ("ar", "r", "aw", "w", "b"))

        self.claim("a read beat stays until it is taken", self.held(
            axi.rvalid, axi.rready, axi.rid, axi.rdata, axi.rresp, axi.rlast))
        self.claim("a write's answer stays until it is taken", self.held(
            axi.bvalid, axi.bready, axi.bid, axi.bresp))

        reads, writes, answers = (Signal(range(18), name=name) for name in (
            "reads", "writes", "answers"))  # beats and answers that are owed
        identity = Signal(12)
        m.d.sync += [
            reads.eq(reads - read), writes.eq(writes - written), answers.eq(answers - answered)]
        with m.If(asked):
            m.d.sync += [reads.eq(axi.arlen + 1), identity.eq(axi.arid)]
        with m.If(told):
            m.d.sync += [writes.eq(axi.awlen + 1), answers.eq(1), identity.eq(axi.awid)]
        self.claim("as many read beats as were asked for", ~axi.rvalid | (reads != 0))
        self.claim("RLAST with the last of them", ~axi.rvalid | (axi.rlast == (reads == 1)))
        self.claim("as many write beats are taken", ~axi.wready | (writes != 0))
        self.claim("a write is answered when all its beats have come",
                   ~axi.bvalid | ((answers != 0) & (writes == 0)))
        self.claim("with the ID of its address", (~axi.rvalid | (axi.rid == identity))
                   & (~axi.bvalid | (axi.bid == identity)))
        busy = (reads != 0) | (answers != 0)
        self.claim("one transaction at a time", ~(axi.arready | axi.awready) | ~busy)

        # Cycles in which it is the slave's turn, without anything said.
        waited = Signal(range(SOON + 2))
        its_turn = (axi.arvalid | axi.awvalid | busy) & ~(
            axi.rvalid | axi.bvalid | (axi.wready & ~axi.wvalid))
        m.d.sync += waited.eq(waited + 1)
        with m.If(~its_turn | asked | told | written):
            m.d.sync += waited.eq(0)
        self.claim("it is never silent for long", waited <= SOON)

    def pair(self, channel):
        return (getattr(self.dut.axi, channel + "valid"), getattr(self.dut.axi, channel + "ready"))


def test_claims(tmp_path):
    SlaveClaims(AxiSlave(BASE)).prove(tmp_path)


FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("with m.If(axi.rready):", "if True:", ("a read beat stays until it is taken",)),
    ("with m.If(axi.bready):", "if True:",
     ("a write's answer stays until it is taken", "one transaction at a time")),
    ('take("aw", axi.bid)', 'take("aw", axi.rid)', ("with the ID of its address",)),
    ("axi.rlast.eq(beats_left == 0)", "axi.rlast.eq(beats_left == 1)",
     ("RLAST with the last of them",)),
    ("with m.If(beats_left == 0):", "with m.If(beats_left == 1):",
     ("as many read beats as were asked for",)),
    ("with m.Elif(beats_left == 0):", "with m.Elif(beats_left <= 1):",
     ("a write is answered when all its beats have come",)),
    ("with m.Elif(beats_left == 0):", "with m.Elif(beats_left == 1):",
     ("as many write beats are taken",)),
    ("with m.If(wait == 0):", "with m.If((wait == 0) & axi.wvalid):",
     ("it is never silent for long",)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    SlaveClaims(faulty(AxiSlave, right, wrong)(BASE)).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(SlaveClaims(AxiSlave(BASE)).names) == broken
