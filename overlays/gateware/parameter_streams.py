"""The parameters as one stream again, whose bursts came over one or two of units."""

from functools import reduce
from operator import and_

from amaranth import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.dma_read_port import BURST_UNITS
from overlays.gateware.interfaces import Pairs, Units
from overlays.gateware.parameter_fifo import ParameterFifo


class ParameterStreams(wiring.Component):
    """A FIFO for each stream; what leaves are bursts of each by turns.

    Parameters
    ----------
    depth : int
        Units in all.
    streams : int
        1 or 2.

    Attributes
    ----------
    w : In(Units), an array
        What comes in, from each stream whole bursts, from the first one the first.
    r, pairs, empty
        See ParameterFifo; all of a burst is taken before the next one is there.
    """

    def __init__(self, depth: int, streams: int) -> None:
        self.depth, self.streams = depth, streams
        super().__init__({"w": In(Units).array(streams), "r": Out(Units), "pairs": Out(Pairs),
                          "empty": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fifos = []
        for n in range(self.streams):
            fifo = m.submodules[f"fifo{n}"] = ParameterFifo(self.depth // self.streams)
            wiring.connect(m, wiring.flipped(self.w[n]), fifo.w)
            fifos.append(fifo)
        m.d.comb += self.empty.eq(reduce(and_, (fifo.empty for fifo in fifos)))
        if self.streams == 1:
            wiring.connect(m, fifos[0].r, wiring.flipped(self.r))
            wiring.connect(m, fifos[0].pairs, wiring.flipped(self.pairs))
            return m
        place, turn = Signal(range(BURST_UNITS)), Signal(range(self.streams))
        for mine, name in ((self.r, "r"), (self.pairs, "pairs")):
            theirs = [getattr(fifo, name) for fifo in fifos]
            m.d.comb += [
                mine.valid.eq(Array(stream.valid for stream in theirs)[turn]),
                mine.payload.eq(Array(stream.payload for stream in theirs)[turn]),
                *(stream.ready.eq(mine.ready & (turn == n)) for n, stream in enumerate(theirs)),
            ]
        # the last bit of `place` and what is taken say when a burst ends
        with m.If(self.r.valid & self.pairs.ready):
            m.d.sync += place.eq(place + 2)
        with m.Elif(self.r.valid & self.r.ready):
            m.d.sync += place.eq(place + 1)
        with m.If(self.r.valid & (self.pairs.ready & place[1:].all()
                                  | self.r.ready & place.all())):
            m.d.sync += turn.eq(turn + 1)
        return m
