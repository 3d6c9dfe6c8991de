"""Weights as the contents of LUTs: each is memory, XNOR and full adder at once."""

from typing import Optional

from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import UNIT
from overlays.gateware.pipeline import KEEP, OWN, register

SLOTS = 3
"""Passes whose weights the cells hold."""
NO_SLOT = 3
"""Where nothing is ever written: all cells say 0 there, whatever the window."""
GROUP = 3
"""Lanes of a cell."""
GROUPS = -(-UNIT // GROUP)
SLOT_SINKS = 22
"""Groups that share a register of the slot: with wide nets the router makes detours."""
Contents = data.ArrayLayout(2, GROUPS)
"""For each group of lanes how many of them differ, 0 to 3; lanes past the last one never do."""
Slot = range(NO_SLOT + 1)
CellAddress = data.StructLayout({"x": GROUP, "slot": Slot})


def next_slot(slot: Value) -> Value:
    """The one that is filled and read after it, modulo SLOTS."""
    return Cat(~slot.any(), slot[0])


class WeightCells(wiring.Component):
    """One tap of one reducer: SLOTS times 128 weights, and in which lanes a window differs.

    A tap that doesn't count is read from NO_SLOT: no register has to be cleared for it.

    A cell has 32 entries of two bits.  At address {slot, x} lies how many of its three weights
    differ from the bits x, so that what it reads at the window's bits is the sum of three XORs.
    On the chip a RAM32M is three cells with one write port: its read addresses are independent
    (UG474, table 2-3).  In simulation (no `platform`) a memory stands for them.

    Ports
    -----
    write, address, slot : through registers of their own; `contents` is that of the cycle after
    contents : of all groups for the address's x
    window : 128 lanes
    differ : combinational, of `window` and the `slot` of the cycle before
    """

    write: In(1)
    address: In(CellAddress)
    contents: In(Contents)
    slot: In(Slot)
    window: In(UNIT)
    differ: Out(Contents)

    def elaborate(self, platform: Optional[object]) -> Module:
        m = Module()
        write = Signal(**KEEP)
        address = Signal(CellAddress, **OWN)
        m.d.sync += [write.eq(self.write), address.eq(self.address)]
        slots = [register(m, self.slot, f"slot_{n}", keep=True)
                 for n in range(-(-GROUPS // SLOT_SINKS))]
        lanes = Cat(self.window, Const(0, GROUP * GROUPS - UNIT))
        reads = [Cat(lanes[GROUP * g:GROUP * (g + 1)], slots[g // SLOT_SINKS])
                 for g in range(GROUPS)]
        make = _memory if platform is None else _luts
        make(m, self, write, address.as_value(), reads)
        return m


def _memory(m: Module, cells: WeightCells, write: Signal, address: Signal, reads: list) -> None:
    m.submodules.memory = memory = Memory(shape=2 * GROUPS, depth=32, init=[])
    into = memory.write_port()
    m.d.comb += [into.en.eq(write), into.addr.eq(address),
                 into.data.eq(cells.contents.as_value())]
    for g, read in enumerate(reads):
        outof = memory.read_port(domain="comb")
        m.d.comb += [outof.addr.eq(read), cells.differ[g].eq(outof.data[2 * g:2 * g + 2])]


def _luts(m: Module, cells: WeightCells, write: Signal, address: Signal, reads: list) -> None:
    for first in range(0, GROUPS, 3):
        ports = {"i_WCLK": ClockSignal(), "i_WE": write, "i_ADDRD": address,
                 "i_DID": Const(0, 2)}
        for name, g in zip("ABC", range(first, first + 3)):
            inside = g < GROUPS
            ports[f"i_ADDR{name}"] = reads[g] if inside else Const(0, 5)
            ports[f"i_DI{name}"] = cells.contents[g] if inside else Const(0, 2)
            if inside:
                ports[f"o_DO{name}"] = cells.differ[g]
        m.submodules[f"ram_{first // 3}"] = Instance("RAM32M", **ports)
