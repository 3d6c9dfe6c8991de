"""STORE ends: it sends word after word, as many as were asked for, if they are taken."""

import pytest
from amaranth import Signal

from overlays.gateware.store import ROW_CYCLES, Store
from pynq_bnn.registers import BURST_WORDS, PARAMS
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]


class StoreClaims(Claims):
    """Words are taken, and units come, when others like."""

    def state(self):
        s, m = self.dut, self.m
        begins = s.start & ~s.busy
        asked, of_parameters = Signal(16), Signal()
        with m.If(begins):
            m.d.sync += [asked.eq(s.bursts), of_parameters.eq(s.source == PARAMS)]
        sent = s.words.valid & s.words.ready
        words = Signal(16 + (BURST_WORDS - 1).bit_length())  # of this STORE, sent by now
        m.d.sync += words.eq(words + sent)
        with m.If(begins):
            m.d.sync += words.eq(0)
        total = asked << (BURST_WORDS - 1).bit_length()
        self.claim("no word beyond the last", ~s.words.valid | (words < total))
        self.claim("all words are sent", s.busy | ~self.before(s.busy) | (words == total))
        others = s.words.valid & ~s.words.ready | of_parameters & ~s.units.valid
        waits = self.patience(ROW_CYCLES + 2, s.busy & ~sent & ~others)
        self.claim("a word comes, or the end, unless others keep it waiting",
                   waits <= ROW_CYCLES + 2)
        self.claim("a word stays until it is taken",
                   self.held(s.words.valid, s.words.ready, self.inside("number")))

        number, left, wait = (self.inside(name) for name in ("number", "left", "wait"))
        state = self.inside("state")
        idle, waiting, sending = (state == each for each in range(3))
        self.lemma("a state", state <= 2)
        self.lemma("busy", s.busy == ~idle)
        self.lemma("asked for parameters", idle | (self.inside("parameters") == of_parameters))
        self.lemma("which word", idle | (number == words))
        self.lemma("left", idle | (((asked - left) << 4)[:20] == (words & ~0xF)[:20])
                   & (left <= asked))
        self.lemma("one is left", ~sending | (left != 0) & (self.inside("last") == (left == 1)))
        self.lemma("through", idle | (left != 0) | (words == total))
        self.lemma("its cycles", ~waiting | (left == 0) | (wait != 0) & (wait <= ROW_CYCLES))
        self.lemma("patient", ~waiting | (left == 0) | (waits + wait <= ROW_CYCLES + 1))
        self.lemma("a unit was just taken", ~s.units.ready | ~waiting | (waits == 0))
        self.lemma("patient at the end", ~waiting | (left != 0) | (waits <= 2))
        self.lemma("patient in sending", ~sending | (waits <= ROW_CYCLES + 1))


def test_claims(tmp_path):
    StoreClaims(Store()).prove(tmp_path)


BEYOND, ALL = "no word beyond the last", "all words are sent"
COMES = "a word comes, or the end, unless others keep it waiting"
STAYS = "a word stays until it is taken"
FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("left.eq(self.bursts)", "left.eq(self.bursts[1:])", (ALL,)),
    ("with m.If(left == 0):", "with m.If(0):", (BEYOND,)),
    ("m.d.sync += wait.eq(wait - 1)", "m.d.sync += wait.eq(wait)", (COMES,)),
    ('m.State("SEND"), m.If(self.words.ready)', 'm.State("SEND"), m.If(1)', (STAYS,)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    StoreClaims(faulty(Store, right, wrong)()).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(StoreClaims(Store()).names) == broken
