"""From a unit of weights to what the weight cells hold: eight writes, one for each window."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.pipeline import OWN, register
from overlays.gateware.weight_cells import GROUP, GROUPS, CellAddress, Contents, Slot

WRITES = 1 << GROUP
"""Cycles that a unit keeps an expander busy."""
SLICE = 32
"""Weights whose registers share copies of the controls, so that no net gets wide."""

Load = data.StructLayout({"unit": UNIT, "tap": TAPS, "slot": Slot})
"""A unit and where it goes; `tap` has one bit set."""


class Expander(wiring.Component):
    """Writes a unit into the cells of its tap, in one of `members` reducers that take turns.

    `phase` counts on in every cycle, whatever happens: the eight writes begin with the x that it
    just stands at, and all eight have been made when it comes round.

    Ports
    -----
    load : a bit for each reducer, one of which is set for a cycle, WRITES cycles or more after the
        one before; `entry` is that of the cycle after
    phase : free-running
    write, address : combinational, from registers; from LATENCY cycles after `load`, WRITES times;
        the taps of each reducer
    contents : those of the cycle after
    """

    LATENCY = 2

    def __init__(self, members: int) -> None:
        self.members = members
        super().__init__({
            "load": In(members),
            "entry": In(Load),
            "phase": In(GROUP),
            "write": Out(data.ArrayLayout(TAPS, members)),
            "address": Out(CellAddress),
            "contents": Out(Contents),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry = self.entry
        unit = Signal(UNIT, reset_less=True)
        tap, slot = Signal(TAPS, reset_less=True), Signal(Slot, reset_less=True)
        left = Signal(range(WRITES + 1))
        member = Signal(self.members, reset_less=True)
        chosen = register(m, self.load, "chosen")
        phases = []
        for part in range(UNIT // SLICE):
            here = slice(part * SLICE, (part + 1) * SLICE)
            load, phase = Signal(name=f"load_{part}", **OWN), Signal(
                GROUP, name=f"phase_{part}", **OWN)
            m.d.sync += [load.eq(self.load.any()), phase.eq(self.phase)]
            phases.append(phase)
            with m.If(load):
                m.d.sync += unit[here].eq(entry.unit[here])
            if part == 0:
                with m.If(load):
                    m.d.sync += [tap.eq(entry.tap), slot.eq(entry.slot), left.eq(WRITES),
                                 member.eq(chosen)]
                with m.Elif(left != 0):
                    m.d.sync += left.eq(left - 1)
        m.d.comb += [
            *(self.write[k].eq(tap & (member[k] & (left != 0)).replicate(TAPS))
              for k in range(self.members)),
            self.address.x.eq(phases[0]), self.address.slot.eq(slot),
        ]
        for g in range(GROUPS):
            lanes = range(GROUP * g, min(GROUP * (g + 1), UNIT))
            phase = phases[lanes[-1] // SLICE]
            differ = Cat(*(unit[lane] ^ phase[i] for i, lane in enumerate(lanes)),
                         Const(0, GROUP - len(lanes)))
            contents = Signal(2, name=f"contents_{g}", reset_less=True)
            m.d.sync += contents.eq(sum(differ))
            m.d.comb += self.contents[g].eq(contents)
        return m
