"""The sums of the last layer: 64 int16 for each image, written one by one, read four to a word."""

from amaranth import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import WORD
from overlays.gateware.interfaces import SumsWrite
from pynq_bnn.registers import MAX_CLASSES

SUM_BITS = 16
SUMS_PER_WORD = WORD // SUM_BITS
READ_LATENCY = 3
"""Cycles from a word's address to its data: a register on either side, as both ways are long."""


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
        sums = m.submodules.sums = memory.Memory(shape=WORD, depth=self.batch * words_each,
                                                 init=[])
        write, read = sums.write_port(granularity=SUM_BITS), sums.read_port()
        place, value = Signal.like(write.addr, reset_less=True), Signal(SUM_BITS, reset_less=True)
        enable, address = Signal(SUMS_PER_WORD), Signal.like(read.addr, reset_less=True)
        m.d.sync += [
            place.eq(self.write.image * words_each + (self.write.index >> 2)),
            value.eq(self.write.sum), enable.eq(self.write.enable << self.write.index[:2]),
            address.eq(self.address), self.word.eq(read.data),
        ]
        m.d.comb += [
            write.addr.eq(place), write.data.eq(value.replicate(SUMS_PER_WORD)),
            write.en.eq(enable), read.addr.eq(address),
        ]
        return m
