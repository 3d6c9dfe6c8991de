"""Each primitive against what UG953 says of it, written down once more in Python."""

import random

import pytest

from tests.overlays.simulation.cells import one_cell

RANDOM = random.Random(953)


def bits(value, width):
    return [value >> place & 1 for place in range(width)]


@pytest.mark.parametrize("inputs", range(1, 7))
def test_lut(inputs):
    for _ in range(3):
        init = RANDOM.getrandbits(1 << inputs)
        lut = one_cell(f"LUT{inputs}", {"INIT": (init, 1 << inputs)},
                       {f"I{place}": 1 for place in range(inputs)}, {"O": 1})
        for value in range(1 << inputs):
            lut.set(**{f"I{place}": bit for place, bit in enumerate(bits(value, inputs))})
            assert lut.get("O") == init >> value & 1


def test_inverter():
    inverter = one_cell("INV", {}, {"I": 1}, {"O": 1})
    assert inverter.get("O") == 1
    inverter.set(I=1)
    assert inverter.get("O") == 0


@pytest.mark.parametrize("kind", ["MUXF7", "MUXF8"])
def test_mux(kind):
    mux = one_cell(kind, {}, {"I0": 1, "I1": 1, "S": 1}, {"O": 1})
    for value in range(8):
        low, high, select = bits(value, 3)
        mux.set(I0=low, I1=high, S=select)
        assert mux.get("O") == (high if select else low)


@pytest.mark.parametrize("carry", ["CI", "CYINIT"])
def test_carry4(carry):
    cell = one_cell("CARRY4", {}, {carry: 1, "DI": 4, "S": 4}, {"O": 4, "CO": 4})
    for value in range(512):
        first, data, select = value & 1, value >> 1 & 15, value >> 5
        cell.set(**{carry: first, "DI": data, "S": select})
        carries = [first]
        for place in range(4):
            carries.append(carries[-1] if select >> place & 1 else data >> place & 1)
        assert bits(cell.get("CO"), 4) == carries[1:]
        assert bits(cell.get("O"), 4) == [select >> place & 1 ^ carries[place]
                                          for place in range(4)]


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("kind,pin", [("FDRE", "R"), ("FDSE", "S")])
def test_flip_flop(kind, pin, start):
    cell = one_cell(kind, {"INIT": (start, 1)}, {"D": 1, "CE": 1, pin: 1}, {"Q": 1}, "C")
    assert cell.get("Q") == start
    expected = start
    for _ in range(200):
        data, enable, reset = (RANDOM.getrandbits(1) for _ in range(3))
        cell.set(**{"D": data, "CE": enable, pin: reset})
        assert cell.get("Q") == expected
        cell.clock()
        expected = int(kind == "FDSE") if reset else data if enable else expected
        assert cell.get("Q") == expected


@pytest.mark.parametrize("kind,address_bits,width", [("RAM32M", 5, 2), ("RAM64M", 6, 1)])
def test_four_lut_rams(kind, address_bits, width):
    contents = {letter: RANDOM.getrandbits(64) for letter in "ABCD"}
    cell = one_cell(kind, {f"INIT_{letter}": (content, 64) for letter, content in contents.items()},
                    {"WE": 1, **{f"ADDR{letter}": address_bits for letter in "ABCD"},
                     **{f"DI{letter}": width for letter in "ABCD"}},
                    {f"DO{letter}": width for letter in "ABCD"}, "WCLK")
    mask = (1 << width) - 1
    for _ in range(500):
        address = {letter: RANDOM.randrange(1 << address_bits) for letter in "ABCD"}
        data = {letter: RANDOM.randrange(1 << width) for letter in "ABCD"}
        enable = RANDOM.getrandbits(1)
        cell.set(WE=enable, **{f"ADDR{letter}": at for letter, at in address.items()},
                 **{f"DI{letter}": value for letter, value in data.items()})
        for letter in "ABCD":
            assert cell.get(f"DO{letter}") == contents[letter] >> width * address[letter] & mask
        cell.clock()
        if enable:
            place = width * address["D"]
            for letter in "ABCD":
                contents[letter] &= ~(mask << place)
                contents[letter] |= data[letter] << place


@pytest.mark.parametrize("kind,address_bits", [("RAM32X1D", 5), ("RAM64X1D", 6)])
def test_dual_port_lut_ram(kind, address_bits):
    content = RANDOM.getrandbits(1 << address_bits)
    cell = one_cell(kind, {"INIT": (content, 1 << address_bits)},
                    {"WE": 1, "D": 1, **{f"A{place}": 1 for place in range(address_bits)},
                     **{f"DPRA{place}": 1 for place in range(address_bits)}},
                    {"SPO": 1, "DPO": 1}, "WCLK")
    for _ in range(300):
        write, read = (RANDOM.randrange(1 << address_bits) for _ in range(2))
        enable, data = RANDOM.getrandbits(1), RANDOM.getrandbits(1)
        cell.set(WE=enable, D=data,
                 **{f"A{place}": bit for place, bit in enumerate(bits(write, address_bits))},
                 **{f"DPRA{place}": bit for place, bit in enumerate(bits(read, address_bits))})
        assert cell.get("SPO") == content >> write & 1
        assert cell.get("DPO") == content >> read & 1
        cell.clock()
        if enable:
            content = content & ~(1 << write) | data << write


def test_srl16e():
    content = 0xBEEF
    cell = one_cell("SRL16E", {"INIT": (content, 16)},
                    {"D": 1, "CE": 1, **{f"A{place}": 1 for place in range(4)}}, {"Q": 1}, "CLK")
    for _ in range(300):
        address, data, enable = (RANDOM.randrange(16), RANDOM.getrandbits(1),
                                 RANDOM.getrandbits(1))
        cell.set(D=data, CE=enable,
                 **{f"A{place}": bit for place, bit in enumerate(bits(address, 4))})
        assert cell.get("Q") == content >> address & 1
        cell.clock()
        if enable:
            content = (content << 1 | data) & 0xFFFF


def test_srlc32e():
    content = 0xDEADBEEF
    cell = one_cell("SRLC32E", {"INIT": (content, 32)}, {"D": 1, "CE": 1, "A": 5},
                    {"Q": 1, "Q31": 1}, "CLK")
    for _ in range(300):
        address, data, enable = (RANDOM.randrange(32), RANDOM.getrandbits(1),
                                 RANDOM.getrandbits(1))
        cell.set(D=data, CE=enable, A=address)
        assert cell.get("Q") == content >> address & 1
        assert cell.get("Q31") == content >> 31
        cell.clock()
        if enable:
            content = (content << 1 | data) & 0xFFFFFFFF
