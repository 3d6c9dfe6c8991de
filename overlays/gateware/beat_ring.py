"""Two beats on their way to an HP port's data channel."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import WORD
from overlays.gateware.pipeline import OWN

Beat = data.StructLayout({"data": WORD, "strobes": WORD // 8, "last": 1})
"""WDATA, WSTRB and WLAST."""


class BeatRing(wiring.Component):
    """Beats in, one a cycle, and out to the bus, with a register at every output but a choice.

    WREADY comes 1.3 ns after the clock edge (prjxray-db) from a corner of the die, so it reaches
    three flip-flops here and none of the beats' own: two places are written in turn and read in
    turn, and which one is read is all that it moves.

    Cost: 81 LUT, 150 FF.

    Attributes
    ----------
    beats : In(stream.Signature(Beat))
        `ready` comes from flip-flops: it doesn't see WREADY of the same cycle.
    beat, valid : Out(Beat), Out(1)
        The channel's outputs.
    ready : In(1)
        WREADY.
    """

    beats: In(stream.Signature(Beat))
    beat: Out(Beat)
    valid: Out(1)
    ready: In(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        places = [Signal(Beat, name=f"place{n}", **OWN) for n in range(2)]
        full = Array(Signal(name=f"full{n}") for n in range(2))
        write, read = Signal(), Signal()
        m.d.comb += [self.beats.ready.eq(~full[write]), self.valid.eq(full[read]),
                     self.beat.eq(Mux(read, places[1], places[0]))]
        for n, place in enumerate(places):
            with m.If(self.beats.valid & (write == n) & ~full[n]):
                m.d.sync += [place.eq(self.beats.payload), full[n].eq(1)]
            with m.Elif(self.ready & (read == n)):
                m.d.sync += full[n].eq(0)
        m.d.sync += [write.eq(write ^ (self.beats.valid & self.beats.ready)),
                     read.eq(read ^ (self.valid & self.ready))]
        return m
