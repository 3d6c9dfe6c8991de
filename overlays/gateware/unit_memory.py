"""A memory that DMA fills with units from its start and a stage reads as 64-bit words.

The input buffer and the program memory are two of these.
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import UNIT, WORD

READ_LATENCY = 2
"""Cycles from a word's address to its data: the block RAM, then the choice of the half."""


class UnitMemory(wiring.Component):
    """Memory of `depth` units.

    Attributes
    ----------
    restart : In(1)
        The next unit goes to the start.
    write, unit : In(1), In(128)
        Append a unit, in a later cycle than `restart`; it can be addressed from the second cycle
        after.  Beyond the end nothing is written.
    address, word : In(16), Out(64)
        A read, READ_LATENCY cycles long.
    """

    restart: In(1)
    write: In(1)
    unit: In(UNIT)
    address: In(16)
    word: Out(WORD)

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # never of LUTs: a program's write enable would have to reach all of them in a cycle
        units = m.submodules.units = memory.Memory(shape=UNIT, depth=self.depth, init=[],
                                                   attrs={"ram_style": "block"})
        write, read = units.write_port(), units.read_port()
        # what comes in has crossed the chip
        restart, arrived = Signal(), Signal()
        unit = Signal(UNIT, reset_less=True)
        place = Signal(range(self.depth + 1))
        m.d.sync += [restart.eq(self.restart), arrived.eq(self.write), unit.eq(self.unit)]
        m.d.comb += [write.addr.eq(place), write.data.eq(unit),
                     write.en.eq(arrived & (place < self.depth)),
                     read.addr.eq(self.address >> 1)]
        with m.If(restart):
            m.d.sync += place.eq(0)
        with m.Elif(write.en):
            m.d.sync += place.eq(place + 1)
        upper = Signal()
        m.d.sync += [upper.eq(self.address[0]),
                     self.word.eq(Mux(upper, read.data[WORD:], read.data[:WORD]))]
        return m
