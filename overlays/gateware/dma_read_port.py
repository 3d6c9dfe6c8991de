"""Reading through one HP port: bursts out, units in, in the order of the bursts."""

from typing import Tuple

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.axi import (
    BEAT_SIZE,
    BUFFERABLE,
    HP_OUTSTANDING,
    HP_READ,
    Burst,
)
from overlays.gateware.config import UNIT, WORD
from overlays.gateware.dma_command import BURST_BITS, BURST_NUMBER_BITS
from pynq_bnn.registers import BURST_BYTES, BURST_WORDS

BURST_UNITS = BURST_BYTES * 8 // UNIT
UNIT_LATENCY = 2
"""Cycles from a unit's second beat on the port to `available`."""
ORDER_BITS = 6
"""Of the count of bursts over all ports: more than twice as many as are on their way."""
FAULT_LATENCY = 2
"""Cycles from a beat with an error to `fault`."""


class DmaReadPort(wiring.Component):
    """Reads bursts of 128 bytes, up to eight at a time, into a FIFO of LUTRAM.

    A burst is asked for only when the FIFO has room for it, so RREADY is always 1.  All bursts have
    ID 0 and come back in order.  `issue` may be pulsed in a cycle in which `can_issue` is 1; the
    next one is possible four cycles later.

    A beat that comes while none is owed is let go by: the port's own buffers may still hold what a
    bitstream before this one had asked for, or what a program that was killed had.

    Parameters
    ----------
    fifo_bursts : int
        Bursts that the FIFO holds, a power of two.

    Attributes
    ----------
    axi : Out(HP_READ)
    can_issue, issue, burst, order : Out(1), In(1), In(25), In(ORDER_BITS)
        Ask for the burst at 128 * `burst`; `order` counts those of all ports.
    available, take, unit : Out(1), In(1), Out(128)
        The FIFO holds a unit; take it; in the next cycle it is in the memory's register.
    idle : Out(1)
        A register: all that was asked for had arrived a cycle before.
    empty : Out(1)
        A register: and all of it had been taken.
    clear : In(1)
        Forget what the FIFO holds, and `fault`; only while `idle` and without `take`.
    fault, fault_order, fault_address : Out(1), Out(ORDER_BITS), Out(32)
        Of the first beat with an error since `clear`: `order` of its burst, and the address of its
        64-bit word.
    """

    axi: Out(HP_READ)
    can_issue: Out(1)
    issue: In(1)
    burst: In(BURST_NUMBER_BITS)
    order: In(ORDER_BITS)
    available: Out(1)
    take: In(1)
    unit: Out(UNIT)
    idle: Out(1, init=1)
    empty: Out(1, init=1)
    clear: In(1)
    fault: Out(1)
    fault_order: Out(ORDER_BITS)
    fault_address: Out(32)

    def __init__(self, fifo_bursts: int) -> None:
        if fifo_bursts < 2 or fifo_bursts & (fifo_bursts - 1):
            raise ValueError(f"a FIFO of {fifo_bursts} bursts: take a power of two, 2 or more")
        self.fifo_bursts = fifo_bursts
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = Signal(BURST_WORDS.bit_length() - 1)
        arrived, last = Signal(), Signal()
        data, failed = Signal(WORD, reset_less=True), Signal()
        outstanding, coming = Signal(range(HP_OUTSTANDING + 1)), Signal()
        m.d.comb += coming.eq(self.axi.rvalid & (outstanding != 0))
        m.d.sync += [arrived.eq(coming), last.eq(coming & self.axi.rlast),
                     data.eq(self.axi.rdata), failed.eq(coming & self.axi.rresp[1]),
                     beat.eq(beat + arrived)]
        freed = self._fifo(m, arrived, beat[0], data)
        self._requests(m, outstanding, last, freed)
        self._faults(m, beat, last, failed)
        return m

    def _requests(self, m: Module, outstanding: Signal, last: Signal, freed: Signal) -> None:
        """The address channel, and how many bursts are and may be on their way."""
        axi = self.axi
        free = Signal(range(self.fifo_bursts + 1), init=self.fifo_bursts)
        burst = Signal(BURST_NUMBER_BITS, reset_less=True)
        quiet = (outstanding == 0) & ~self.issue
        m.d.comb += [
            axi.rready.eq(1),
            axi.araddr.eq(burst << BURST_BITS), axi.arlen.eq(BURST_WORDS - 1),
            axi.arsize.eq(BEAT_SIZE), axi.arburst.eq(Burst.INCR), axi.arcache.eq(BUFFERABLE),
        ]
        m.d.sync += [
            outstanding.eq(outstanding + self.issue - last),
            self.can_issue.eq(~self.issue & ~axi.arvalid & (free != 0)
                              & (outstanding != HP_OUTSTANDING)),
            self.idle.eq(quiet), self.empty.eq(quiet & ~self.available),
        ]
        with m.If(self.clear):
            m.d.sync += free.eq(self.fifo_bursts)
        with m.Else():
            m.d.sync += free.eq(free + freed - self.issue)
        with m.If(self.issue):
            m.d.sync += [axi.arvalid.eq(1), burst.eq(self.burst)]
        with m.Elif(axi.arready):
            m.d.sync += axi.arvalid.eq(0)

    def _fifo(self, m: Module, arrived: Signal, odd: Signal, data: Signal) -> Signal:
        """The FIFO; returns the pulse that frees a burst's room."""
        depth = self.fifo_bursts * BURST_UNITS
        fifo = m.submodules.fifo = memory.Memory(shape=UNIT, depth=depth, init=[],
                                                 attrs={"ram_style": "distributed"})
        write, read = fifo.write_port(granularity=WORD), fifo.read_port()
        head, tail = Signal(range(depth)), Signal(range(depth))
        complete, freed = Signal(), Signal()
        level, available = count(m, "level", depth, complete, self.take)
        m.d.comb += [
            write.addr.eq(tail), write.data.eq(data.replicate(UNIT // WORD)),
            write.en.eq(Cat(arrived & ~odd, arrived & odd)), complete.eq(arrived & odd),
            read.addr.eq(head), self.unit.eq(read.data), self.available.eq(available),
        ]
        # head and tail need no clearing: bursts arrive whole
        m.d.sync += [tail.eq(tail + complete), head.eq(head + self.take),
                     freed.eq(self.take & head[:3].all())]
        with m.If(self.clear):
            m.d.sync += [level.eq(0), available.eq(0), head.eq(tail)]
        return freed

    def _faults(self, m: Module, beat: Signal, last: Signal, failed: Signal) -> None:
        """Remember where each burst on its way began, to tell the address of a failing word."""
        sent = m.submodules.sent = memory.Memory(shape=BURST_NUMBER_BITS + ORDER_BITS,
                                                 depth=HP_OUTSTANDING, init=[])
        write, read = sent.write_port(), sent.read_port(domain="comb")
        issued, received = Signal(range(HP_OUTSTANDING)), Signal(range(HP_OUTSTANDING))
        m.d.comb += [write.addr.eq(issued), write.data.eq(Cat(self.burst, self.order)),
                     write.en.eq(self.issue), read.addr.eq(received)]
        with m.If(failed & ~self.fault):
            m.d.sync += [
                self.fault.eq(1), self.fault_order.eq(read.data[BURST_NUMBER_BITS:]),
                self.fault_address.eq(Cat(Const(0, BURST_BITS - len(beat)), beat,
                                          read.data[:BURST_NUMBER_BITS])),
            ]
        with m.If(self.clear):
            m.d.sync += [issued.eq(0), received.eq(0), self.fault.eq(0)]
        with m.Else():
            m.d.sync += [issued.eq(issued + self.issue), received.eq(received + last)]


def count(m: Module, name: str, most: int, up: Value, down: Value,
          init: int = 0) -> Tuple[Signal, Signal]:
    """A count up to `most`, and beside it, in a register, whether it is not 0."""
    value, some = Signal(range(most + 1), name=name, init=init), Signal(
        name=f"some_{name}", init=init != 0)
    m.d.sync += [value.eq(value + up - down),
                 some.eq(up | (value[1:] != 0) | value[0] & ~down)]
    return value, some
