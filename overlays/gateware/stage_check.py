"""Can the hardware run the stage that the registers describe?  After docs/contract.md."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import (
    BURST_BYTES,
    MAX_CHANNELS,
    MAX_CLASSES,
    MAX_FC_INPUTS,
    MAX_SIDE,
    ROW,
    Config,
)
from pynq_bnn import registers as r

ROW_BYTES = ROW // 8
INPUT_BYTES_EACH = MAX_SIDE * MAX_SIDE * 4

StageRegisters = data.StructLayout({
    "dma_address": 32, "dma_bytes": 32, "source": 4, "target": 4, "height": 8, "width": 8,
    "channels": 16, "outputs": 32, "padding": 2, "pool": 1, "batch": 32,
})
"""The stage registers, decoded."""


class StageCheck(wiring.Component):
    """Finds the first of the errors STAGE, BUFFER, SHAPE, SIZE, ADDRESS.

    `code` is right LATENCY cycles after the inputs have settled: the shapes' products are taken in
    steps, each in a register of its own.
    """

    kind: In(4)
    registers: In(StageRegisters)
    code: Out(8)

    LATENCY = 5

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s, kind = self.registers, self.kind
        fp, conv = kind == r.FP_CONV, (kind == r.FP_CONV) | (kind == r.BIN_CONV)
        last, compute = kind == r.LAST, (kind >= r.FP_CONV) & (kind <= r.LAST)
        parameters = Mux(kind == r.LOAD, s.target, s.source) == r.PARAMS
        unpadded, pool = conv & (s.padding == r.PAD_NONE), conv & s.pool

        # step 1: the sums' height and width, and everything that needs no product
        sum_height, sum_width = Signal(8), Signal(8)
        bad_buffer, bad_shape1 = Signal(), Signal()
        m.d.sync += [
            sum_height.eq(s.height - Mux(unpadded, 2, 0)),
            sum_width.eq(s.width - Mux(unpadded, 2, 0)),
            bad_buffer.eq(~self._buffers_fit()),
            bad_shape1.eq(compute & ~self._shape_fits(fp, conv, last)),
        ]
        # step 2: pixels of source and target map
        pixels, out_pixels, bad_shape2 = Signal(12), Signal(12), Signal()
        out_height = Mux(pool, sum_height >> 1, Mux(conv, sum_height, 1))
        out_width = Mux(pool, sum_width >> 1, Mux(conv, sum_width, 1))
        m.d.sync += [
            pixels.eq(s.height[:6] * s.width[:6]),
            out_pixels.eq(out_height[:6] * out_width[:6]),
            bad_shape2.eq(bad_shape1 | conv & (
                (sum_height == 0) | sum_height[7] | (sum_width == 0) | sum_width[7]
                | pool & (sum_height[0] | sum_width[0]))),
        ]
        # step 3: rows of an image's source and target map; inputs of an FC layer
        source_rows, target_rows, inputs = Signal(12), Signal(12), Signal(26)
        m.d.sync += [
            source_rows.eq(Mux(fp, 0, map_rows(pixels, s.channels))),
            target_rows.eq(Mux(last, 0, map_rows(out_pixels, s.outputs[:14]))),
            inputs.eq(pixels * s.channels[:14]),
        ]
        # step 4: of the whole batch
        rows = Signal(21)
        batch = s.batch[:8]
        m.d.sync += rows.eq(Mux(source_rows > target_rows, source_rows, target_rows) * batch)
        # step 5: the verdict
        room = Signal(32)
        config = self.config
        with m.Switch(Mux(kind == r.LOAD, s.target, s.source)):
            with m.Case(r.INPUT):
                m.d.comb += room.eq(config.batch * INPUT_BYTES_EACH)
            with m.Case(r.SUMS):
                m.d.comb += room.eq(config.batch * BURST_BYTES)
            with m.Default():
                m.d.comb += room.eq(config.fmap_rows * ROW_BYTES)
        bad_shape = bad_shape2 | compute & ~conv & (inputs > MAX_FC_INPUTS)
        bad_size = Mux(compute, rows > config.fmap_rows, ~parameters & (s.dma_bytes > room))
        low = (BURST_BYTES - 1).bit_length()
        bad_address = ~compute & ((s.dma_address[:low] != 0) | (s.dma_bytes[:low] != 0)
                                  | (s.dma_bytes == 0))
        code = Mux(bad_address, r.ERROR_ADDRESS, r.ERROR_NONE)
        for bad, number in ((bad_size, r.ERROR_SIZE), (bad_shape, r.ERROR_SHAPE),
                            (bad_buffer, r.ERROR_BUFFER),
                            ((kind < r.LOAD) | (kind > r.STORE), r.ERROR_STAGE)):
            code = Mux(bad, number, code)
        m.d.sync += self.code.eq(code)
        return m

    def _buffers_fit(self) -> object:
        s = self.registers
        from_map = (s.source == r.FMAP_A) | (s.source == r.FMAP_B)
        to_map = (s.target == r.FMAP_A) | (s.target == r.FMAP_B)
        fits = {
            r.LOAD: (s.target == r.INPUT) | (s.target == r.PARAMS),
            r.FP_CONV: (s.source == r.INPUT) & to_map,
            r.BIN_CONV: from_map & to_map & (s.source != s.target),
            r.BIN_FC: from_map & to_map & (s.source != s.target),
            r.LAST: from_map & (s.target == r.SUMS),
            r.STORE: from_map | (s.source == r.SUMS) | (s.source == r.PARAMS),
        }
        return Array([fits.get(kind, 1) for kind in range(16)])[self.kind]

    def _shape_fits(self, fp: object, conv: object, last: object) -> object:
        s = self.registers
        steps = (s.channels[:6] == 0) & (s.channels != 0)
        sides = (s.height != 0) & (s.height <= MAX_SIDE) & (s.width != 0) & (s.width <= MAX_SIDE)
        single = (s.height == 1) & (s.width == 1) & ~conv
        channels = Mux(fp, s.channels == 3, steps & (
            s.channels <= Mux(single, MAX_FC_INPUTS, MAX_CHANNELS)))
        most = Mux(conv, MAX_CHANNELS, MAX_FC_INPUTS)
        outputs = Mux(last, (s.outputs >= 2) & (s.outputs <= MAX_CLASSES),
                      (s.outputs[:6] == 0) & (s.outputs <= most)) & (s.outputs != 0)
        padding = ~conv | (s.padding == r.PAD_ZERO) | (s.padding == r.PAD_NONE) | (
            ~fp & (s.padding == r.PAD_ONE))
        batch = (s.batch != 0) & (s.batch <= self.config.batch)
        return sides & channels & outputs & padding & batch


def map_rows(pixels: object, channels: object) -> object:
    """Rows of 512 bits that an image of `pixels` pixels takes, pixels stored P(channels) wide."""
    wide = (channels + ROW - 1) >> 9
    return Mux(channels <= 128, (pixels + 3) >> 2,
               Mux(channels <= 256, (pixels + 1) >> 1, Mux(channels <= ROW, pixels, wide)))
