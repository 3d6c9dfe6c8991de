"""64 of the fully connected stage's 512 lanes: their weights, and how many of them differ."""

from typing import List, Tuple

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import WORD

CHUNKS = 32
"""Chunks of weights that a lane keeps: the depth that LUTRAM has at no extra cost."""
LATENCY = 5
"""Cycles from a row's word to its count."""


class FcLanes(wiring.Component):
    """Mismatches of a word of a map's row and the weights at a place.

    A new word every cycle; one lookup table or one short carry chain between registers.

    Cost: 150 LUT and 44 RAM LUT, 230 FF.

    Ports
    -----
    write, write_place : a word of weights comes in the next cycle, and goes there
    weights : the word
    place : which weights the row of the next cycle meets
    row : a word of a row
    owned : the word belongs to the map, LATENCY - 2 cycles after `row`
    count : mismatches, 0 in a word that doesn't; LATENCY cycles after `row`
    """

    write: In(1)
    write_place: In(range(CHUNKS))
    weights: In(WORD)
    place: In(range(CHUNKS))
    row: In(WORD)
    owned: In(1)
    count: Out(7)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Copies of the addresses for these 44 lookup tables of RAM alone.
        enable = register(m, "enable", self.write, keep=True)
        address = register(m, "write_address", self.write_place, keep=True)
        place = register(m, "read_address", self.place, keep=True)
        m.submodules.ram = ram = memory.Memory(shape=WORD, depth=CHUNKS, init=[],
                                               attrs={"ram_style": "distributed"})
        write, read = ram.write_port(), ram.read_port(domain="comb")
        m.d.comb += [write.en.eq(enable), write.addr.eq(address), write.data.eq(self.weights),
                     read.addr.eq(place)]

        differ = list(self.row ^ read.data)
        counts = [_full_adder(*differ[i:i + 3]) for i in range(0, WORD - 1, 3)]
        ones = register(m, "ones", Cat(*(low for low, _ in counts), differ[-1]))
        twos = register(m, "twos", Cat(high for _, high in counts))
        sixths = [(register(m, f"ones{i}", _count6(list(ones[i:i + 6]))),
                   register(m, f"twos{i}", _count6(list(twos[i:i + 6]))))
                  for i in range(0, len(ones), 6)]
        sums = [register(m, f"sum{i}", low + (high << 1))
                for i, (low, high) in enumerate(sixths)]
        pairs = [register(m, f"pair{i}", sums[i] + sums[i + 1]) for i in (0, 2)]
        # The flip-flops' reset takes a foreign word's count away.
        foreign = register(m, "foreign", ~self.owned, keep=True)
        m.d.comb += self.count.eq(
            register(m, "counted", Mux(foreign, 0, pairs[0] + pairs[1])))
        return m


def register(m: Module, name: str, value: Value, keep: bool = False) -> Signal:
    """Data a cycle later; kept, it is neither merged with an equal one nor in a shift register."""
    held = Signal(len(value), name=name, reset_less=True, attrs={"keep": 1} if keep else {})
    m.d.sync += held.eq(value)
    return held


def _full_adder(a: Value, b: Value, c: Value) -> Tuple[Value, Value]:
    return a ^ b ^ c, Mux(a ^ b, c, a)


def _count6(bits: List[Value]) -> Value:
    """How many of up to six bits are 1: three functions of six inputs, a lookup table each."""
    a, b, c, d, e, f = bits + [0] * (6 - len(bits))
    low1, high1 = _full_adder(a, b, c)
    low2, high2 = _full_adder(d, e, f)
    carry = low1 & low2
    return Cat(low1 ^ low2, *_full_adder(high1, high2, carry))
