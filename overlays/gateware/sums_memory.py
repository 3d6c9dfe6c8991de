"""The sums of the last layer: 64 int16 for each image, written in twos, read four to a word."""

from amaranth import Array, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import WORD
from overlays.gateware.interfaces import SUM_BITS, SumsWrite
from pynq_bnn.registers import MAX_CLASSES

SUMS_PER_WORD = WORD // SUM_BITS
PAIRS_PER_WORD = SUMS_PER_WORD // 2
READ_LATENCY = 3
"""Cycles from a word's address to its data: a register on either side, as both ways are long."""
BANK = 64
"""Words of a bank: what a LUT RAM holds, so that a write enable needs no logic behind its register.
"""


class SumsMemory(wiring.Component):
    """Image n has MAX_CLASSES / 4 words (one burst) from n times as many.

    Attributes
    ----------
    write : In(SumsWrite)
    address, word : In(16), Out(64)
        A read, READ_LATENCY cycles long.  A word can be read from the cycle after its write on.
    """

    write: In(SumsWrite)
    address: In(16)
    word: Out(WORD)

    def __init__(self, batch: int) -> None:
        self.batch = batch
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words_each = MAX_CLASSES // SUMS_PER_WORD
        words = self.batch * words_each
        to = Signal(range(words))
        place, value = Signal(range(BANK), reset_less=True), Signal(2 * SUM_BITS, reset_less=True)
        address, found = Signal.like(to, reset_less=True), Signal.like(to, reset_less=True)
        m.d.comb += to.eq(self.write.image * words_each + (self.write.pair >> 1))
        m.d.sync += [
            place.eq(to), value.eq(self.write.sums),
            address.eq(self.address), found.eq(address),
        ]
        read_words = []
        for bank in range(-(-words // BANK)):
            sums = memory.Memory(shape=WORD, depth=min(words, BANK), init=[])
            m.submodules[f"bank_{bank}"] = sums
            write, read = sums.write_port(granularity=2 * SUM_BITS), sums.read_port()
            enable = Signal(PAIRS_PER_WORD, name=f"enable_{bank}")
            here = self.write.enable & (to // BANK == bank)
            m.d.sync += enable.eq(here << self.write.pair[0])
            m.d.comb += [
                write.addr.eq(place), write.data.eq(value.replicate(PAIRS_PER_WORD)),
                write.en.eq(enable), read.addr.eq(address),
            ]
            read_words.append(read.data)
        m.d.sync += self.word.eq(Array(read_words)[found // BANK])
        return m
