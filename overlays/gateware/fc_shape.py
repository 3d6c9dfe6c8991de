"""How a map lies in rows of the buffer: its chunks, the words that it owns, its real inputs."""

from amaranth import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import ROW, WORD
from overlays.gateware.geometry import pixels, times2
from overlays.gateware.interfaces import StageShape
from overlays.gateware.pipeline import register

WORDS = ROW // WORD
LATENCY = 5
"""Cycles from the shape to the last of the values."""


class FcShape(wiring.Component):
    """What fc needs to know of its source map.

    Products are taken two bits at a time, so a short carry chain at most lies between registers.

    Cost: 90 LUT, 130 FF.

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
        height, width, outputs = self.shape.height, self.shape.width, self.shape.outputs
        blocks = self.shape.channels[6:]    # of 64 channels
        few = blocks[:4]                    # the same but for a 1 x 1 map
        dense = register(m, blocks > WORDS, "dense")  # a 1 x 1 map
        wide, medium = register(m, few > 4, "wide"), register(m, few > 2, "medium")

        map_pixels = pixels(m, height, width, 8, keep=True)
        # A pixel takes 2, 4 or 8 words; the first ones hold its channels.
        words = register(m, Mux(dense, blocks, Mux(
            wide, map_pixels << 3, Mux(medium, map_pixels << 2, map_pixels << 1)))[:9], "words")
        products = [register(m, times2(map_pixels, few[bit:bit + 2]), f"product{bit}")
                    for bit in (0, 2)]
        places = register(m, Cat(
            dense | Mux(few > 4, few > j, Mux(few > 2, few > j % 4, few > j % 2))
            for j in range(WORDS)), "places")
        rest = register(m, outputs[:9].any(), "rest")
        m.d.comb += [
            self.chunks.eq(register(m, (words[3:] + words[:3].any())[:6], "rows")),
            self.owned.eq(places),
            self.owned_last.eq(register(m, places & Cat(
                (words[:3] - 1)[:3] >= j for j in range(WORDS)), "last_places")),
            self.inputs.eq(register(m, Mux(
                dense, blocks, products[0] + (products[1] << 2))[:8], "real") << 6),
            self.target_rows.eq(register(m, (outputs[9:] + rest)[:5], "targets")),
        ]
        return m
