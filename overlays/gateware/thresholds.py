"""A layer's thresholds: taken off the stream once, read pass by pass."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import MAX_CHANNELS, QUARTERS, UNIT
from overlays.gateware.interfaces import Units

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
    start : in this cycle `spread` and `outputs` are right; the loader begins in the next one
    spread : log2 of the reducers that an output takes, 0 to 2
    outputs : of the layer, a multiple of 4
    units : the parameter stream, 4 entries of 32 bits a unit
    done : pulse; the last unit has been taken
    index : the pass to be read
    thresholds : READ_LATENCY cycles later; for r no multiple of 1 << spread undefined

    Up to 4 outputs of one pass are stored in a cycle: a unit takes one cycle where a pass has 4
    outputs or more, 2 where it has 2, 4 where it has one.

    Cost: 190 LUT, 280 flip-flops, 8 RAMB18 for 8 reducers.
    """

    READ_LATENCY = 2

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
        output, step, active = Signal(14), Signal(3), Signal()
        last, address = Signal(14), Signal(range(self.depth))
        accept = Signal()
        per_pass = self.reducers >> self.spread
        m.d.comb += [
            accept.eq(active & self.units.valid),
            self.units.ready.eq(active & ((output + step)[:2] == 0)),
            self.done.eq(accept & (output == last)),
        ]
        m.d.sync += last.eq(self.outputs - step)
        with m.If(accept):
            m.d.sync += output.eq(output + step)
        with m.If(self.done):
            m.d.sync += active.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), output.eq(0),
                         step.eq(Mux(per_pass < ENTRIES, per_pass, ENTRIES))]

        entries = data.View(data.ArrayLayout(ENTRY, ENTRIES), self.units.payload)
        write_address = Signal.like(address, reset_less=True)
        m.d.sync += write_address.eq(address)
        entry = [Signal(range(ENTRIES), name=f"entry_{r}") for r in range(self.reducers)]
        mine = Signal(self.reducers)  # does this reducer's output come in this cycle?
        with m.Switch(self.spread):
            for spread in range(QUARTERS.bit_length()):
                with m.Case(spread):
                    outputs = self.reducers >> spread
                    m.d.comb += address.eq(output // outputs)
                    for r in range(0, self.reducers, 1 << spread):
                        j = r >> spread
                        m.d.comb += [
                            entry[r].eq(output[:2] | j % ENTRIES),
                            mine[r].eq((output % outputs) // ENTRIES == j // ENTRIES),
                        ]
        for r in range(self.reducers):
            m.submodules[f"ram_{r}"] = memory = Memory(shape=Threshold, depth=self.depth, init=[])
            into, outof = memory.write_port(), memory.read_port()
            write = Signal(name=f"write_{r}")
            written = Signal(Threshold, name=f"written_{r}", reset_less=True)
            read = Signal(Threshold, name=f"read_{r}", reset_less=True)
            chosen = entries[entry[r]]
            m.d.sync += [
                write.eq(accept & mine[r]),
                written.t.eq(chosen[:16]), written.flip.eq(chosen[16]),
                read.eq(outof.data),
            ]
            m.d.comb += [
                into.en.eq(write), into.addr.eq(write_address), into.data.eq(written),
                outof.addr.eq(self.index), self.thresholds[r].eq(read),
            ]
        return m
