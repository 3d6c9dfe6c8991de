"""A layer's thresholds: taken off the stream once, read pass by pass."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import QUARTERS, UNIT
from overlays.gateware.interfaces import Units
from overlays.gateware.pipeline import OWN
from pynq_bnn.registers import MAX_CHANNELS

Threshold = data.StructLayout({"t": signed(16), "flip": 1})
ENTRY = 32
"""Bits of a threshold in the stream."""
ENTRIES = UNIT // ENTRY


def threshold_depth(reducers: int) -> int:
    """The most passes of a layer."""
    return MAX_CHANNELS * QUARTERS // reducers


class Thresholds(wiring.Component):
    """A RAM for each reducer, which holds output j of pass p at address p of RAM j << `spread`.

    Ports
    -----
    start : pulse; `spread` and `outputs` are right since the cycle before
    spread : log2 of the quarters of a pixel, and so of the reducers that an output takes, 0 to 2
    outputs : of the layer, a multiple of 4, at least 8
    units : the parameter stream, 4 entries of 32 bits a unit; taken from START_CYCLES after `start`
    done : pulse, the cycle after the last unit has been taken
    index : the pass to be read
    thresholds : READ_LATENCY cycles later; undefined where r is not a multiple of 1 << spread

    Up to 4 outputs of one pass are stored in a cycle: a unit takes one cycle where a pass has 4
    outputs or more, 2 where it has 2, 4 where it has one.  The last one can be read WRITE_CYCLES
    after `done`.
    """

    READ_LATENCY = 2
    START_CYCLES = 2
    WRITE_CYCLES = 5

    def __init__(self, reducers: int) -> None:
        self.reducers = reducers
        self.depth = threshold_depth(reducers)
        super().__init__({
            "start": In(1),
            "spread": In(2),
            "outputs": In(14),
            "units": In(Units),
            "done": Out(1),
            "index": In(range(self.depth)),
            "thresholds": Out(data.ArrayLayout(Threshold, reducers)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        per_pass = self.reducers >> self.spread
        spread = Signal(2, **OWN)
        step = Signal(3, reset_less=True)  # outputs that are stored in a cycle
        m.d.sync += [spread.eq(self.spread), step.eq(Mux(per_pass < ENTRIES, per_pass, ENTRIES))]

        # Units are taken: one, then a gap until its outputs are stored.
        ready, loading, accept = Signal(), Signal(), Signal()
        after_next = Signal(signed(9), reset_less=True)  # units, of all: below 0 the last one comes
        first = Signal(signed(9), reset_less=True)
        gap = Signal(2, reset_less=True)
        is_last = after_next[-1]
        m.d.comb += [self.units.ready.eq(ready), accept.eq(self.units.valid & ready)]
        m.d.sync += [first.eq(self.outputs[2:10] - 2), self.done.eq(accept & is_last)]
        with m.If(accept):
            m.d.sync += [ready.eq(step[2] & ~is_last), loading.eq(~is_last), gap.eq(step[0] << 1),
                         after_next.eq(after_next - 1)]
        with m.Elif(~ready):
            m.d.sync += [ready.eq(loading & (gap == 0)), gap.eq(gap - 1)]
        with m.If(self.start):
            m.d.sync += [ready.eq(0), loading.eq(1), gap.eq(0), after_next.eq(first)]

        # A unit is stored.
        output, storing, taken = Signal(9, reset_less=True), Signal(), Signal()
        address = Signal(range(self.depth))
        entries = Signal(data.ArrayLayout(ENTRY, ENTRIES), reset_less=True)
        m.d.sync += taken.eq(accept)
        with m.If(ready):
            m.d.sync += entries.eq(self.units.payload)
        m.d.comb += storing.eq(taken | (output[:2] != 0))
        with m.If(storing):
            m.d.sync += output.eq(output + step)
        with m.If(self.start):
            m.d.sync += output.eq(0)

        write_address = Signal.like(address, reset_less=True)
        m.d.sync += write_address.eq(address)
        entry = [Signal(range(ENTRIES), name=f"entry_{r}") for r in range(self.reducers)]
        mine = Signal(self.reducers)  # does this reducer's output come in this cycle?
        with m.Switch(spread):
            for case in range(QUARTERS.bit_length()):
                with m.Case(case):
                    outputs = self.reducers >> case
                    m.d.comb += address.eq(output // outputs)
                    for r in range(0, self.reducers, 1 << case):
                        j = r >> case
                        m.d.comb += [
                            entry[r].eq(output[:2] | j % ENTRIES),
                            mine[r].eq((output % outputs) // ENTRIES == j // ENTRIES),
                        ]
        for r in range(self.reducers):
            m.submodules[f"ram_{r}"] = memory = Memory(
                shape=Threshold, depth=self.depth, init=[], attrs={"ram_style": "block"})
            into, outof = memory.write_port(), memory.read_port()
            write = Signal(name=f"write_{r}")
            written = Signal(Threshold, name=f"written_{r}", reset_less=True)
            read = Signal(Threshold, name=f"read_{r}", reset_less=True)
            chosen = entries[entry[r]]
            m.d.sync += [
                write.eq(storing & mine[r]),
                written.t.eq(chosen[:16]), written.flip.eq(chosen[16]),
                read.eq(outof.data),
            ]
            m.d.comb += [
                into.en.eq(write), into.addr.eq(write_address), into.data.eq(written),
                outof.addr.eq(self.index), self.thresholds[r].eq(read),
            ]
        return m
