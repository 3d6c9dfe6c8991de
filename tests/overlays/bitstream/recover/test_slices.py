"""What a slice is, setting by setting, simulated and compared with UG474's drawings."""

import itertools
import random

import pytest

from overlays.bitstream.recover import RecoveryError
from overlays.simulation.circuit import ONE
from tests.overlays.bitstream.recover.made_up import slice_on

RANDOM = random.Random(474)


def every(names):
    for bits in itertools.product((0, 1), repeat=len(names)):
        yield dict(zip(names, bits))


def lut(init, values, letter, inputs=6):
    place = sum(values.get(f"{letter}{k + 1}", 0) << k for k in range(inputs))
    return init >> place & 1


def test_a_lut_of_six_and_its_half_of_five():
    init = RANDOM.getrandbits(64)
    part, bench = slice_on({"ALUT.INIT": init, "AOUTMUX.O5": 1})
    simulator = bench.simulator(six=part.output("A"), five=part.output("AMUX"))
    for values in every([f"A{k}" for k in range(1, 7)]):
        simulator.set(**values)
        assert simulator.get("out_six") == lut(init, values, "A")
        assert simulator.get("out_five") == lut(init & 0xFFFFFFFF, values, "A", 5)


def test_pins_that_change_nothing_are_not_looked_at():
    part, bench = slice_on({"BLUT.INIT": 0xFFFFFFFF00000000})
    simulator = bench.simulator(b=part.output("B"))
    assert bench.inputs == ["B6"]
    simulator.set(B6=1)
    assert simulator.get("out_b") == 1


def test_a_lut_without_settings_is_0():
    part, bench = slice_on({"AFFMUX.O6": 1})
    assert bench.simulator(a=part.output("A")).get("out_a") == 0


def test_the_wide_multiplexers():
    inits = {letter: RANDOM.getrandbits(64) for letter in "ABCD"}
    part, bench = slice_on({**{f"{letter}LUT.INIT": init for letter, init in inits.items()},
                            "AOUTMUX.F7": 1, "BOUTMUX.F8": 1, "COUTMUX.F7": 1})
    simulator = bench.simulator(a=part.output("AMUX"), b=part.output("BMUX"),
                                c=part.output("CMUX"))
    for _ in range(200):
        values = {f"{letter}{k}": RANDOM.getrandbits(1) for letter in "ABCD" for k in range(1, 7)}
        select = {pin: RANDOM.getrandbits(1) for pin in ("AX", "BX", "CX")}
        simulator.set(**values, **select)
        o6 = {letter: lut(init, values, letter) for letter, init in inits.items()}
        f7a = o6["A"] if select["AX"] else o6["B"]
        f7b = o6["C"] if select["CX"] else o6["D"]
        assert simulator.get("out_a") == f7a
        assert simulator.get("out_c") == f7b
        assert simulator.get("out_b") == (f7a if select["BX"] else f7b)


@pytest.mark.parametrize("start,first", [("C0", 0), ("C1", 1), ("AX", None), ("CIN", None)])
def test_a_carry_chain_adds(start, first):
    """O6 is A1 xor A2, O5 is A1: the sum of two numbers of four bits."""
    init = 0x6666666666666666 & ~0xFFFFFFFF | 0xAAAAAAAA  # A6 is high
    settings = {f"PRECYINIT.{start}": 1}
    for letter in "ABCD":
        settings.update({f"{letter}LUT.INIT": init, f"CARRY4.{letter}CY0": 1,
                         f"{letter}OUTMUX.XOR": 1})
    part, bench = slice_on(settings, {f"{letter}6": ONE for letter in "ABCD"})
    simulator = bench.simulator(carry=part.output("COUT"), **{
        letter: part.output(f"{letter}MUX") for letter in "ABCD"})
    for _ in range(200):
        one, other, carry = RANDOM.randrange(16), RANDOM.randrange(16), RANDOM.getrandbits(1)
        simulator.set(**{f"{letter}1": one >> k & 1 for k, letter in enumerate("ABCD")},
                      **{f"{letter}2": other >> k & 1 for k, letter in enumerate("ABCD")})
        if first is None:
            simulator.set(**{start: carry})
        got = sum(simulator.get(f"out_{letter}") << k for k, letter in enumerate("ABCD"))
        got += simulator.get("out_carry") << 4
        assert got == one + other + (carry if first is None else first)


def test_a_carry_takes_a_pin_where_it_is_told_to():
    part, bench = slice_on({"PRECYINIT.C0": 1, "ALUT.INIT": 0, "AOUTMUX.CY": 1})
    simulator = bench.simulator(a=part.output("AMUX"))
    for value in (0, 1):
        simulator.set(AX=value)
        assert simulator.get("out_a") == value


@pytest.mark.parametrize("zini,zrst", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_flip_flop(zini, zrst):
    settings = {"AFFMUX.AX": 1, "CEUSEDMUX": 1, "SRUSEDMUX": 1, "FFSYNC": 1}
    settings.update({name: 1 for name, given in (("AFF.ZINI", zini), ("AFF.ZRST", zrst)) if given})
    part, bench = slice_on(settings)
    assert part.flip_flops() == [part.output("AQ")]
    simulator = bench.simulator(q=part.output("AQ"))
    expected = 1 - zini
    for _ in range(100):
        data, enable, reset = (RANDOM.getrandbits(1) for _ in range(3))
        assert simulator.get("out_q") == expected
        simulator.set(AX=data, CE=enable, SR=reset)
        simulator.clock()
        expected = 1 - zrst if reset else data if enable else expected


def test_a_flip_flop_without_enable_and_reset():
    part, bench = slice_on({"C5FFMUX.IN_B": 1, "C5FF.ZINI": 1, "COUTMUX.C5Q": 1})
    simulator = bench.simulator(q=part.output("CMUX"))
    assert bench.inputs == ["CX"]
    simulator.set(CX=1)
    assert simulator.get("out_q") == 0
    simulator.clock()
    assert simulator.get("out_q") == 1


@pytest.mark.parametrize("source,net", [("O6", "D"), ("XOR", None), ("CY", None), ("F8", None)])
def test_what_a_flip_flop_takes(source, net):
    letter = "B" if source == "F8" else "D"
    part, bench = slice_on({f"{letter}FFMUX.{source}": 1, "PRECYINIT.C0": 1,
                            "DLUT.INIT": 0xFFFF0000FFFF0000, "BLUT.INIT": 1})
    part.flip_flops()
    bench.finish()
    (flip_flop,) = bench.circuit.flip_flops
    assert flip_flop.data in {each.output for each in bench.circuit.tables}


@pytest.mark.parametrize("settings,what", [
    ({"AFFMUX.AX": 1, "CLKINV": 1}, "falling edges"),
    ({"AFFMUX.AX": 1, "LATCH": 1}, "latches"),
    ({"AFFMUX.AX": 1, "SRUSEDMUX": 1}, "asynchronous"),
    ({"AFFMUX.AX": 1, "AFFMUX.O6": 1}, "AFFMUX is set to"),
    ({"DFFMUX.MC31": 1}, "MC31 is not understood"),
])
def test_flip_flops_that_are_not_understood(settings, what):
    part, bench = slice_on(settings)
    part.flip_flops()
    with pytest.raises(RecoveryError, match=what):
        bench.finish()


def test_another_clock():
    part, bench = slice_on({"AFFMUX.AX": 1}, {"CLK": "PS7.FCLKCLK1"})
    part.flip_flops()
    with pytest.raises(RecoveryError, match="has PS7.FCLKCLK1 for its clock"):
        bench.finish()


def test_a_multiplexer_that_is_not_set():
    part, _ = slice_on({})
    with pytest.raises(RecoveryError, match="AOUTMUX is set to nothing"):
        part.output("AMUX")
