"""The weights of the coming passes: which units go where, and which slots hold a pass."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from overlays.gateware.config import GROUP_UNITS, TAPS
from overlays.gateware.expander import WRITES, Load
from overlays.gateware.interfaces import Units
from overlays.gateware.pipeline import OWN
from overlays.gateware.weight_cells import GROUP, SLOTS, Slot, next_slot

SHARED = 4
"""Reducers that share a copy of the unit: they lie all over the chip."""


class Weights(wiring.Component):
    """Takes a layer's weight units off the stream and sends each to its reducer.

    Units come in groups of GROUP_UNITS x 9, tap after tap: the same tap for all outputs of the
    group, quarter after quarter.  A group is as many passes as the reducers make of it.  One unit
    a cycle is taken as long as the slots of a group are free.

    Parameters
    ----------
    reducers : int
        WRITES or GROUP_UNITS: none gets a unit before it is done with the one before.

    Ports
    -----
    start : pulse; `passes` is right since the cycle before; the first unit can be taken
        START_CYCLES later
    passes : of the layer
    units : the parameter stream
    loaded : a pass that has not been taken lies in the slots; LOADED_LATENCY after its group's
        last unit was taken, and after `take`
    take : pulse, the pass that comes next is being used; only while `loaded`, and more than
        LOADED_LATENCY cycles after the one before
    release : pulse, the oldest pass taken is not needed any more; if there was no room for a
        group and now is, a unit can be taken RELEASE_LATENCY later
    load, entries, phase : for each reducer; `load` a cycle after a unit was taken
    """

    START_CYCLES = 3
    LOADED_LATENCY = 3
    RELEASE_LATENCY = 4

    def __init__(self, reducers: int) -> None:
        if reducers not in (WRITES, GROUP_UNITS):
            raise ValueError(f"{reducers} reducers: {WRITES} or {GROUP_UNITS} are possible")
        self.reducers = reducers
        super().__init__({
            "start": In(1),
            "passes": In(10),
            "units": In(Units),
            "loaded": Out(1),
            "take": In(1),
            "release": In(1),
            "load": Out(reducers),
            "entries": Out(data.ArrayLayout(Load, reducers)),
            "phase": Out(GROUP),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        passes = GROUP_UNITS // self.reducers  # of a group
        bits = exact_log2(passes)
        place = Signal(range(GROUP_UNITS), reset_less=True)  # among the units of a tap
        tap = Signal(TAPS, reset_less=True)                  # a bit of it is set
        slot = first_slot = Signal(Slot, reset_less=True)    # of the group's first pass
        taking, accept, complete = Signal(), Signal(), Signal()
        m.d.comb += [
            self.units.ready.eq(taking),
            accept.eq(self.units.valid & self.units.ready),
            complete.eq(accept & place.all() & tap[-1]),
        ]
        with m.If(accept):
            m.d.sync += place.eq(place + 1)
            with m.If(place.all()):
                m.d.sync += tap.eq(tap.rotate_left(1))
        with m.If(complete):
            for _ in range(passes):
                slot = next_slot(slot)
            m.d.sync += first_slot.eq(slot)

        # Slots are taken before the first unit of a group comes.  `more` lags behind the counts,
        # but is asked only when a group is complete.
        remaining = Signal(10)             # groups that have no slots yet
        free = Signal(range(SLOTS + 1))
        waiting = Signal(range(SLOTS + 1))  # passes loaded and not yet taken
        more, opening, completed, released = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            more.eq((remaining != 0) & (free >> bits != 0)),
            opening.eq(more & (complete | ~taking)),
            completed.eq(complete), released.eq(self.release),
            self.loaded.eq(waiting != 0),
        ]
        with m.If(complete | ~taking):
            m.d.sync += taking.eq(more)
        with m.If(opening):
            m.d.sync += remaining.eq(remaining - 1)
        m.d.sync += [
            free.eq(free + released - (opening << bits)),
            waiting.eq(waiting + (completed << bits) - self.take),
        ]
        with m.If(self.start):
            m.d.sync += [
                remaining.eq(self.passes >> bits), free.eq(SLOTS), waiting.eq(0), first_slot.eq(0),
                place.eq(0), tap.eq(1),
            ]

        of_place = first_slot if passes == 1 else Mux(place[-1], next_slot(first_slot), first_slot)
        self._send(m, accept, place, tap, of_place)
        return m

    def _send(self, m: Module, accept: Signal, place: Signal, tap: Signal, slot: Value) -> None:
        """A register, and another one near the reducers."""
        reducer_bits = exact_log2(self.reducers)
        m.d.sync += [self.phase.eq(self.phase + 1),
                     self.load.eq(accept << place[:reducer_bits])]
        first = Signal(Load, reset_less=True)
        m.d.sync += [
            first.unit.eq(self.units.payload), first.tap.eq(tap),
            first.slot.eq(slot),
        ]
        for begin in range(0, self.reducers, SHARED):
            copy = Signal(Load, name=f"entry_{begin}", **OWN)
            m.d.sync += copy.eq(first)
            for r in range(begin, min(begin + SHARED, self.reducers)):
                m.d.comb += self.entries[r].eq(copy)
