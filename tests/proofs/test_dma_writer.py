"""What the writer owes is counted right: never too much, done when all is written and answered."""

import pytest
from amaranth import Mux, Signal

from overlays.gateware.axi import HP_OUTSTANDING
from overlays.gateware.dma_writer import DmaWriter
from pynq_bnn.registers import BURST_WORDS
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]


class WriterClaims(Claims):
    """Memory takes and answers when it likes, a burst once it is there; resets come at any time."""

    def state(self):
        writer, axi, m, inside = self.dut, self.dut.axi, self.m, self.inside
        asked, written, owed = (Signal(range(2 * HP_OUTSTANDING)) for _ in range(3))
        beat = Signal(range(BURST_WORDS))
        answer = self.free() & (asked != 0) & (written != 0)
        stale = self.free() & (inside("to_answer") == 0) & (owed == 0)
        m.d.comb += axi.bvalid.eq(answer | stale)
        sends = axi.wvalid & axi.wready
        ends = sends & beat.all()
        m.d.sync += [
            beat.eq(beat + sends), asked.eq(asked + (axi.awvalid & axi.awready) - answer),
            written.eq(written + ends - answer), owed.eq(owed + inside("announcing") - answer)]
        announced = inside("announced")
        unsent = inside("to_send") + announced
        self.claim("no more bursts are owed than a port may have", owed <= HP_OUTSTANDING)
        self.claim("an address stays until it is taken",
                   self.held(axi.awvalid, axi.awready, axi.awaddr))
        self.claim("a beat stays until it is taken", self.held(
            axi.wvalid, axi.wready, axi.wdata, axi.wstrb, axi.wlast))
        self.claim("WLAST with a burst's last beat", ~axi.wvalid | (axi.wlast == beat.all()))
        self.claim("no burst is written that is not announced",
                   ~axi.wvalid | (owed != written))
        self.claim("done, or at rest, when all is answered",
                   ~(writer.done | writer.commands.ready | writer.error) | (owed == 0))

        full, read, write = ([inside(f"full{n}", "beat_ring") for n in range(2)],
                             inside("read", "beat_ring"), inside("write", "beat_ring"))
        ring = sum(full)
        ends_in_ring = beat + ring >= BURST_WORDS
        self.lemma("owed, a cycle later",
                   inside("to_answer") + announced == owed + inside("answered"))
        self.lemma("an answer is counted when it came", inside("answered") == self.before(answer))
        self.lemma("asked for, or waiting to be", owed == asked + axi.awvalid)
        self.lemma("no more counted", inside("to_answer") <= HP_OUTSTANDING)
        self.lemma("just announced, it waits", ~announced | (owed != 0))
        self.lemma("no two at once", ~(announced & inside("announcing")))
        self.lemma("the ring in turn", (write != read) == (ring == 1))
        self.lemma("its oldest", (ring != 1) | Mux(read, full[1], full[0]))
        self.lemma("beats before the ring", (beat + ring - inside("beat"))[:len(beat)] == 0)
        self.lemma("bursts before the ring", owed == written + unsent + ends_in_ring)


def test_claims(tmp_path):
    WriterClaims(DmaWriter()).prove(tmp_path)


OWED = "no more bursts are owed than a port may have"
ADDRESS = "an address stays until it is taken"
BEAT = "a beat stays until it is taken"
LAST = "WLAST with a burst's last beat"
AHEAD = "no burst is written that is not announced"
DONE = "done, or at rest, when all is answered"
FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("& (to_answer != HP_OUTSTANDING)", "", (OWED,)),
    ("axi.bvalid & (to_answer != 0)", "axi.bvalid", (OWED,)),
    ("with m.Elif(axi.awvalid & axi.awready):", "with m.Elif(axi.awvalid):", (ADDRESS,)),
    ("ring.ready.eq(axi.wready)", "ring.ready.eq(1)", (BEAT, LAST)),
    ("ring.beats.payload.last.eq(beat.all())", "ring.beats.payload.last.eq(beat[1:].all())",
     (LAST,)),
    ("ring.beats.valid.eq((to_send != 0) & (draining | words.valid))",
     "ring.beats.valid.eq(draining | words.valid)", (AHEAD,)),
    ("quiet = (to_answer == 0) & ~announced", "quiet = to_answer == 0", (DONE,)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    WriterClaims(faulty(DmaWriter, right, wrong)()).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(WriterClaims(DmaWriter()).names) == broken
