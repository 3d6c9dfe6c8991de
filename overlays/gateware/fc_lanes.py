"""64 of the fully connected stage's 1,024 lanes: their weights, and how many of them differ."""

from typing import List, Tuple

from amaranth import Cat, Module, Mux, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import WORD
from overlays.gateware.pipeline import register

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
        enable = register(m, self.write, "enable", keep=True)
        address = register(m, self.write_place, "write_address", keep=True)
        place = register(m, self.place, "read_address", keep=True)
        m.submodules.ram = ram = memory.Memory(shape=WORD, depth=CHUNKS, init=[],
                                               attrs={"ram_style": "distributed"})
        write, read = ram.write_port(), ram.read_port(domain="comb")
        m.d.comb += [write.en.eq(enable), write.addr.eq(address), write.data.eq(self.weights),
                     read.addr.eq(place)]

        differ = list(self.row ^ read.data)
        counts = [_full_adder(*differ[i:i + 3]) for i in range(0, WORD - 1, 3)]
        ones = register(m, Cat(*(low for low, _ in counts), differ[-1]), "ones")
        twos = register(m, Cat(high for _, high in counts), "twos")
        sixths = [(register(m, _count6(list(ones[i:i + 6])), f"ones{i}"),
                   register(m, _count6(list(twos[i:i + 6])), f"twos{i}"))
                  for i in range(0, len(ones), 6)]
        sums = [register(m, low + (high << 1), f"sum{i}")
                for i, (low, high) in enumerate(sixths)]
        pairs = [register(m, sums[i] + sums[i + 1], f"pair{i}") for i in (0, 2)]
        # The flip-flops' reset takes a foreign word's count away.
        foreign = register(m, ~self.owned, "foreign", keep=True)
        m.d.comb += self.count.eq(
            register(m, Mux(foreign, 0, pairs[0] + pairs[1]), "counted"))
        return m


def _full_adder(a: Value, b: Value, c: Value) -> Tuple[Value, Value]:
    """Of single bits; the reducer's is of vectors, for which Mux would ask whether any bit is 1."""
    return a ^ b ^ c, Mux(a ^ b, c, a)


def _count6(bits: List[Value]) -> Value:
    """How many of up to six bits are 1: three functions of six inputs, a lookup table each."""
    a, b, c, d, e, f = bits + [0] * (6 - len(bits))
    low1, high1 = _full_adder(a, b, c)
    low2, high2 = _full_adder(d, e, f)
    carry = low1 & low2
    return Cat(low1 ^ low2, *_full_adder(high1, high2, carry))
