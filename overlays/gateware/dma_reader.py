"""Reading DRAM: commands in, units out in the order of memory, over one or two HP ports."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.axi import HP_READ
from overlays.gateware.config import UNIT
from overlays.gateware.dma_command import BURST_BITS, BURST_NUMBER_BITS, DmaCommand
from overlays.gateware.dma_read_port import BURST_UNITS, DmaReadPort
from overlays.gateware.interfaces import Units

COMMAND_LATENCY = 2
"""Cycles from a command, taken by an idle reader, to its first ARVALID; the second port's comes a
cycle later."""
SLICE = 32
"""Bits of a unit that share a copy of the choice of port."""


class DmaReader(wiring.Component):
    """Bursts take turns over the ports, across commands, so the ports share the work evenly.

    With memory that gives 8 bytes a cycle on each of two ports a unit leaves in every cycle; the
    first one COMMAND_LATENCY + memory's latency + 1 + UNIT_LATENCY cycles after the command.
    Commands follow each other without a gap.  A command of no bursts does nothing.

    At an error (SLVERR, DECERR) or `reset` the reader offers nothing more (a unit that was offered
    is withdrawn), asks for nothing more, and lets what is on its way arrive.  After an error it
    then sets `error` and stays so until `reset`; after a reset it is as new.  `reset` may come at
    any time.  A unit with a failing word, or one behind it, never leaves.

    Cost with two ports: 415 LUT, 715 FF, 4 BRAM36; with one: 160 LUT, 400 FF, 2 BRAM36.

    Parameters
    ----------
    ports : int
        HP ports, 1 or 2.
    fifo_bursts : int
        Bursts that each port's FIFO holds, a power of two; 64 still cost the same block RAM.

    Attributes
    ----------
    axi0, axi1 : Out(HP_READ)
    commands : In(stream.Signature(DmaCommand))
    units : Out(Units)
    busy : Out(1)
        A command is taken and not all of its units are, or bursts are on their way after an error
        or reset.
    error, error_address : Out(1), Out(32)
        The first failing 64-bit word in the order of the commands.
    reset : In(1)
        Pulse.
    """

    def __init__(self, ports: int = 2, fifo_bursts: int = 32) -> None:
        if ports not in (1, 2):
            raise ValueError(f"{ports} HP ports: the reader has 1 or 2")
        self.ports = ports
        self.fifo_bursts = fifo_bursts
        super().__init__({
            "commands": In(stream.Signature(DmaCommand)), "units": Out(Units),
            "busy": Out(1), "error": Out(1), "error_address": Out(32), "reset": In(1),
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
        m.d.comb += [port.stop.eq(draining) for port in ports]
        m.d.comb += [port.clear.eq(clear) for port in ports]
        active = self._issue(m, ports, draining, clear)
        self._collect(m, ports, clear)
        self._drain(m, ports, draining, clear)
        empty = Cat(port.empty for port in ports).all()
        m.d.comb += self.busy.eq(Mux(draining, ~self.error, active | ~empty))
        return m

    def _issue(self, m: Module, ports: list, draining: Signal, clear: Signal) -> Signal:
        """Split commands into bursts; returns whether some are still to be asked for."""
        active, turn = Signal(), Signal(range(max(len(ports), 2)))
        burst, left = Signal(BURST_NUMBER_BITS), Signal(BURST_NUMBER_BITS)
        command = self.commands
        go, last = Signal(), Signal()
        m.d.comb += [
            command.ready.eq(~active & ~draining),
            go.eq(active & ~draining & Array(port.can_issue for port in ports)[turn]),
        ]
        for n, port in enumerate(ports):
            m.d.comb += [port.burst.eq(burst), port.issue.eq(go & (turn == n))]
        with m.If(command.valid & command.ready):
            m.d.sync += [burst.eq(command.payload.address >> BURST_BITS),
                         left.eq(command.payload.bursts),
                         last.eq(command.payload.bursts == 1),
                         active.eq(command.payload.bursts != 0)]
        with m.Elif(go):
            m.d.sync += [burst.eq(burst + 1), left.eq(left - 1), last.eq(left == 2),
                         active.eq(~last), turn.eq(_after(turn, ports))]
        with m.If(clear):
            m.d.sync += [active.eq(0), turn.eq(0)]
        return active

    def _collect(self, m: Module, ports: list, clear: Signal) -> None:
        """Take a burst's units from each port in turn."""
        # the choice among 128 bits, from one copy of `turn` for each 32 of them
        turns = [Signal(range(max(len(ports), 2)), name=f"turn{n}", attrs={"keep": True})
                 for n in range(UNIT // SLICE)]
        turn = turns[0]
        count = Signal(range(BURST_UNITS))
        m.d.comb += self.units.valid.eq(Array(port.units.valid for port in ports)[turn])
        for n, copy in enumerate(turns):
            m.d.comb += self.units.payload.word_select(n, SLICE).eq(Array(
                port.units.payload.word_select(n, SLICE) for port in ports)[copy])
        for n, port in enumerate(ports):
            m.d.comb += port.units.ready.eq(self.units.ready & (turn == n))
        with m.If(clear):
            m.d.sync += [count.eq(0), *(copy.eq(0) for copy in turns)]
        with m.Elif(self.units.valid & self.units.ready):
            m.d.sync += count.eq(count + 1)
            with m.If(count.all()):
                m.d.sync += [copy.eq(_after(copy, ports)) for copy in turns]

    def _drain(self, m: Module, ports: list, draining: Signal, clear: Signal) -> None:
        """Stop at an error or reset; of several errors keep the first in order."""
        resetting, failed = Signal(), Signal()
        first = Signal(7)
        # a burst's place in the order of all; few are on their way, so differences stay small
        places = [Cat(n, port.fault_bursts) if len(ports) == 2 else port.fault_bursts
                  for n, port in enumerate(ports)]
        with m.If(self.reset):
            m.d.sync += [draining.eq(1), resetting.eq(1), self.error.eq(0)]
        for port, place in zip(ports, places):
            earlier = (place - first)[:len(place)][-1]
            with m.If(port.fault & ~self.error & (~failed | earlier)):
                m.d.sync += [draining.eq(1), failed.eq(1), first.eq(place),
                             self.error_address.eq(port.fault_address)]
        # two faults in one cycle: the later assignment must not hide the earlier burst
        if len(ports) == 2:
            both = ports[0].fault & ports[1].fault & ~self.error
            sooner = (places[0] - places[1])[6]
            with m.If(both & sooner & (~failed | (places[0] - first)[6])):
                m.d.sync += [first.eq(places[0]), self.error_address.eq(ports[0].fault_address)]
        # a port is idle no sooner than the fault of its last beat shows, so nothing can follow
        with m.If(draining & Cat(port.idle for port in ports).all()):
            with m.If(resetting):
                m.d.comb += clear.eq(1)
                m.d.sync += [draining.eq(0), resetting.eq(0), failed.eq(0)]
            with m.Elif(~self.reset):
                m.d.sync += self.error.eq(1)


def _after(turn: Signal, ports: list) -> object:
    return Mux(turn == len(ports) - 1, 0, turn + 1)
