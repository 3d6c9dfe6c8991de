"""The weights of the coming passes: LUTRAM banks and the loader that fills them."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.interfaces import Units
from overlays.gateware.pipeline import KEEP, OWN

PASSES = 32
"""Passes that the banks hold: the depth of a LUTRAM."""


class Weights(wiring.Component):
    """Takes a layer's weight units off the stream, gives those of a pass to all lanes at once.

    Units come output after output, tap after tap, quarter after quarter; a pass is always
    `reducers` x 9 of them.  Pass p lies at address p % PASSES of the banks.  One unit a cycle is
    taken as long as a slot is free.

    Ports
    -----
    start : pulse; `spread` and `passes` are right since the cycle before; the first unit can be
        taken START_CYCLES later
    spread : log2 of the quarters of a pixel, 0 to 2
    passes : of the layer
    units : the parameter stream
    loaded : a pass that has not been taken lies in the banks; LOADED_LATENCY after its last unit
        was taken, and after `take`
    take : pulse, the pass that comes next is being used; only while `loaded`, and more than
        LOADED_LATENCY cycles after the one before
    release : pulse, the oldest pass taken is not needed any more; if the banks were full, a unit
        can be taken RELEASE_LATENCY later
    slot : pass to be read; `weights` follow READ_LATENCY cycles later

    WRITE_LATENCY cycles after its last unit was taken, a pass can be in `weights`.
    Cost: 88 LUT a bank as memory (6,340 for 8 reducers), 140 LUT and 2,080 flip-flops.
    """

    START_CYCLES = 3
    READ_LATENCY = 2
    WRITE_LATENCY = 3
    LOADED_LATENCY = 3
    RELEASE_LATENCY = 4

    def __init__(self, reducers: int) -> None:
        self.reducers = reducers
        super().__init__({
            "start": In(1),
            "spread": In(2),
            "passes": In(10),
            "units": In(Units),
            "loaded": Out(1),
            "take": In(1),
            "release": In(1),
            "slot": In(range(PASSES)),
            "weights": Out(data.ArrayLayout(data.ArrayLayout(UNIT, TAPS), reducers)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Where the next unit goes: the reducers of an output are next to each other.
        slot = Signal(range(PASSES), reset_less=True)
        tap, reducer = (Signal(range(TAPS), reset_less=True),
                        Signal(range(self.reducers), reset_less=True))
        last_quarter = Signal(2, reset_less=True)
        ready, accept, last_of_pass, complete = Signal(), Signal(), Signal(), Signal()
        quarter_ends, last_tap = (reducer[:2] | ~last_quarter)[:2].all(), tap[3]
        assert TAPS == 9
        m.d.sync += last_quarter.eq(Mux(self.spread == 2, 3, self.spread))
        m.d.comb += [
            self.units.ready.eq(ready),
            accept.eq(self.units.valid & ready),
            last_of_pass.eq(reducer.all() & last_tap),
            complete.eq(accept & last_of_pass),
        ]
        with m.If(accept):
            m.d.sync += reducer.eq(reducer + 1)
            with m.If(quarter_ends & ~last_tap):  # the same output again
                m.d.sync += reducer.eq(Cat(reducer[:2] & ~last_quarter, reducer[2:]))
            with m.If(quarter_ends):
                m.d.sync += tap.eq(Mux(last_tap, 0, tap + 1))
        with m.If(complete):
            m.d.sync += slot.eq(slot + 1)

        # Passes: a slot is taken before the first unit comes.  `more` lags behind the counts, but
        # is asked only when a pass is complete.
        remaining = Signal(10)                           # passes that have no slot yet
        free = Signal(range(PASSES + 1), reset_less=True)
        waiting = Signal(range(PASSES + 1))              # passes loaded and not yet taken
        more, opened, completed, released = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            more.eq((remaining != 0) & (free != 0)),
            opened.eq(more & (complete | ~ready)),
            completed.eq(complete), released.eq(self.release),
            self.loaded.eq(waiting != 0),
        ]
        with m.If(complete | ~ready):
            m.d.sync += ready.eq(more)
        with m.If(opened):
            m.d.sync += remaining.eq(remaining - 1)
        for count, up, down in ((free, released, opened), (waiting, completed, self.take)):
            with m.If(up ^ down):
                m.d.sync += count.eq(count + Cat(1, down.replicate(len(count) - 1)))
        with m.If(self.start):
            m.d.sync += [
                remaining.eq(self.passes), free.eq(PASSES), waiting.eq(0), slot.eq(0),
                reducer.eq(0), tap.eq(0),
            ]

        # One register, then a copy of the unit for each reducer and of the controls for each bank.
        unit = Signal(UNIT, reset_less=True)
        to_tap, to_reducer = Signal(TAPS, reset_less=True), Signal(self.reducers)
        m.d.sync += [
            unit.eq(self.units.payload),
            to_tap.eq(1 << tap),
            to_reducer.eq(accept << reducer),
        ]
        for r in range(self.reducers):
            unit_copy = Signal(UNIT, name=f"unit_{r}", **OWN)
            write_slot = Signal.like(slot, name=f"write_slot_{r}", **OWN)
            slot_copy = Signal.like(slot, name=f"slot_{r}", **OWN)
            m.d.sync += [unit_copy.eq(unit), write_slot.eq(slot), slot_copy.eq(self.slot)]
            for t in range(TAPS):
                m.submodules[f"bank_{r}_{t}"] = bank = WeightBank()
                m.d.comb += [
                    bank.write.eq(to_tap[t] & to_reducer[r]),
                    bank.write_slot.eq(write_slot),
                    bank.unit.eq(unit_copy),
                    bank.slot.eq(slot_copy),
                    self.weights[r][t].eq(bank.weights),
                ]
        return m


class WeightBank(wiring.Component):
    """128 bits for each of PASSES passes, for one tap of one reducer.

    `write`, `write_slot` and `slot` go through registers of the bank's own; `unit` is that of the
    cycle after them.
    """

    write: In(1)
    write_slot: In(range(PASSES))
    unit: In(UNIT)
    slot: In(range(PASSES))
    weights: Out(UNIT)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=UNIT, depth=PASSES, init=[])
        into, outof = memory.write_port(), memory.read_port(domain="comb")
        write = Signal(**KEEP)
        write_slot = Signal(range(PASSES), **OWN)
        slot = Signal(range(PASSES), **OWN)
        m.d.sync += [write.eq(self.write), write_slot.eq(self.write_slot), slot.eq(self.slot)]
        m.d.comb += [
            into.en.eq(write), into.addr.eq(write_slot), into.data.eq(self.unit),
            outof.addr.eq(slot), self.weights.eq(outof.data),
        ]
        return m
