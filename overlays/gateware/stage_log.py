"""The stage log: an entry for every stage that ended."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from pynq_bnn import registers

ENTRY = [register.name for register in registers.TABLE if register.count > 1]
"""Names of an entry's 32-bit words, in the order of their offsets."""
ENTRY_WORDS = len(ENTRY)
INDEX_BITS = (registers.LOG_ENTRIES - 1).bit_length()
WORD_BITS = (ENTRY_WORDS - 1).bit_length()


class StageLog(wiring.Component):
    """Whole entries in, single words out, one cycle from `address` to `data`.

    An entry from `used` on reads as 0, so setting `used` to 0 empties the log at once.

    Cost: LUTRAM of 32 x 128 bits, 130 LUT, 32 FF.

    Attributes
    ----------
    write, index, entry : In(1), In(5), In(128)
        Store an entry: its first word in the lowest bits.
    used : In(16)
        Entries that hold something.
    address, data : In(7), Out(32)
        Entry (high bits) and word of it.
    """

    write: In(1)
    index: In(INDEX_BITS)
    entry: In(32 * ENTRY_WORDS)
    used: In(16)
    address: In(INDEX_BITS + WORD_BITS)
    data: Out(32)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        log = m.submodules.log = memory.Memory(shape=32 * ENTRY_WORDS,
                                               depth=registers.LOG_ENTRIES, init=[])
        write, read = log.write_port(), log.read_port(domain="comb")
        index = self.address[WORD_BITS:]
        word = Signal(32)
        m.d.comb += [
            write.addr.eq(self.index), write.data.eq(self.entry), write.en.eq(self.write),
            read.addr.eq(index),
            word.eq(read.data.word_select(self.address[:WORD_BITS], 32)),
        ]
        used = self.used[:INDEX_BITS + 1]  # never more than there are entries
        m.d.sync += self.data.eq(Mux(index < used, word, 0))
        return m
