"""The weights of the coming passes: LUTRAM banks and the loader that fills them."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.interfaces import Units

PASSES = 32
"""Passes that the banks hold: the depth of a LUTRAM."""


class Weights(wiring.Component):
    """Takes a layer's weight units off the stream, gives those of a pass to all lanes at once.

    Units come output after output, tap after tap, quarter after quarter; a pass is always
    `reducers` x 9 of them.  Pass p lies at address p % PASSES of the banks.  One unit a cycle is
    taken as long as a slot is free.

    Ports
    -----
    start : in this cycle `spread` and `passes` are right; the loader begins in the next one
    spread : log2 of the quarters of a pixel, 0 to 2
    passes : of the layer
    units : the parameter stream
    loaded : a pass that has not been taken lies in the banks
    take : the pass that comes next is being used (only while `loaded`)
    release : the oldest pass taken is not needed any more
    slot : pass to be read; `weights` follow READ_LATENCY cycles later

    WRITE_LATENCY cycles after its last unit was taken, a pass can be in `weights`.
    Cost: 88 LUT a bank as memory (6,340 for 8 reducers), 140 LUT and 2,080 flip-flops.
    """

    READ_LATENCY = 2
    WRITE_LATENCY = 3

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
        # Where the next unit goes.
        slot = Signal(range(PASSES))
        base, quarter, last_quarter = Signal(range(self.reducers)), Signal(2), Signal(2)
        tap = Signal(range(TAPS))
        remaining = Signal(10)                # passes to be loaded
        held = Signal(range(PASSES + 1))      # passes loaded and not yet released
        waiting = Signal(range(PASSES + 1))   # of these, passes not yet taken
        reducer = Signal(range(self.reducers))
        accept, complete = Signal(), Signal()
        m.d.comb += [
            self.units.ready.eq((remaining != 0) & (held != PASSES)),
            accept.eq(self.units.valid & self.units.ready),
            reducer.eq(base | quarter),
            complete.eq(accept & (tap == TAPS - 1) & (quarter == last_quarter)
                        & (reducer == self.reducers - 1)),
            self.loaded.eq(waiting != 0),
        ]
        with m.If(accept):
            m.d.sync += quarter.eq(quarter + 1)
            with m.If(quarter == last_quarter):
                m.d.sync += [quarter.eq(0), tap.eq(tap + 1)]
                with m.If(tap == TAPS - 1):
                    m.d.sync += [tap.eq(0), base.eq(reducer + 1)]
        with m.If(complete):
            m.d.sync += [remaining.eq(remaining - 1), slot.eq(slot + 1)]
        for count, less in ((held, self.release), (waiting, self.take)):
            with m.If(complete & ~less):
                m.d.sync += count.eq(count + 1)
            with m.Elif(less & ~complete):
                m.d.sync += count.eq(count - 1)
        with m.If(self.start):
            m.d.sync += [
                remaining.eq(self.passes), held.eq(0), waiting.eq(0), slot.eq(0),
                base.eq(0), quarter.eq(0), tap.eq(0),
                last_quarter.eq(Mux(self.spread == 2, 3, self.spread)),
            ]

        # One register, then a copy of the unit for each reducer and of the controls for each bank.
        unit = Signal(UNIT, reset_less=True)
        to_tap, to_reducer = Signal(TAPS), Signal(self.reducers)
        m.d.sync += [
            unit.eq(self.units.payload),
            to_tap.eq(accept << tap),
            to_reducer.eq(1 << reducer),
        ]
        for r in range(self.reducers):
            unit_copy = Signal(UNIT, name=f"unit_{r}", reset_less=True, attrs={"keep": 1})
            write_slot = Signal.like(slot, name=f"write_slot_{r}", reset_less=True,
                                     attrs={"keep": 1})
            slot_copy = Signal.like(slot, name=f"slot_{r}", reset_less=True, attrs={"keep": 1})
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
        write = Signal(attrs={"keep": 1})
        write_slot = Signal(range(PASSES), reset_less=True, attrs={"keep": 1})
        slot = Signal(range(PASSES), reset_less=True, attrs={"keep": 1})
        m.d.sync += [write.eq(self.write), write_slot.eq(self.write_slot), slot.eq(self.slot)]
        m.d.comb += [
            into.en.eq(write), into.addr.eq(write_slot), into.data.eq(self.unit),
            outof.addr.eq(slot), self.weights.eq(outof.data),
        ]
        return m
