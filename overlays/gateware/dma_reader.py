"""Reading DRAM: commands in, units out in the order of memory, over one, two or four HP ports."""

from typing import List, NamedTuple

from amaranth import Array, Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.axi import HP_READ
from overlays.gateware.config import UNIT
from overlays.gateware.dma_command import BURST_BITS, BURST_NUMBER_BITS, DmaCommand
from overlays.gateware.dma_read_port import (
    BURST_UNITS,
    ORDER_BITS,
    UNIT_LATENCY,
    DmaReadPort,
    count,
)
from overlays.gateware.interfaces import Units
from overlays.gateware.pipeline import KEEP, moved, register

COMMAND_LATENCY = 3
"""Cycles from a command, taken by an idle reader, to its first ARVALID; each next port's comes two
cycles later."""
BEAT_LATENCY = UNIT_LATENCY + 3
"""Cycles from a unit's second beat on a port to the unit at `units`, when none is before it: the
port, the block RAM and the queue's LATENCY."""
BUSY_LATENCY = 3
"""Cycles from the last unit's leaving to the fall of `busy`."""
DRAIN_CYCLES = 3
"""After so many cycles nothing that was begun before an error or reset is between two registers."""
SLICE = 32
"""Bits of a unit that share a copy of the choice of port."""
QUEUE_DEPTH = 16
QUEUE_SLICE = 36
"""Bits of the queue that share LUTRAM and its addresses: six RAM32M of six bits."""


class DmaReader(wiring.Component):
    """Bursts take turns over the ports, across commands, so the ports share the work evenly.

    With memory that gives 8 bytes a cycle on each of two ports a unit leaves in every cycle; the
    first one COMMAND_LATENCY + memory's latency + 1 + BEAT_LATENCY cycles after the command.
    Commands follow each other without a gap.  A command of no bursts does nothing.

    Two ports make one stream of units.  With four there are two, side by side: the bursts of
    commands that are `split` go to both by turns, across such commands, those of others to the
    first alone.

    At an error (SLVERR, DECERR) or `reset` the reader offers nothing more (a unit that was offered
    is withdrawn), asks for nothing more, and lets what is on its way arrive.  After an error it
    then sets `error` and stays so until `reset`; after a reset it is as new.  `reset` may come at
    any time.  A unit with a failing word, or one behind it, never leaves.

    Cost with two ports: 840 LUT as RAM, 704 of them the ports' FIFOs.

    Parameters
    ----------
    ports : int
        HP ports: 1, 2 or 4.
    fifo_bursts : int
        Bursts that each port's FIFO holds, a power of two: twice what may be on their way.

    Attributes
    ----------
    axi0, axi1, ... : Out(HP_READ)
    commands : In(stream.Signature(DmaCommand))
    split : In(1)
        With a command and until `busy` falls.
    units : Out(Units), an array
        Of each stream.  `valid` is one lookup table behind registers, and `ready` moves a few
        addresses.
    busy : Out(1)
        A register.  It rises in the cycle after a command or `reset`, and falls BUSY_LATENCY
        cycles after the last unit left (for a command of no bursts in the second after it), or when
        all is drained after an error or reset; then `error` and `error_address` are right.
    error, error_address : Out(1), Out(32)
        Registers: the first failing 64-bit word in the order of the commands.
    reset : In(1)
        Pulse, or longer.
    draining : Out(1)
        After `reset`: bursts that nobody waits for are still on their way.
    """

    def __init__(self, ports: int = 2, fifo_bursts: int = 16) -> None:
        if ports not in (1, 2, 4):
            raise ValueError(f"{ports} HP ports: the reader has 1, 2 or 4")
        self.ports, self.streams = ports, max(1, ports // 2)
        self.fifo_bursts = fifo_bursts
        super().__init__({
            "commands": In(stream.Signature(DmaCommand)), "split": In(1),
            "units": Out(Units).array(self.streams),
            "busy": Out(1), "error": Out(1), "error_address": Out(32), "reset": In(1),
            "draining": Out(1),
            **{f"axi{n}": Out(HP_READ) for n in range(ports)},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports = []
        for n in range(self.ports):
            port = m.submodules[f"port{n}"] = DmaReadPort(self.fifo_bursts)
            wiring.connect(m, port.axi, wiring.flipped(getattr(self, f"axi{n}")))
            ports.append(port)
        draining, clear = Signal(), Signal()
        stopped = Signal(**KEEP)  # as `draining`: a copy near those who take units
        m.d.comb += [port.clear.eq(clear) for port in ports]
        by_stream = [ports[n::self.streams] for n in range(self.streams)]
        begun = self._issue(m, by_stream, draining, clear)
        waiting = Const(0)
        for number, its_ports in enumerate(by_stream):
            waiting |= self._collect(m, number, its_ports, draining, stopped, clear)
        self._drain(m, ports, draining, stopped, clear)
        command = self.commands
        m.d.sync += self.busy.eq(self.reset | command.valid & command.ready
                                 | Mux(draining, ~self.error, begun | waiting))
        return m

    def _issue(self, m: Module, by_stream: List[List[DmaReadPort]], draining: Signal,
               clear: Signal) -> Value:
        """Split commands into bursts; returns whether some are still to be asked for."""
        ports = [port for its_ports in by_stream for port in its_ports]
        active, order = Signal(), Signal(ORDER_BITS)
        # whose turn it is: of the streams, and of each stream's ports
        stream = Signal(range(max(len(by_stream), 2)))
        chosen = Mux(self.split, stream, 0)
        turns = [Signal(range(max(len(its_ports), 2)), name=f"turn{number}")
                 for number, its_ports in enumerate(by_stream)]
        its_turn = [(chosen == number) & (turns[number] == n)
                    for number, its_ports in enumerate(by_stream) for n in range(len(its_ports))]
        burst, left = Signal(BURST_NUMBER_BITS), Signal(BURST_NUMBER_BITS)
        # right two cycles after those above: bursts are at least two cycles apart
        next_burst, next_left, last = Signal.like(burst), Signal.like(left), Signal()
        command = self.commands
        go = Signal()
        issues = Cat(port.issue for port in ports)
        m.d.comb += [
            command.ready.eq(~active & ~draining),
            go.eq(active & ~draining & ~issues.any()
                  & Cat(port.can_issue & turn for port, turn in zip(ports, its_turn)).any()),
        ]
        m.d.sync += [next_burst.eq(burst + 1), next_left.eq(left - 1), last.eq(left == 1)]
        for n, (port, turn) in enumerate(zip(ports, its_turn)):
            issue = Signal(name=f"issue{n}")
            m.d.comb += [port.burst.eq(burst), port.order.eq(order), port.issue.eq(issue)]
            m.d.sync += issue.eq(go & turn)
        with m.If(command.valid & command.ready):
            m.d.sync += [burst.eq(command.payload.address >> BURST_BITS),
                         left.eq(command.payload.bursts),
                         active.eq(command.payload.bursts != 0)]
        with m.Elif(issues.any()):
            m.d.sync += [burst.eq(next_burst), left.eq(next_left), active.eq(~last),
                         order.eq(order + 1)]
            for number, (turn, its_ports) in enumerate(zip(turns, by_stream)):
                with m.If(chosen == number):
                    m.d.sync += turn.eq(_after(turn, its_ports))
            if len(by_stream) > 1:
                m.d.sync += stream.eq(Mux(self.split, ~stream, stream))
        with m.If(clear):
            m.d.sync += [active.eq(0), stream.eq(0), *(turn.eq(0) for turn in turns)]
        return active | issues.any()

    def _collect(self, m: Module, number: int, ports: List[DmaReadPort], draining: Signal,
                 stopped: Signal, clear: Signal) -> Value:
        """Take a burst's units from each port in turn; returns whether some are still to leave."""
        queue, units = UnitQueue(), self.units[number]
        m.submodules[f"queue{number}"] = ResetInserter(clear)(queue)
        turn = Signal(range(max(len(ports), 2)), name=f"collect_turn{number}")
        count = Signal(range(BURST_UNITS), name=f"count{number}")
        take, taken = Signal(name=f"take{number}"), Signal(name=f"taken{number}")
        m.d.comb += [
            take.eq(queue.room & ~draining & Array(port.available for port in ports)[turn]),
            queue.reserve.eq(take), queue.push.eq(taken),
            units.valid.eq(queue.r.valid & ~stopped),
            units.payload.eq(queue.r.payload), queue.r.ready.eq(units.ready),
        ]
        m.d.comb += [port.take.eq(take & (turn == n)) for n, port in enumerate(ports)]
        m.d.sync += taken.eq(take)
        # the choice among 128 bits that come out of block RAM, from one copy for each 32 of them
        for n in range(UNIT // SLICE):
            taken_turn = Signal.like(turn, name=f"taken_turn{number}_{n}", **KEEP)
            m.d.sync += taken_turn.eq(turn)
            m.d.comb += queue.data.word_select(n, SLICE).eq(Array(
                port.unit.word_select(n, SLICE) for port in ports)[taken_turn])
        with m.If(clear):
            m.d.sync += [count.eq(0), turn.eq(0)]
        with m.Elif(take):
            m.d.sync += count.eq(count + 1)
            with m.If(count.all()):
                m.d.sync += turn.eq(_after(turn, ports))
        return ~queue.empty | ~Cat(port.empty for port in ports).all()

    def _drain(self, m: Module, ports: list, draining: Signal, stopped: Signal,
               clear: Signal) -> None:
        """Stop at an error or reset; of the ports' first errors keep the first in order."""
        resetting, drained = Signal(), Signal()
        settled = Signal(DRAIN_CYCLES)
        m.d.comb += self.draining.eq(resetting)
        faults = [_Fault(port.fault, port.fault_order, port.fault_address) for port in ports]
        idle = Cat(port.idle for port in ports).all()
        while len(faults) > 2:  # two cycles more before the last comparison
            faults = [_first(m, *pair) for pair in zip(faults[::2], faults[1::2])]
            idle = register(m, register(m, idle)) & idle
        later = Signal()
        if len(faults) == 2:
            m.d.sync += later.eq(_is_later(*faults))
        m.d.sync += [
            self.error_address.eq(Mux(later, faults[-1].address, faults[0].address)),
            settled.eq(Cat(draining, settled)),
            # a port is idle no sooner than the fault of its last beat shows, so nothing can follow
            drained.eq(settled.all() & idle),
            clear.eq(drained & resetting & ~clear),
        ]
        with m.If(self.reset):
            m.d.sync += [resetting.eq(1), self.error.eq(0)]
        with m.Elif(drained & ~resetting):
            m.d.sync += self.error.eq(1)
        with m.If(self.reset | Cat(port.fault for port in ports).any()):
            m.d.sync += [draining.eq(1), stopped.eq(1)]
        with m.If(clear):
            m.d.sync += [draining.eq(0), stopped.eq(0), resetting.eq(0), settled.eq(0),
                         drained.eq(0)]


def _after(turn: Signal, ports: list) -> Value:
    return Mux(turn == len(ports) - 1, 0, turn + 1)


class _Fault(NamedTuple):
    """A failing word, if `there` is one, and which burst's it is in the order of all."""

    there: Value
    order: Value
    address: Value


def _is_later(fault: _Fault, other: _Fault) -> Value:
    """Whether the other one is the first; few bursts are on their way, so differences are small."""
    return other.there & (~fault.there | (other.order - fault.order)[ORDER_BITS - 1])


def _first(m: Module, fault: _Fault, other: _Fault) -> _Fault:
    """The first of two in two registers' time."""
    later, there = register(m, _is_later(fault, other)), fault.there | other.there
    return _Fault(register(m, register(m, there)), *(
        register(m, Mux(later, second, first)) for first, second in zip(fault[1:], other[1:])))


class UnitQueue(wiring.Component):
    """Sixteen units that were read ahead; the oldest is offered.

    What leaves is LUTRAM at an address in a register.  So taking a word moves a few addresses; an
    output register would be a wide net of clock enables.  A unit is announced before it comes, so
    that memories with a few cycles to here can be read ahead: `reserve` a place while there is
    `room` and `push` into it in the same cycle or a later one.

    Attributes
    ----------
    room, reserve : Out(1), In(1)
        A place may be reserved; it is.
    push, data : In(1), In(128)
        A unit for a reserved place.  Both meet a register first.
    r : Out(Units)
        A unit is there LATENCY cycles after `push`, when none is before it.
    empty : Out(1)
        A bit of a register: no place is reserved or held; from the second cycle after the last unit
        left.
    """

    LATENCY = 2

    room: Out(1)
    reserve: In(1)
    push: In(1)
    data: In(UNIT)
    r: Out(Units)
    empty: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        r = self.r
        pop, popped, stored = Signal(), Signal(), Signal()
        newest = Signal(range(QUEUE_DEPTH), init=QUEUE_DEPTH - 1)
        oldest = Signal(range(QUEUE_DEPTH), **KEEP)
        m.d.comb += pop.eq(r.valid & r.ready)
        m.d.sync += [
            popped.eq(pop), stored.eq(self.push), newest.eq(newest + stored),
            oldest.eq(moved(oldest, pop)),
            r.valid.eq(stored | r.valid & ~(r.ready & (newest == oldest))),
        ]
        for n, start in enumerate(range(0, UNIT, QUEUE_SLICE)):
            part = slice(start, min(start + QUEUE_SLICE, UNIT))
            bits = part.stop - part.start
            ram = m.submodules[f"ram{n}"] = memory.Memory(
                shape=bits, depth=QUEUE_DEPTH, init=[], attrs={"ram_style": "distributed"})
            write_port, read_port = ram.write_port(), ram.read_port(domain="comb")
            enable = Signal(name=f"enable{n}", **KEEP)
            tail, head = (Signal(range(QUEUE_DEPTH), name=name, **KEEP)
                          for name in (f"tail{n}", f"head{n}"))
            data = Signal(bits, name=f"data{n}", reset_less=True)
            m.d.sync += [data.eq(self.data[part]), enable.eq(self.push), tail.eq(tail + enable),
                         head.eq(moved(head, pop))]
            m.d.comb += [write_port.data.eq(data), write_port.en.eq(enable),
                         write_port.addr.eq(tail), read_port.addr.eq(head),
                         r.payload[part].eq(read_port.data)]
        free, room = count(m, "free", QUEUE_DEPTH, popped, self.reserve, init=QUEUE_DEPTH)
        m.d.comb += [self.room.eq(room), self.empty.eq(free[-1])]
        return m
