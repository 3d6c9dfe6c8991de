"""From rows of a feature-map buffer to pixels: one a cycle, spread over four quarters."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import QUARTERS, ROW, UNIT
from overlays.gateware.interfaces import FMAP_READ_LATENCY
from overlays.gateware.pipeline import OWN
from overlays.gateware.raster import Step
from pynq_bnn.registers import CHANNEL_STEP

SLICE = 32
"""Channels that share copies of the control registers, so that no net gets wide."""
SLICES = ROW // SLICE


class Pixels(wiring.Component):
    """Reads a pixel a cycle and gives it to the reducers.

    Ports
    -----
    spread : stable since two cycles before the first step, as is `blocks`;
        log2 of the quarters of a pixel: 0 puts all channels into each of the four quarters,
        1 into quarters 0, 1 and again 2, 3, and 2 spreads them over all four
    blocks : 64-channel blocks of a pixel, 1 to 8; bits of others are masked
    step : LEAD cycles before its row, any cycle
    row : what the fmap port gives, FMAP_READ_LATENCY cycles after it was addressed
    pixel : LATENCY cycles after it was addressed; zero (+1) where the step reads none
    """

    spread: In(2)
    blocks: In(4)
    step: In(Step)
    row: In(ROW)
    pixel: Out(ROW)

    LATENCY = FMAP_READ_LATENCY + 1
    LEAD = 2
    """What selects and masks must be in the slices' registers when the row is there."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first_quarter = Signal(2, reset_less=True)
        masks = Signal(ROW // CHANNEL_STEP, reset_less=True)
        quarter_mask = Signal(2, **OWN)
        outside = Signal(ROW // CHANNEL_STEP, reset_less=True)
        m.d.sync += quarter_mask.eq(Mux(self.spread == 0, 0, Mux(self.spread == 1, 1, 3)))
        for block in range(ROW // CHANNEL_STEP):
            within = (block & 1) | (block >> 1 & quarter_mask) << 1  # of the pixel's own blocks
            m.d.sync += [outside[block].eq(within >= self.blocks),
                         masks[block].eq(~self.step.pixel | outside[block])]
        m.d.sync += first_quarter.eq(self.step.quarter)
        for i in range(SLICES):
            m.submodules[f"slice_{i}"] = part = PixelSlice()
            quarter, offset = divmod(i, SLICES // QUARTERS)
            m.d.comb += [
                part.candidates.eq(Cat(
                    self.row.word_select(q * UNIT // SLICE + offset, SLICE)
                    for q in range(QUARTERS))),
                part.select.eq(first_quarter | (quarter & quarter_mask)),
                part.mask.eq(masks[i * SLICE // CHANNEL_STEP]),
                self.pixel.word_select(i, SLICE).eq(part.pixel),
            ]
        return m


class PixelSlice(wiring.Component):
    """32 channels of the pixel, with registers of its own for what controls them.

    `select` and `mask` come a cycle before the candidates; `pixel` is that of the cycle before.
    """

    candidates: In(data.ArrayLayout(SLICE, QUARTERS))
    select: In(2)
    mask: In(1)
    pixel: Out(SLICE)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        select, mask = Signal(2, **OWN), Signal(**OWN)
        pixel = Signal(SLICE, reset_less=True)
        m.d.sync += [select.eq(self.select), mask.eq(self.mask),
                     pixel.eq(self.candidates[select])]
        with m.If(mask):  # the flip-flops' own reset: no LUT
            m.d.sync += pixel.eq(0)
        m.d.comb += self.pixel.eq(pixel)
        return m
