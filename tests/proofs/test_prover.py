"""What the prover must not believe."""

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tests.proofs.prover import Claims, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]


class Counter(wiring.Component):
    """Counts to nine and begins again; `held` stays as it is."""

    up: In(1)
    value: Out(4)
    held: Out(1)

    def elaborate(self, platform):
        m = Module()
        last = Signal()
        m.d.comb += last.eq(self.value == 9)
        with m.If(self.up & last):
            m.d.sync += self.value.eq(0)
        with m.Elif(self.up):
            m.d.sync += self.value.eq(self.value + 1)
        m.d.sync += self.held.eq(self.held)
        return m


def claims(say):
    class CounterClaims(Claims):
        def state(self):
            say(self, self.dut)
    return CounterClaims(Counter())


def test_what_holds_is_proved(tmp_path):
    claims(lambda c, dut: c.claim("less than ten", dut.value < 10)).prove(tmp_path)
    claims(lambda c, dut: c.claim("not twelve", dut.value != 12)).prove(tmp_path)


@pytest.mark.parametrize("say, cycle", [
    (lambda c, dut: c.claim("it", dut.held == 1), 0),  # from itself it would follow
    (lambda c, dut: c.claim("it", dut.value < 9), 9),
    (lambda c, dut: c.claim("it", dut.value != 0), 0),
    (lambda c, dut: [c.assume(~dut.up), c.claim("it", dut.held)], 0)])
def test_what_does_not_hold_is_not(tmp_path, say, cycle):
    assert claims(say).broken(tmp_path, ["it"]) == {"it": cycle}
    with pytest.raises(AssertionError):
        claims(say).prove(tmp_path)


def test_a_claim_that_holds_hides_none_that_does_not(tmp_path):
    def say(c, dut):
        c.claim("less than ten", dut.value < 10)
        c.lemma("less than nine", dut.value < 9)
    with pytest.raises(AssertionError):
        claims(say).prove(tmp_path)


def test_assumptions_are_made_up_to_now(tmp_path):
    def say(c, dut):
        c.assume(~dut.up)
        c.claim("it stays", dut.value == 0)
    claims(say).prove(tmp_path)


def test_inside(tmp_path):
    claims(lambda c, dut: c.claim("last", c.inside("last") == (dut.value == 9))).prove(tmp_path)
    with pytest.raises(AssertionError, match="0 values are called first"):
        claims(lambda c, dut: c.inside("first"))
