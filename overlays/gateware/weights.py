"""The weights of the coming passes: which units go where, and which slots hold a pass."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from overlays.gateware.config import GROUP_UNITS, TAPS, UNIT
from overlays.gateware.expander import WRITES, Load
from overlays.gateware.pipeline import OWN
from overlays.gateware.weight_cells import GROUP, SLOTS, Slot, next_slot

SHARED = 4
"""Expanders that share a copy of the unit: they lie all over the chip."""


class Weights(wiring.Component):
    """Takes a layer's weight units off the stream and sends each to its reducer.

    Units come in groups of GROUP_UNITS x 9, tap after tap: the same tap for all outputs of the
    group, quarter after quarter.  A group is a pass of as many reducers, or two passes of half as
    many.  A unit keeps an expander busy for WRITES cycles, so WRITES expanders take one a cycle,
    twice as many two.  As many are taken in each cycle as long as slots are free for a group.

    Parameters
    ----------
    reducers : int
        GROUP_UNITS or half as many.
    width : int
        Units in a cycle: 1, or 2 with GROUP_UNITS reducers.

    Ports
    -----
    start : pulse; `passes` is right since the cycle before; the first units can be taken
        START_CYCLES later
    passes : of the layer
    units : the parameter stream, `width` units at a time
    loaded : a pass that has not been taken lies in the slots; LOADED_LATENCY after the last units
        of its group were taken, and after `take`
    take : pulse, the pass that comes next is being used; only while `loaded`, and more than
        LOADED_LATENCY cycles after the one before
    release : pulse, the oldest pass taken is not needed any more; if there were too few free slots,
        units can be taken RELEASE_LATENCY later
    load, entries, phase : for each expander, that of reducer r % expanders; `load`, a bit for
        each of its reducers, a cycle after a unit was taken
    """

    START_CYCLES = 3
    LOADED_LATENCY = 3
    RELEASE_LATENCY = 4

    def __init__(self, reducers: int, width: int = 1) -> None:
        if reducers not in (GROUP_UNITS // 2, GROUP_UNITS):
            raise ValueError(f"{reducers} reducers: {GROUP_UNITS // 2} or {GROUP_UNITS} can be had")
        if reducers < WRITES * width:
            raise ValueError(f"{reducers} reducers don't take {width} units a cycle")
        self.reducers, self.width = reducers, width
        self.expanders = WRITES * width
        self.passes_a_group = GROUP_UNITS // reducers
        super().__init__({
            "start": In(1),
            "passes": In(10),
            "units": In(stream.Signature(width * UNIT)),
            "loaded": Out(1),
            "take": In(1),
            "release": In(1),
            "load": Out(data.ArrayLayout(reducers // self.expanders, self.expanders)),
            "entries": Out(data.ArrayLayout(Load, self.expanders)),
            "phase": Out(GROUP),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place = Signal(range(GROUP_UNITS // self.width), reset_less=True)  # of a tap's units
        tap = Signal(TAPS, reset_less=True)   # a bit of it is set
        slot = Signal(Slot, reset_less=True)  # of the group's first pass
        taking, accept, complete = Signal(), Signal(), Signal()
        each = self.passes_a_group
        m.d.comb += [
            self.units.ready.eq(taking),
            accept.eq(self.units.valid & self.units.ready),
            complete.eq(accept & place.all() & tap[-1]),
        ]
        with m.If(accept):
            m.d.sync += place.eq(place + 1)
            with m.If(place.all()):
                m.d.sync += tap.eq(tap.rotate_left(1))
        second = next_slot(slot)
        with m.If(complete):
            m.d.sync += slot.eq(second if each == 1 else next_slot(second))

        # Slots are taken before the first unit of a group comes.  `more` lags behind the counts,
        # but is asked only when a group is complete.
        remaining = Signal(10)              # passes that have no slot yet
        free = Signal(range(SLOTS + 1))
        waiting = Signal(range(SLOTS + 1))  # passes loaded and not yet taken
        more, opening, completed, released = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            more.eq((remaining != 0) & (free >= each)),
            opening.eq(more & (complete | ~taking)),
            completed.eq(complete), released.eq(self.release),
            self.loaded.eq(waiting != 0),
        ]
        with m.If(complete | ~taking):
            m.d.sync += taking.eq(more)
        with m.If(opening):
            m.d.sync += remaining.eq(remaining - each)
        m.d.sync += [
            free.eq(free + released - Mux(opening, each, 0)),
            waiting.eq(waiting + Mux(completed, each, 0) - self.take),
        ]
        with m.If(self.start):
            m.d.sync += [
                remaining.eq(self.passes), free.eq(SLOTS), waiting.eq(0), slot.eq(0),
                place.eq(0), tap.eq(1),
            ]

        self._send(m, accept, place, tap, slot if each == 1 else Mux(place[-1], second, slot))
        return m

    def _send(self, m: Module, accept: Signal, place: Signal, tap: Signal, slot: Value) -> None:
        """A register, and another one near the reducers."""
        m.d.sync += self.phase.eq(self.phase + 1)
        members = self.reducers // self.expanders
        per_round = self.expanders // self.width  # how many cycles bring a unit to each expander
        for expander in range(self.expanders):
            its_turn = place[:exact_log2(per_round)] == expander // self.width
            for member in range(members):
                is_its = its_turn & (place[-1] == member) if members > 1 else its_turn
                m.d.sync += self.load[expander][member].eq(accept & is_its)
        for side in range(self.width):  # the units of a cycle go to expanders side by side
            first = Signal(Load, name=f"first_{side}", reset_less=True)
            m.d.sync += [
                first.unit.eq(self.units.payload.word_select(side, UNIT)), first.tap.eq(tap),
                first.slot.eq(slot),
            ]
            own = range(side, self.expanders, self.width)
            for begin in range(0, len(own), SHARED):
                copy = Signal(Load, name=f"entry_{side}_{begin}", **OWN)
                m.d.sync += copy.eq(first)
                for expander in own[begin:begin + SHARED]:
                    m.d.comb += self.entries[expander].eq(copy)
