"""Block RAM against what UG473 says of it, word for word in Python."""

import random

import pytest

from overlays.simulation.circuit import CircuitError
from tests.overlays.simulation.cells import CLOCK, Design, one_cell

WIDTHS = {"RAMB18E1": (1, 2, 4, 9, 18), "RAMB36E1": (1, 2, 4, 9, 18, 36)}
MODES = ("WRITE_FIRST", "READ_FIRST", "NO_CHANGE")


def data_width(width):
    return width if width < 9 else width // 9 * 8


class Memory:
    """Data and parity bits by their address; UG473, table 1-9, says how words of widths overlap."""

    def __init__(self, data, parity):
        self.data, self.parity = data, parity

    def word(self, width, address):
        size = data_width(width)
        first = address // size * size
        value = self.data >> first & (1 << size) - 1
        if width >= 9:
            value |= (self.parity >> first // 8 & (1 << width // 9) - 1) << size
        return value

    def write(self, width, address, value, enables):
        size = data_width(width)
        first = address // size * size
        for byte in range(max(1, size // 8)):
            if not enables >> byte & 1:
                continue
            bits = min(8, size)
            place = first + 8 * byte
            mask = (1 << bits) - 1
            self.data = self.data & ~(mask << place) | (value >> 8 * byte & mask) << place
            if width >= 9:
                at = first // 8 + byte
                self.parity = self.parity & ~(1 << at) | (value >> size + byte & 1) << at


def build(kind, widths, modes, data, parity, resets=(0, 0)):
    """The cell's simulator; ports ea, ra, aa, wa, da, qa of A and the same of B."""
    design = Design()
    size = 14 if kind == "RAMB18E1" else 15
    half = 16 if kind == "RAMB18E1" else 32
    parameters = {"RAM_MODE": "TDP", "WRITE_MODE_A": modes[0], "WRITE_MODE_B": modes[1],
                  "DOA_REG": (0, 1), "DOB_REG": (0, 1)}
    for prefix, content, bits in (("INIT_", data, 1 << size), ("INITP_", parity, 1 << size - 3)):
        for number in range(bits // 256):
            parameters[f"{prefix}{number:02X}"] = (content >> 256 * number & (1 << 256) - 1, 256)
    pins = {"CLKARDCLK": [CLOCK], "CLKBWRCLK": [CLOCK]}
    names = {"A": ("ENARDEN", "RSTRAMARSTRAM", "ADDRARDADDR", "WEA"),
             "B": ("ENBWREN", "RSTRAMB", "ADDRBWRADDR", "WEBWE")}
    for letter, (read, write), reset in zip("AB", widths, resets):
        small = letter.lower()
        parameters[f"READ_WIDTH_{letter}"] = (read, 32)
        parameters[f"WRITE_WIDTH_{letter}"] = (write, 32)
        parameters[f"SRVAL_{letter}"] = (reset, 36)
        enable, reset_pin, address, write_pin = names[letter]
        pins[enable], pins[reset_pin] = design.input(f"e{small}"), design.input(f"r{small}")
        pins[address] = design.input(f"a{small}", size) + (["1"] if size == 15 else [])
        lanes = max(1, write // 9)
        enables = design.input(f"w{small}", lanes)
        pins[write_pin] = [enables[place % lanes] for place in range(4)]
        given = design.input(f"d{small}", write)
        pins[f"DI{letter}DI"] = given[:data_width(write)]
        pins[f"DIP{letter}DIP"] = given[data_width(write):]
        out, parity_out = design.nets(half), design.nets(half // 8)
        pins[f"DO{letter}DO"], pins[f"DOP{letter}DOP"] = out, parity_out
        design.output(f"q{small}", out[:data_width(read)] + parity_out[:read // 9])
    design.add(kind, parameters, **pins)
    return design.simulator()


def overlap(first, first_width, second, second_width):
    """Whether two words share a bit."""
    sizes = data_width(first_width), data_width(second_width)
    starts = first // sizes[0] * sizes[0], second // sizes[1] * sizes[1]
    return starts[0] < starts[1] + sizes[1] and starts[1] < starts[0] + sizes[0]


@pytest.mark.parametrize("seed", range(40))
def test_two_ports(seed):
    rng = random.Random(seed)
    kind = rng.choice(list(WIDTHS))
    size = 14 if kind == "RAMB18E1" else 15
    widths = [(rng.choice(WIDTHS[kind]), rng.choice(WIDTHS[kind])) for _ in range(2)]
    modes = [rng.choice(MODES) for _ in range(2)]
    resets = [rng.getrandbits(read) for read, _ in widths]
    memory = Memory(rng.getrandbits(1 << size), rng.getrandbits(1 << size - 3))
    cell = build(kind, widths, modes, memory.data, memory.parity, resets)
    places = [rng.getrandbits(size) for _ in range(3)]  # few, so that the ports meet
    expected = [0, 0]
    seen = {"collision": 0, "write": 0, "reset": 0}
    for _ in range(600):
        asked = [{"e": rng.random() < 0.8, "r": rng.random() < 0.1,
                  "a": rng.choice(places) ^ rng.choice((0, rng.getrandbits(5))),
                  "w": rng.getrandbits(max(1, write // 9)) * rng.getrandbits(1),
                  "d": rng.getrandbits(write)} for _, write in widths]
        writes = [one["e"] and one["w"] for one in asked]
        if all(writes) and overlap(asked[0]["a"], widths[0][1], asked[1]["a"], widths[1][1]):
            asked[1]["w"] = writes[1] = 0  # both would write: nothing is promised, see below
        for letter, one in zip("ab", asked):
            cell.set(**{name + letter: int(value) for name, value in one.items()})
        before = [memory.word(read, one["a"]) for (read, _), one in zip(widths, asked)]
        for (_, write), one in zip(widths, asked):
            if one["e"]:
                memory.write(write, one["a"], one["d"], one["w"])
        for port, ((read, _), one) in enumerate(zip(widths, asked)):
            other = asked[1 - port]
            if not one["e"]:
                continue
            if one["r"]:
                expected[port] = resets[port]
                seen["reset"] += 1
                continue
            if writes[port] and modes[port] == "NO_CHANGE":
                continue
            again = writes[port] and modes[port] == "WRITE_FIRST"
            expected[port] = memory.word(read, one["a"]) if again else before[port]
            if writes[1 - port] and overlap(one["a"], read, other["a"], widths[1 - port][1]):
                seen["collision"] += 1
                if again or modes[1 - port] != "READ_FIRST":
                    expected[port] = None  # not promised
        seen["write"] += sum(map(bool, writes))
        cell.clock()
        for port, letter in enumerate("ab"):
            if expected[port] is None:
                read = widths[port][0]
                wrong = cell.get(f"q{letter}") ^ (1 << read) - 1
                expected[port] = cell.get(f"q{letter}")
                assert wrong in (before[port], memory.word(read, asked[port]["a"])), "not garbage"
            else:
                assert cell.get(f"q{letter}") == expected[port]
    assert all(seen.values()), seen


def test_where_both_ports_write_nothing_is_left():
    cell = build("RAMB18E1", [(18, 18), (18, 18)], ["READ_FIRST"] * 2, 0, 0)
    cell.set(ea=1, eb=1, wa=3, wb=3, da=0x155, db=0x155)
    cell.clock()
    cell.set(wa=0, wb=0)
    cell.clock()
    assert cell.get("qa") == cell.get("qb") != 0x155


def test_what_is_not_simulated():
    with pytest.raises(CircuitError, match="output register"):
        one_cell("RAMB18E1", {"DOA_REG": (1, 1), "READ_WIDTH_A": (18, 32)}, {}, {})
    with pytest.raises(CircuitError, match="widths"):
        one_cell("RAMB18E1", {"READ_WIDTH_A": (36, 32)}, {}, {})


@pytest.mark.parametrize("kind,width", [("RAMB18E1", 36), ("RAMB36E1", 72)])
def test_simple_dual_port(kind, width):
    rng = random.Random(width)
    half, parity_half = width // 9 * 4, width // 18
    cell = one_cell(
        kind, {"RAM_MODE": "SDP", "READ_WIDTH_A": (width, 32), "WRITE_WIDTH_B": (width, 32),
               "WRITE_MODE_A": "READ_FIRST", "WRITE_MODE_B": "READ_FIRST"},
        {"ENARDEN": 1, "ENBWREN": 1, "ADDRARDADDR": 15, "ADDRBWRADDR": 15, "WEBWE": width // 9,
         "DIADI": half, "DIBDI": half, "DIPADIP": parity_half, "DIPBDIP": parity_half},
        {"DOADO": half, "DOBDO": half, "DOPADOP": parity_half, "DOPBDOP": parity_half})
    shift = 5 if width == 36 else 6
    memory = {}
    for _ in range(300):
        read, write = rng.randrange(8), rng.randrange(8)
        enables = rng.getrandbits(width // 9)
        data, parity = rng.getrandbits(2 * half), rng.getrandbits(2 * parity_half)
        cell.set(ENARDEN=1, ENBWREN=1, ADDRARDADDR=read << shift, ADDRBWRADDR=write << shift,
                 WEBWE=enables, DIADI=data & (1 << half) - 1, DIBDI=data >> half,
                 DIPADIP=parity & (1 << parity_half) - 1, DIPBDIP=parity >> parity_half)
        old = [memory.get((read, byte), 0) for byte in range(width // 9)]
        for byte in range(width // 9):
            if enables >> byte & 1:
                memory[write, byte] = data >> 8 * byte & 255 | (parity >> byte & 1) << 8
        cell.clock()
        got = cell.get("DOADO") | cell.get("DOBDO") << half
        got_parity = cell.get("DOPADOP") | cell.get("DOPBDOP") << parity_half
        assert [got >> 8 * byte & 255 | (got_parity >> byte & 1) << 8
                for byte in range(width // 9)] == old
