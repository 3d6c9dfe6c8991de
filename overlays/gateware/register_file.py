"""The register file, made from the one table in `pynq_bnn.registers`."""

from typing import Dict

from amaranth import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.register_bus import READ_LATENCY, RegisterBus
from overlays.gateware.register_layout import layout, reset
from pynq_bnn import registers
from pynq_bnn.registers import READ_ONLY, READ_WRITE, TABLE

WRITE_LATENCY = 2
"""Cycles from a write's pulse to the register's new value and its strobe; one more for a write of
the host's in the cycle of a program's."""

SINGLE = [register for register in TABLE if register.count == 1]
LOG_OFFSETS = [offset for offset, register, _ in registers.words() if register.count > 1]
LOG_BASE = min(LOG_OFFSETS)
LOG_ADDRESS_BITS = (len(LOG_OFFSETS) - 1).bit_length()

ProgramWrite = wiring.Signature({
    "write": Out(1),
    "offset": Out(32),
    "value": Out(32),
})
"""A program step: a pulse of `write`.  Where a program may not write, nothing is written."""


class RegisterFile(wiring.Component):
    """Holds the read-write registers, shows the others, tells of writes to CONTROL and STAGE.

    Besides the ports below there is one of 32 bits for each register that the table has once, by
    its name in lower case, with the table's fields (``shape.height``): an input for a read-only
    register, an output for a read-write one and for CONTROL (its last write, valid with
    `control_written`).

    Reads pass a registered tree of 4-to-1 choices, READ_LATENCY cycles long; the log's words come
    from outside.  Offsets that the table lacks read 0, and writes there do nothing.

    Cost: 450 LUT, 790 FF, less where inputs are constant.

    Attributes
    ----------
    bus : In(RegisterBus)
        The host's accesses.
    program : In(ProgramWrite)
        The sequencer's; in the same cycle they go first and the host's follow.
    log_address, log_data : Out(7), In(32)
        The stage log, one cycle from address to data: word n of the repeated registers.
    hold : In(1)
        The host's writes to registers that programs write do nothing (while BUSY).
    hold_stage : In(1)
        The host's write to STAGE leaves it as it was (while BUSY or ERROR).
    clear : In(1)
        All read-write registers return to their resets.
    control_written, stage_written : Out(1)
        Pulse WRITE_LATENCY after the host's write, even a held one.
    stage_value : Out(layout("STAGE"))
        What the host wrote to STAGE, valid with `stage_written`.
    """

    def __init__(self) -> None:
        if sorted(LOG_OFFSETS) != list(range(LOG_BASE, LOG_BASE + 4 * len(LOG_OFFSETS), 4)) or (
                LOG_BASE % (4 << LOG_ADDRESS_BITS)):
            raise ValueError("the table's repeated registers are not one aligned block")
        super().__init__({
            "bus": In(RegisterBus), "program": In(ProgramWrite),
            "log_address": Out(LOG_ADDRESS_BITS), "log_data": In(32),
            "hold": In(1), "hold_stage": In(1), "clear": In(1),
            "control_written": Out(1), "stage_written": Out(1),
            "stage_value": Out(layout("STAGE")),
            **{register.name.lower(): In(layout(register.name))
               if register.access == READ_ONLY
               else Out(layout(register.name), init=reset(register.name))
               for register in SINGLE},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._writes(m)
        self._reads(m)
        return m

    def _writes(self, m: Module) -> None:
        bus, program = self.bus, self.program
        value = Signal(32, reset_less=True)
        late, write = Signal(), Signal()
        # the bus holds its address and data, so the host's write can wait for the program's
        m.d.comb += write.eq((bus.write | late) & ~program.write)
        m.d.sync += late.eq((bus.write | late) & program.write)
        m.d.sync += [
            value.eq(Mux(program.write, program.value, bus.write_data)),
            self.stage_value.eq(value), self.control.eq(value),
        ]
        for register in SINGLE:
            if register.access == READ_ONLY:
                continue
            host, step, enable = (Signal(name=f"{kind}_{register.name.lower()}")
                                  for kind in ("host", "step", "enable"))
            programmable = register.name in registers.PROGRAMMABLE
            m.d.sync += host.eq(write & (bus.address == register.offset))
            if programmable:
                m.d.sync += step.eq(program.write & (program.offset == register.offset))
            withheld = self.hold_stage if register.name == "STAGE" else self.hold & programmable
            m.d.comb += enable.eq(step | host & ~withheld)
            if register.name == "CONTROL":
                m.d.sync += self.control_written.eq(host)
            elif register.name == "STAGE":
                m.d.sync += self.stage_written.eq(host)
            if register.access == READ_WRITE:
                port = Value.cast(getattr(self, register.name.lower()))
                with m.If(self.clear):
                    m.d.sync += port.eq(register.reset)
                with m.Elif(enable):
                    m.d.sync += port.eq(value)

    def _reads(self, m: Module) -> None:
        bus = self.bus
        word = bus.address[2:]
        nodes: Dict[int, object] = {
            register.offset // 4: Value.cast(getattr(self, register.name.lower()))
            for register in SINGLE if register.access in (READ_ONLY, READ_WRITE)}
        levels = 0
        while max(nodes) > 0:
            branches: Dict[int, object] = {}
            for index in sorted({index // 4 for index in nodes}):
                branches[index] = Signal(32, name=f"read_{levels}_{index}", reset_less=True)
                leaves = [nodes.get(4 * index + n, Const(0, 32)) for n in range(4)]
                m.d.sync += branches[index].eq(Array(leaves)[word[2 * levels:2 * levels + 2]])
            nodes, levels = branches, levels + 1
        if levels + 1 != READ_LATENCY:
            raise ValueError(f"the table needs READ_LATENCY {levels + 1}")
        in_log, known = Signal(), Signal()
        m.d.comb += self.log_address.eq(word)
        m.d.sync += [
            in_log.eq(bus.address[2 + LOG_ADDRESS_BITS:] == LOG_BASE >> (2 + LOG_ADDRESS_BITS)),
            known.eq(_is_any(bus.address, [
                register.offset for register in SINGLE
                if register.access in (READ_ONLY, READ_WRITE)])),
            bus.read_data.eq(Mux(in_log, self.log_data, Mux(known, nodes[0], 0))),
        ]


def _is_any(value: object, offsets: list) -> object:
    hits = Const(0, 1)
    for offset in offsets:
        hits |= value == offset
    return hits
