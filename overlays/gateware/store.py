"""STORE's source side: a map buffer, the sums or the parameter stream as 64-bit words for DMA."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import ROW, UNIT, WORD
from overlays.gateware.interfaces import FMAP_READ_LATENCY, FmapRead, Units, Words
from overlays.gateware.pipeline import OWN
from overlays.gateware.sums_memory import READ_LATENCY as SUMS_READ_LATENCY
from pynq_bnn import registers
from pynq_bnn.registers import BURST_WORDS

WORDS_PER_ROW = ROW // WORD
CHOICE_CYCLES = 2
"""Cycles from a row to a word of it: the choice within both halves, then of one of them."""
WORD_CYCLES = SUMS_READ_LATENCY + CHOICE_CYCLES
"""Cycles from a word's number to the word, if its row stands."""
ROW_CYCLES = FMAP_READ_LATENCY + CHOICE_CYCLES
"""The same for the first word of a row."""
SLICE = 32
"""Bits of a word that share a copy of its number."""


class Store(wiring.Component):
    """Reads a buffer from its start and delivers its words in ascending order.

    What is read stands until its last word is taken, so nothing is held here, and a word takes
    WORD_CYCLES + 1, the first of a row ROW_CYCLES + 1: STORE serves stepped mode and a few sums,
    not speed.

    Cost: 315 LUT, 315 FF.

    Attributes
    ----------
    start : In(1)
        Pulse; `source` (registers.FMAP_A, FMAP_B, SUMS or PARAMS) and `bursts` are taken then.
    read : Out(FmapRead)
        Rows of the buffer that `source` names; the caller routes them.
    sums_address, sums_data : Out(16), In(64)
        The sums memory, SUMS_READ_LATENCY cycles from address to data.
    units : In(Units)
        The parameter stream; taken from only while `source` is PARAMS.  `ready` is a register.
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
        rows, parameters = Signal(), Signal()
        left, last = Signal(16), Signal()   # bursts
        number = Signal(16 + (BURST_WORDS - 1).bit_length())
        wait = Signal(range(ROW_CYCLES + 1))
        m.d.comb += [self.read.address.eq(number // WORDS_PER_ROW), self.sums_address.eq(number)]
        m.d.sync += [last.eq(left == 1), self.units.ready.eq(0)]
        with m.FSM() as fsm:
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [
                    rows.eq((self.source != registers.SUMS) & (self.source != registers.PARAMS)),
                    parameters.eq(self.source == registers.PARAMS),
                    left.eq(self.bursts), number.eq(0), wait.eq(ROW_CYCLES),
                ]
                m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(left == 0):
                    m.next = "IDLE"
                # a unit stands once the one before, just taken, has gone
                with m.Elif(~parameters | self.units.valid & ~self.units.ready):
                    m.d.sync += wait.eq(wait - 1)
                    with m.If(wait == 1):
                        m.next = "SEND"
            with m.State("SEND"), m.If(self.words.ready):
                m.d.sync += [
                    number.eq(number + 1), self.units.ready.eq(parameters & number[0]),
                    wait.eq(Mux(rows & (number % WORDS_PER_ROW == WORDS_PER_ROW - 1),
                                ROW_CYCLES, WORD_CYCLES)),
                ]
                m.next = "WAIT"
                with m.If(number % BURST_WORDS == BURST_WORDS - 1):
                    m.d.sync += left.eq(left - 1)
                    with m.If(last):
                        m.next = "IDLE"
        m.d.comb += [self.busy.eq(~fsm.ongoing("IDLE")),
                     self.words.valid.eq(fsm.ongoing("SEND"))]
        self._choose(m, number, rows, parameters)
        return m

    def _choose(self, m: Module, number: Signal, rows: Signal, parameters: Signal) -> None:
        """The word of this number out of what its source gives, in two steps."""
        half = WORDS_PER_ROW // 2
        for n in range(WORD // SLICE):
            of_row = Signal(range(WORDS_PER_ROW), **OWN)
            of_unit = Signal(range(UNIT // WORD), **OWN)
            is_row, is_unit = Signal(**OWN), Signal(**OWN)
            lower, upper, other = (Signal(SLICE, reset_less=True) for _ in range(3))

            def words(source: Signal, first: int, count: int, n: int = n) -> Array:
                return Array(source.word_select(WORD // SLICE * word + n, SLICE)
                             for word in range(first, first + count))
            m.d.sync += [
                of_row.eq(number), of_unit.eq(number), is_row.eq(rows), is_unit.eq(parameters),
                lower.eq(words(self.read.data, 0, half)[of_row[:2]]),
                upper.eq(words(self.read.data, half, half)[of_row[:2]]),
                other.eq(Mux(is_unit, words(self.units.payload, 0, UNIT // WORD)[of_unit],
                             words(self.sums_data, 0, 1)[0])),
                self.words.payload.word_select(n, SLICE).eq(
                    Mux(is_row, Mux(of_row[2], upper, lower), other)),
            ]
