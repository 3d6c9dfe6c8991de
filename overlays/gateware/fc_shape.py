"""How a map lies in rows of the buffer: its chunks, the words that it owns, its real inputs."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import MAX_CHANNELS, ROW, WORD
from overlays.gateware.interfaces import StageShape

WORDS = ROW // WORD
LATENCY = 3
"""Cycles from the shape to the last of the values."""


class FcShape(wiring.Component):
    """What fc needs to know of its source map.

    Cost: 90 LUT, 70 FF.

    Ports
    -----
    shape : stable while a layer runs
    chunks : rows of the buffer for an image
    owned, owned_last : words of a row, and of an image's last row, that belong to a channel
    inputs : height * width * channels
    target_rows : rows of the target buffer for an image: `outputs` bits
    """

    shape: In(StageShape)
    chunks: Out(6)
    owned: Out(WORDS)
    owned_last: Out(WORDS)
    inputs: Out(14)
    target_rows: Out(5)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        channel_words = self.shape.channels >> 6
        dense = self.shape.channels > MAX_CHANNELS  # a 1 x 1 map
        pixels, words, real, places = Signal(8), Signal(9), Signal(8), Signal(WORDS)
        m.d.sync += [
            pixels.eq(self.shape.height * self.shape.width),
            # A pixel takes 2, 4 or 8 words; the first ones hold its channels.
            words.eq(Mux(dense, channel_words, Mux(
                channel_words > 4, pixels << 3, Mux(channel_words > 2, pixels << 2, pixels << 1)))),
            places.eq(Mux(dense | (channel_words > 4), Cat(
                channel_words > j for j in range(8)), Mux(channel_words > 2, Cat(
                    channel_words > j % 4 for j in range(8)), Cat(
                        channel_words > j % 2 for j in range(8))))),
            real.eq(pixels * channel_words),
            self.chunks.eq((words + WORDS - 1) >> 3),
            self.owned.eq(places),
            self.owned_last.eq(places & Cat((words - 1)[:3] >= j for j in range(WORDS))),
            self.inputs.eq(real << 6),
            self.target_rows.eq((self.shape.outputs + ROW - 1) >> 9),
        ]
        return m
