"""LUT RAM and shift registers as a SLICEM's settings give them (UG474)."""

import random

import pytest

from overlays.bitstream.recover import RecoveryError
from overlays.simulation.circuit import ONE
from tests.overlays.bitstream.recover.made_up import slice_on

RANDOM = random.Random(32)


def address(letter, value, first=1, count=6):
    return {f"{letter}{first + k}": value >> k & 1 for k in range(count)}


@pytest.mark.parametrize("enable", ["WE", "CE"])
def test_64_bits(enable):
    content = RANDOM.getrandbits(64)
    settings = {"ALUT.RAM": 1, "ALUT.INIT": content, "ALUT.DI1MUX.AI": 1}
    settings.update({"WEMUX.CE": 1} if enable == "CE" else {})
    part, bench = slice_on(settings)
    simulator = bench.simulator(a=part.output("A"))
    for _ in range(300):
        read, write = RANDOM.randrange(64), RANDOM.randrange(64)
        data, writes = RANDOM.getrandbits(1), RANDOM.getrandbits(1)
        simulator.set(AI=data, **{enable: writes}, **address("A", read), **address("D", write))
        assert simulator.get("out_a") == content >> read & 1
        simulator.clock()
        if writes:
            content = content & ~(1 << write) | data << write


def test_two_of_32_bits():
    content = RANDOM.getrandbits(64)
    part, bench = slice_on({"CLUT.RAM": 1, "CLUT.SMALL": 1, "CLUT.INIT": content,
                            "CLUT.DI1MUX.CI": 1, "COUTMUX.O5": 1}, {"C6": ONE})
    simulator = bench.simulator(six=part.output("C"), five=part.output("CMUX"))
    low, high = content & 0xFFFFFFFF, content >> 32
    for _ in range(300):
        read, write = RANDOM.randrange(32), RANDOM.randrange(32)
        first, second, writes = (RANDOM.getrandbits(1) for _ in range(3))
        simulator.set(CI=first, CX=second, WE=writes, **address("C", read, count=5),
                      **address("D", write, count=5))
        assert simulator.get("out_five") == low >> read & 1
        assert simulator.get("out_six") == high >> read & 1
        simulator.clock()
        if writes:
            low = low & ~(1 << write) | first << write
            high = high & ~(1 << write) | second << write


@pytest.mark.parametrize("letter,own,expected", [
    ("A", ["ALUT.DI1MUX.AI"], "AI"), ("A", ["BLUT.DI1MUX.BI"], "BI"), ("A", [], "DI"),
    ("B", [], "DI"), ("C", ["CLUT.DI1MUX.CI"], "CI"), ("C", [], "DI"), ("D", [], "DI")])
def test_whose_data_a_lut_takes(letter, own, expected):
    part, bench = slice_on([f"{letter}LUT.RAM", *own])
    part.output(letter)
    bench.finish()
    assert bench.circuit.lut_rams[0].data == expected


@pytest.mark.parametrize("small", [False, True])
def test_shift_registers(small):
    settings = {"BLUT.SRL": 1, "BLUT.DI1MUX.BI": 1, "WEMUX.CE": 1, "BOUTMUX.O5": 1}
    settings.update({"BLUT.SMALL": 1} if small else {})
    part, bench = slice_on(settings, {"B1": ONE, **({"B6": ONE} if small else {})})
    outputs = {"six": part.output("B"), **({"five": part.output("BMUX")} if small else {})}
    simulator = bench.simulator(**outputs)
    length = 16 if small else 32
    five, six = [0] * length, [0] * length
    for _ in range(300):
        place, enable = RANDOM.randrange(length), RANDOM.getrandbits(1)
        first, second = RANDOM.getrandbits(1), RANDOM.getrandbits(1)
        simulator.set(BI=first, CE=enable, **address("B", place, 2, 4 if small else 5),
                      **({"BX": second} if small else {}))
        assert simulator.get("out_six") == six[place]
        assert not small or simulator.get("out_five") == five[place]
        simulator.clock()
        if enable:
            five = [first, *five[:-1]]
            six = [second if small else first, *six[:-1]]


@pytest.mark.parametrize("settings,ties,what", [
    ({"ALUT.RAM": 1, "WA7USED": 1}, {}, "more than 64 bits"),
    ({"ALUT.RAM": 1, "ALUT.SMALL": 1}, {}, "A6 of two small memories"),
    ({"ALUT.SRL": 1}, {}, "A1 of a shift register"),
    ({"ALUT.SRL": 1, "ALUT.INIT": 3}, {"A1": ONE}, "does not begin with 0"),
    ({"ALUT.SRL": 1}, {"A1": ONE}, "in a row"),
    ({"ALUT.RAM": 1, "AOUTMUX.O5": 1}, {}, "half of A's RAM"),
])
def test_memories_that_are_not_understood(settings, ties, what):
    part, bench = slice_on(settings, ties)
    part.output("AMUX" if "AOUTMUX.O5" in settings else "A")
    with pytest.raises(RecoveryError, match=what):
        bench.finish()
