"""The weights of the coming passes: which units go where, and which slots hold a pass."""

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import GROUP_UNITS, TAPS
from overlays.gateware.expander import Load
from overlays.gateware.interfaces import Units
from overlays.gateware.pipeline import OWN
from overlays.gateware.weight_cells import GROUP, SLOTS, Slot, next_slot

SHARED = 4
"""Expanders that share a copy of the unit: they lie all over the chip."""


class Weights(wiring.Component):
    """Takes a layer's weight units off the stream and sends each to its reducer.

    Units come in groups of GROUP_UNITS x 9, tap after tap: the same tap for all outputs of the
    group, quarter after quarter.  So a reducer gets a unit in no more than one cycle of
    GROUP_UNITS, which is what its expander takes.  A pass is `reducers` / GROUP_UNITS groups.  One
    unit a cycle is taken as long as a slot is free.

    Parameters
    ----------
    reducers : int
        GROUP_UNITS or twice as many.

    Ports
    -----
    start : pulse; `passes` is right since the cycle before; the first unit can be taken
        START_CYCLES later
    passes : of the layer
    units : the parameter stream
    loaded : a pass that has not been taken lies in the slots; LOADED_LATENCY after its last unit
        was taken, and after `take`
    take : pulse, the pass that comes next is being used; only while `loaded`, and more than
        LOADED_LATENCY cycles after the one before
    release : pulse, the oldest pass taken is not needed any more; if the slots were full, a unit
        can be taken RELEASE_LATENCY later
    load, entries, phase : for each expander, that of reducer r % GROUP_UNITS; `load`, a bit for
        each of its reducers, a cycle after a unit was taken
    """

    START_CYCLES = 3
    LOADED_LATENCY = 3
    RELEASE_LATENCY = 4

    def __init__(self, reducers: int) -> None:
        if reducers not in (GROUP_UNITS, 2 * GROUP_UNITS):
            raise ValueError(f"{reducers} reducers: {GROUP_UNITS} or {2 * GROUP_UNITS} can be had")
        self.reducers = reducers
        super().__init__({
            "start": In(1),
            "passes": In(10),
            "units": In(Units),
            "loaded": Out(1),
            "take": In(1),
            "release": In(1),
            "load": Out(data.ArrayLayout(reducers // GROUP_UNITS, GROUP_UNITS)),
            "entries": Out(data.ArrayLayout(Load, GROUP_UNITS)),
            "phase": Out(GROUP),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place = Signal(range(GROUP_UNITS), reset_less=True)  # among the units of a tap
        tap = Signal(TAPS, reset_less=True)                  # a bit of it is set
        group = Signal(self.reducers // GROUP_UNITS - 1, reset_less=True)  # of the pass
        slot = Signal(Slot, reset_less=True)
        taking, accept, complete = Signal(), Signal(), Signal()
        m.d.comb += [
            self.units.ready.eq(taking),
            accept.eq(self.units.valid & self.units.ready),
            complete.eq(accept & place.all() & tap[-1] & (group.all() if len(group) else 1)),
        ]
        with m.If(accept):
            m.d.sync += place.eq(place + 1)
            with m.If(place.all()):
                m.d.sync += tap.eq(tap.rotate_left(1))
                with m.If(tap[-1]):
                    m.d.sync += group.eq(group + 1)
        with m.If(complete):
            m.d.sync += slot.eq(next_slot(slot))

        # A slot is taken before the first unit of a pass comes.  `more` lags behind the counts, but
        # is asked only when a pass is complete.
        remaining = Signal(10)              # passes that have no slot yet
        free = Signal(range(SLOTS + 1))
        waiting = Signal(range(SLOTS + 1))  # passes loaded and not yet taken
        more, opening, completed, released = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            more.eq((remaining != 0) & (free != 0)),
            opening.eq(more & (complete | ~taking)),
            completed.eq(complete), released.eq(self.release),
            self.loaded.eq(waiting != 0),
        ]
        with m.If(complete | ~taking):
            m.d.sync += taking.eq(more)
        with m.If(opening):
            m.d.sync += remaining.eq(remaining - 1)
        m.d.sync += [
            free.eq(free + released - opening),
            waiting.eq(waiting + completed - self.take),
        ]
        with m.If(self.start):
            m.d.sync += [
                remaining.eq(self.passes), free.eq(SLOTS), waiting.eq(0), slot.eq(0),
                place.eq(0), tap.eq(1), group.eq(0),
            ]

        self._send(m, accept, Cat(group, place), tap, slot)
        return m

    def _send(self, m: Module, accept: Signal, member: Value, tap: Signal, slot: Signal) -> None:
        """A register, and another one near the reducers."""
        m.d.sync += [self.phase.eq(self.phase + 1),
                     self.load.as_value().eq(accept << member)]
        first = Signal(Load, reset_less=True)
        m.d.sync += [
            first.unit.eq(self.units.payload), first.tap.eq(tap),
            first.slot.eq(slot),
        ]
        for begin in range(0, GROUP_UNITS, SHARED):
            copy = Signal(Load, name=f"entry_{begin}", **OWN)
            m.d.sync += copy.eq(first)
            for expander in range(begin, begin + SHARED):
                m.d.comb += self.entries[expander].eq(copy)
