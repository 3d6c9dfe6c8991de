"""How a map lies in rows of the buffer: its chunks, the words that it owns, its real inputs."""

from amaranth import Cat, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import ROW, WORD
from overlays.gateware.fc_lanes import register
from overlays.gateware.interfaces import StageShape

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
        dense = register(m, "dense", blocks > WORDS)  # a 1 x 1 map
        wide, medium = register(m, "wide", few > 4), register(m, "medium", few > 2)

        pairs = [register(m, f"pair{bit}", _times2(height, width[bit:bit + 2]))
                 for bit in (0, 2, 4)]
        low = register(m, "low", pairs[0] + (pairs[1] << 2))
        pixels = register(m, "pixels", (low + (pairs[2] << 4))[:8], keep=True)
        # A pixel takes 2, 4 or 8 words; the first ones hold its channels.
        words = register(m, "words", Mux(dense, blocks, Mux(
            wide, pixels << 3, Mux(medium, pixels << 2, pixels << 1)))[:9])
        products = [register(m, f"product{bit}", _times2(pixels, few[bit:bit + 2]))
                    for bit in (0, 2)]
        places = register(m, "places", Cat(
            dense | Mux(few > 4, few > j, Mux(few > 2, few > j % 4, few > j % 2))
            for j in range(WORDS)))
        rest = register(m, "rest", outputs[:9].any())
        m.d.comb += [
            self.chunks.eq(register(m, "rows", (words[3:] + words[:3].any())[:6])),
            self.owned.eq(places),
            self.owned_last.eq(register(m, "last_places", places & Cat(
                (words[:3] - 1)[:3] >= j for j in range(WORDS)))),
            self.inputs.eq(register(m, "real", Mux(
                dense, blocks, products[0] + (products[1] << 2))[:8]) << 6),
            self.target_rows.eq(register(m, "targets", (outputs[9:] + rest)[:5])),
        ]
        return m


def _times2(number: Value, bits: Value) -> Value:
    """The product with a number of two bits."""
    return Mux(bits[0], number, 0) + (Mux(bits[1], number, 0) << 1)
