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
    count : mismatches, LATENCY cycles after `row`
    """

    write: In(1)
    write_place: In(range(CHUNKS))
    weights: In(WORD)
    place: In(range(CHUNKS))
    row: In(WORD)
    count: Out(7)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Copies of the addresses for these 44 lookup tables of RAM alone.
        enable, address, place = Signal(attrs={"keep": 1}), *(
            Signal(range(CHUNKS), name=name, reset_less=True, attrs={"keep": 1})
            for name in ("write_address", "read_address"))
        m.d.sync += [enable.eq(self.write), address.eq(self.write_place), place.eq(self.place)]
        m.submodules.ram = ram = memory.Memory(shape=WORD, depth=CHUNKS, init=[],
                                               attrs={"ram_style": "distributed"})
        write, read = ram.write_port(), ram.read_port(domain="comb")
        m.d.comb += [write.en.eq(enable), write.addr.eq(address), write.data.eq(self.weights),
                     read.addr.eq(place)]

        differ = list(self.row ^ read.data)
        counts = [_full_adder(*differ[i:i + 3]) for i in range(0, WORD - 1, 3)]
        ones = _register(m, "ones", Cat(*(low for low, _ in counts), differ[-1]))
        twos = _register(m, "twos", Cat(high for _, high in counts))
        sixths = [(_register(m, f"ones{i}", _count6(list(ones[i:i + 6]))),
                   _register(m, f"twos{i}", _count6(list(twos[i:i + 6]))))
                  for i in range(0, len(ones), 6)]
        sums = [_register(m, f"sum{i}", low + (high << 1))
                for i, (low, high) in enumerate(sixths)]
        pairs = [_register(m, f"pair{i}", sums[i] + sums[i + 1]) for i in (0, 2)]
        m.d.sync += self.count.eq(pairs[0] + pairs[1])
        return m


def _register(m: Module, name: str, value: Value) -> Signal:
    register = Signal(len(value), name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register


def _full_adder(a: Value, b: Value, c: Value) -> Tuple[Value, Value]:
    return a ^ b ^ c, Mux(a ^ b, c, a)


def _count6(bits: List[Value]) -> Value:
    """How many of up to six bits are 1: three functions of six inputs, a lookup table each."""
    a, b, c, d, e, f = bits + [0] * (6 - len(bits))
    low1, high1 = _full_adder(a, b, c)
    low2, high2 = _full_adder(d, e, f)
    carry = low1 & low2
    return Cat(low1 ^ low2, *_full_adder(high1, high2, carry))
