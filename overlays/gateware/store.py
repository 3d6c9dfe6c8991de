"""STORE's source side: a map buffer, the sums or the parameter stream as 64-bit words for DMA."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import BURST_BYTES, ROW, UNIT, WORD
from overlays.gateware.interfaces import FMAP_READ_LATENCY, FmapRead, Units, Words
from pynq_bnn import registers

WORDS_PER_BURST = BURST_BYTES * 8 // WORD
SUMS_READ_LATENCY = 1


class Store(wiring.Component):
    """Reads a buffer from its start and delivers its words in ascending order.

    A row of 8 words takes 8 cycles and FMAP_READ_LATENCY + 1 to fetch, a unit of parameters 3, a
    word of sums 5: STORE serves stepped mode and a few sums, not speed.

    Attributes
    ----------
    start : In(1)
        Pulse; `source` (registers.FMAP_A, FMAP_B, SUMS or PARAMS) and `bursts` are taken then.
    read : Out(FmapRead)
        Rows of the buffer that `source` names; the caller routes them.
    sums_address, sums_data : Out(16), In(64)
        The sums memory, SUMS_READ_LATENCY cycles from address to data.
    units : In(Units)
        The parameter stream; taken from only while `source` is PARAMS.
    words : Out(Words)
    busy : Out(1)
        From the cycle after start until the last word has been taken.
    """

    start: In(1)
    source: In(4)
    bursts: In(16)
    read: Out(FmapRead)
    sums_address: Out(16)
    sums_data: In(WORD)
    units: In(Units)
    words: Out(Words)
    busy: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source = Signal(4)
        left = Signal(20)
        address = Signal(16)
        held = Signal(ROW, reset_less=True)
        held_words = Signal(range(ROW // WORD + 1))
        wait = Signal(range(FMAP_READ_LATENCY + 1))
        m.d.comb += [
            self.read.address.eq(address),
            self.sums_address.eq(address),
            self.words.payload.eq(held[:WORD]),
            self.busy.eq(left != 0),
            self.words.valid.eq(held_words != 0),
        ]
        with m.If(self.words.valid & self.words.ready):
            m.d.sync += [held.eq(held >> WORD), held_words.eq(held_words - 1), left.eq(left - 1)]
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [source.eq(self.source), left.eq(self.bursts * WORDS_PER_BURST),
                             address.eq(0)]
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += wait.eq(FMAP_READ_LATENCY)
                with m.If(left == 0):
                    m.next = "IDLE"
                with m.Elif((held_words == 0) & (source == registers.PARAMS)):
                    m.d.comb += self.units.ready.eq(1)
                    with m.If(self.units.valid):
                        m.d.sync += [held.eq(self.units.payload), held_words.eq(UNIT // WORD)]
                        m.next = "SEND"
                with m.Elif(held_words == 0):
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 1):
                    m.d.sync += address.eq(address + 1)
                    m.next = "TAKE"
            with m.State("TAKE"):
                with m.If(source == registers.SUMS):
                    # the address has moved on, but its data follow a cycle later
                    m.d.sync += [held.eq(self.sums_data), held_words.eq(1)]
                with m.Else():
                    m.d.sync += [held.eq(self.read.data), held_words.eq(ROW // WORD)]
                m.next = "SEND"
            with m.State("SEND"), m.If((held_words <= 1) & self.words.ready):
                m.next = "FETCH"
        return m
