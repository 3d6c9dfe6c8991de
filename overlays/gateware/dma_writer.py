"""Writing DRAM through one HP port: a command and a stream of words in, bursts out."""

from amaranth import Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.data import View
from amaranth.lib.wiring import In, Out

from overlays.gateware.axi import (
    BEAT_SIZE,
    BUFFERABLE,
    HP_OUTSTANDING,
    HP_WRITE,
    Burst,
)
from overlays.gateware.beat_ring import BeatRing
from overlays.gateware.config import WORD
from overlays.gateware.dma_command import BURST_BITS, BURST_NUMBER_BITS, DmaCommand
from overlays.gateware.interfaces import Words
from overlays.gateware.pipeline import register
from pynq_bnn.registers import BURST_WORDS

COMMAND_LATENCY = 3
"""Cycles from a command to AWVALID."""
QUEUE = 16
"""Words that wait for the bus."""
WORD_LATENCY = 4
"""Cycles from a word that is taken to its WVALID, once its burst is announced."""
DONE_LATENCY = 3
"""Cycles from the last write response to `done`."""


class DmaWriter(wiring.Component):
    """Writes 16 words a burst, a word every other cycle, eight bursts ahead of their responses.

    A command is taken when the one before is done.  All bursts have ID 0.  A burst's data follow
    its address, whether or not that has been accepted.

    At an error (SLVERR, DECERR) or `reset` the writer takes no more words and announces no more
    bursts; the rest of those announced is written with no strobes, which leaves memory as it is.
    When every response has come, it sets `error` and stays so until `reset`, or after a reset is
    as new.  `reset` may come at any time.

    A command's words, and no more, are taken ahead of the bus into a queue of QUEUE words.

    Cost: 200 LUT, 44 LUT as RAM, 430 FF.

    Attributes
    ----------
    axi : Out(HP_WRITE)
    commands : In(stream.Signature(DmaCommand))
        A command of no bursts is done at once.
    words : In(Words)
    busy : Out(1)
        From a command to `done`; after an error or reset until the last response.
    done : Out(1)
        Pulse: every burst has been answered, with OKAY.
    error, error_address : Out(1), Out(32)
        Where the first failing burst began.
    reset : In(1)
        Pulse, or longer.
    draining : Out(1)
        After `reset`: bursts that were announced are still to be written or answered.
    """

    axi: Out(HP_WRITE)
    commands: In(stream.Signature(DmaCommand))
    words: In(Words)
    busy: Out(1)
    done: Out(1)
    error: Out(1)
    error_address: Out(32)
    reset: In(1)
    draining: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        active, draining, resetting, failed = Signal(), Signal(), Signal(), Signal()
        announcing, announced, sent, answered = Signal(), Signal(), Signal(), Signal()
        to_send, to_answer = (Signal(range(HP_OUTSTANDING + 1)) for _ in range(2))
        # counted a cycle late: two announcements are two cycles apart at least
        m.d.sync += [announced.eq(announcing), to_send.eq(to_send + announced - sent),
                     to_answer.eq(to_answer + announced - answered)]
        quiet = (to_answer == 0) & ~announced  # what is answered has been sent

        # registers, as who commands lies far away, and the counters here lie apart
        begins, command = Signal(), Signal(DmaCommand, reset_less=True)
        m.d.sync += [begins.eq(self.commands.valid & self.commands.ready),
                     command.eq(self.commands.payload)]
        left = self._addresses(m, begins, command, active, draining, to_answer, announcing)
        stopping = self._responses(m, begins, command, to_answer, answered, draining, failed)
        wanted = self._wanted(m, begins, command, draining)
        self._data(m, wanted, draining, stopping, to_send, sent)

        m.d.comb += [self.commands.ready.eq(~active & ~begins & ~draining),
                     self.draining.eq(resetting),
                     self.busy.eq(Mux(draining, ~self.error, active | begins))]
        m.d.sync += self.done.eq(0)
        with m.If(begins):
            m.d.sync += active.eq(1)
        with m.Elif(active & (left == 0) & quiet & ~draining):
            m.d.sync += [active.eq(0), self.done.eq(~self.reset)]
        with m.If(self.reset):
            m.d.sync += [draining.eq(1), resetting.eq(1), self.error.eq(0)]
        with m.Elif(draining & quiet):
            m.d.sync += active.eq(0)
            with m.If(resetting):
                m.d.sync += [draining.eq(0), resetting.eq(0), failed.eq(0)]
            with m.Else():
                m.d.sync += self.error.eq(1)
        return m

    def _addresses(self, m: Module, begins: Signal, command: View, active: Signal,
                   draining: Signal, to_answer: Signal, announcing: Signal) -> Signal:
        """The address channel; returns how many bursts are still to be announced."""
        axi = self.axi
        burst, left = Signal(BURST_NUMBER_BITS), Signal(BURST_NUMBER_BITS)
        m.d.comb += [
            axi.awaddr.eq(burst << BURST_BITS), axi.awlen.eq(BURST_WORDS - 1),
            axi.awsize.eq(BEAT_SIZE), axi.awburst.eq(Burst.INCR), axi.awcache.eq(BUFFERABLE),
            announcing.eq(active & (left != 0) & ~draining & ~axi.awvalid
                         & (to_answer != HP_OUTSTANDING)),
        ]
        with m.If(begins):
            m.d.sync += [burst.eq(command.address >> BURST_BITS),
                         left.eq(command.bursts)]
        with m.Elif(announcing):
            m.d.sync += [axi.awvalid.eq(1), left.eq(left - 1)]
        with m.Elif(axi.awvalid & axi.awready):
            m.d.sync += [axi.awvalid.eq(0), burst.eq(burst + 1)]
        return left

    def _wanted(self, m: Module, begins: Signal, command: View, draining: Signal) -> Signal:
        """Whether the command still lacks words."""
        taken = self.words.valid & self.words.ready
        left, word = Signal(BURST_NUMBER_BITS), Signal(range(BURST_WORDS))
        wanted, last = Signal(), Signal()
        with m.If(begins):
            m.d.sync += [left.eq(command.bursts), wanted.eq(command.bursts != 0),
                         last.eq(command.bursts == 1), word.eq(0)]
        with m.Elif(taken):
            m.d.sync += word.eq(word + 1)
            with m.If(word.all()):
                m.d.sync += [left.eq(left - 1), last.eq(left == 2), wanted.eq(~last)]
        with m.If(draining):
            m.d.sync += wanted.eq(0)
        return wanted

    def _data(self, m: Module, wanted: Signal, draining: Signal, stopping: Value, to_send: Signal,
              sent: Signal) -> None:
        """The data channel: words while all is well, beats without strobes to end a burst."""
        axi = self.axi
        queue = fifo.SyncFIFOBuffered(width=WORD, depth=QUEUE)
        m.submodules.queue = ResetInserter(draining)(queue)
        taken = self.words.valid & self.words.ready
        # registers, as who sends words lies far away; just after a word `wanted` is old
        came, word = register(m, taken, "came", reset_less=False), register(
            m, self.words.payload, "word")
        m.d.comb += [queue.w_data.eq(word), queue.w_en.eq(came)]
        m.d.sync += self.words.ready.eq((queue.level < QUEUE - 2) & wanted & ~taken & ~stopping)
        words, ring = queue.r_stream, BeatRing()
        m.submodules.ring = ring
        beat = Signal(range(BURST_WORDS))
        load = Signal()
        m.d.comb += [
            words.ready.eq((to_send != 0) & ring.beats.ready & ~draining),
            ring.beats.valid.eq((to_send != 0) & (draining | words.valid)),
            ring.beats.payload.data.eq(words.payload),
            ring.beats.payload.strobes.eq((~draining).replicate(WORD // 8)),
            ring.beats.payload.last.eq(beat.all()),
            load.eq(ring.beats.valid & ring.beats.ready), sent.eq(load & beat.all()),
            axi.wvalid.eq(ring.valid), axi.wdata.eq(ring.beat.data),
            axi.wstrb.eq(ring.beat.strobes), axi.wlast.eq(ring.beat.last),
            ring.ready.eq(axi.wready),
        ]
        m.d.sync += beat.eq(beat + load)

    def _responses(self, m: Module, begins: Signal, command: View, to_answer: Signal,
                   answered: Signal, draining: Signal, failed: Signal) -> Value:
        """The response channel; responses come in order, so a counter tells whose one is.

        One that nobody owes is let go by, as DmaReadPort does with beats.  Returns whether the
        writer drains from the next cycle on.
        """
        axi = self.axi
        burst = Signal(BURST_NUMBER_BITS)
        error, coming = Signal(), Signal()
        m.d.comb += [axi.bready.eq(1), coming.eq(axi.bvalid & (to_answer != 0))]
        m.d.sync += [answered.eq(coming), error.eq(coming & axi.bresp[1])]
        with m.If(begins):
            m.d.sync += burst.eq(command.address >> BURST_BITS)
        with m.Elif(answered):
            m.d.sync += burst.eq(burst + 1)
        with m.If(error & ~failed):
            m.d.sync += [draining.eq(1), failed.eq(1), self.error_address.eq(burst << BURST_BITS)]
        return draining | self.reset | error & ~failed
