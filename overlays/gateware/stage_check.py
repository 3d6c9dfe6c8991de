"""Can the hardware run the stage that the registers describe?  After docs/contract.md."""

from typing import Sequence, Tuple

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import ROW, Config
from overlays.gateware.geometry import at_most, log2_in_row, pixels
from overlays.gateware.pipeline import register
from overlays.gateware.register_layout import StageRegisters, width
from pynq_bnn import registers as r

ROW_BYTES = ROW // 8
PIXEL_BITS = (r.MAX_SIDE * r.MAX_SIDE).bit_length()


class StageCheck(wiring.Component):
    """Finds the first of the errors STAGE, BUFFER, SHAPE, SIZE, ADDRESS.

    `code`, and for a stage that fits whether its target map takes a quarter of a buffer's rows at
    most, are right LATENCY cycles after the inputs have settled.  There is a register after every
    small step; since the inputs stand still meanwhile, the ways to `code` may differ in length.
    Where a product is bounded, a factor is compared with a quotient from a table: rows * batch >
    room exactly when rows > room // batch.

    Cost: 340 LUT, 270 flip-flops, no DSP.
    """

    kind: In(width("STAGE", "KIND"))
    registers: In(StageRegisters)
    code: Out(width("ERROR", "CODE"))
    target_in_quarter: Out(1)

    LATENCY = 11

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s, kind, config = self.registers, self.kind, self.config

        def later(value: ValueLike) -> Signal:
            return register(m, value)

        fp, last, load = (later(kind == number) for number in (r.FP_CONV, r.LAST, r.LOAD))
        conv = later(kind.matches(r.FP_CONV, r.BIN_CONV))
        compute = later(kind.matches(*range(r.FP_CONV, r.LAST + 1)))
        bad_stage = later(~kind.matches(*range(r.LOAD, r.STORE + 1)))
        unpadded, pool = later(s.padding == r.PAD_NONE), later(s.pool)
        in_pixels, out_pixels = self._pixels(m, unpadded, pool)
        bad_shape = later(compute & ~self._shape_fits(m, fp, conv, last, unpadded, pool,
                                                        in_pixels))
        bad_rows = self._rows_exceed(m, fp, conv, last, in_pixels, out_pixels)

        # loads and stores
        place = later(Mux(kind == r.LOAD, s.target, s.source))
        bad_bytes = Const(0)
        rooms = {r.INPUT: config.batch * r.PICTURE_BYTES, r.SUMS: config.batch * r.BURST_BYTES,
                 **{buffer: config.fmap_rows * ROW_BYTES for buffer in (r.FMAP_A, r.FMAP_B)},
                 **{buffer: config.fmap_rows // 4 * ROW_BYTES for buffer in r.QUARTERS}}
        for number, room in rooms.items():
            bad_bytes |= (place == number) & ~_within(m, s.dma_bytes, room)
        store_parameters = later((kind == r.STORE) & (s.source == r.PARAMS))
        bad_bytes |= store_parameters & ~_within(m, s.dma_bytes, r.STORE_BYTES_MAX)
        low = (r.BURST_BYTES - 1).bit_length()
        unaligned = later((s.dma_address[:low] | s.dma_bytes[:low]).any())
        bad_address = later(~compute & (unaligned | later(s.dma_bytes == 0)))

        bad_size = later(Mux(compute, bad_rows, bad_bytes))
        code = Mux(bad_address, r.ERROR_ADDRESS, r.ERROR_NONE)
        for bad, number in ((bad_size, r.ERROR_SIZE), (bad_shape, r.ERROR_SHAPE),
                            (later(~self._buffers_fit(m)), r.ERROR_BUFFER),
                            (bad_stage, r.ERROR_STAGE)):
            code = Mux(bad, number, code)
        m.d.sync += self.code.eq(code)
        return m

    def _pixels(self, m: Module, unpadded: Value, pool: Value) -> Tuple[Signal, Signal]:
        """Pixels of a convolution's source and target map, right if the shape fits."""
        s = self.registers
        height, width = (register(m, side[:6]) for side in (s.height, s.width))
        source = pixels(m, height, width, PIXEL_BITS)
        # (height - 2) (width - 2)
        less = register(m, (register(m, height + width) - 2)[:7])
        inner = register(m, (source - Mux(unpadded, less << 1, 0))[:PIXEL_BITS])
        return source, register(m, Mux(pool, inner >> 2, inner))

    def _rows_exceed(self, m: Module, fp: Value, conv: Value, last: Value, in_pixels: Value,
                     out_pixels: Value) -> Signal:
        """Whether an image's source or target map takes more than its part of a buffer's rows, or
        of a quarter of them where one lies in a quarter.

        A row holds 1, 2 or 4 pixels or, of a single one with more channels, 8 blocks of 64.
        """
        s = self.registers
        most = (1 << PIXEL_BITS) - 1
        batch = register(m, s.batch[:self.config.batch.bit_length()])
        to_map = self.kind.matches(r.BIN_CONV, r.BIN_FC)
        quarter = register(m, s.source.matches(*r.QUARTERS)
                           | s.target.matches(*r.QUARTERS) & to_map)

        def exceeds(things: Value, things_in_row: Value) -> Tuple[Signal, Signal]:
            rows = self.config.fmap_rows
            tables = [[min(((room // images if images else 0) << shift), most)
                       for images in range(1 << len(batch)) for shift in range(4)]
                      for room in (rows, rows // 4)]
            rooms = [register(m, _look_up(table, Cat(things_in_row, batch))) for table in tables]
            room = register(m, Mux(quarter, rooms[1], rooms[0]))
            count = register(m, things)
            return register(m, count > room), register(m, count > rooms[1])

        blocks, out_blocks = s.channels[6:14], s.outputs[6:14]
        many = register(m, ~at_most(blocks, ROW // r.CHANNEL_STEP))
        source, _ = exceeds(Mux(many, blocks, in_pixels), register(m, log2_in_row(blocks)))
        target, exceeds_quarter = exceeds(Mux(conv, out_pixels, out_blocks),
                                          register(m, Mux(conv, log2_in_row(out_blocks), 3)))
        m.d.sync += self.target_in_quarter.eq(~exceeds_quarter)
        return register(m, ~fp & source | ~last & target)

    def _buffers_fit(self, m: Module) -> Value:
        source, target = self.registers.source, self.registers.target
        from_whole, to_whole = (
            register(m, place.matches(r.FMAP_A, r.FMAP_B)) for place in (source, target))
        from_quarter, to_quarter = (
            register(m, place.matches(*r.QUARTERS)) for place in (source, target))
        from_map = from_whole | from_quarter
        from_sums, from_params = register(m, source == r.SUMS), register(m, source == r.PARAMS)
        to_memory = register(m, target.matches(r.INPUT, r.PARAMS))
        other = register(m, source != target)
        between_maps = from_whole & to_whole & other
        to_end = from_map & to_quarter & register(m, source != r.FMAP_A) & other
        fits = {
            r.LOAD: to_memory,
            r.FP_CONV: register(m, source == r.INPUT) & to_whole,
            r.BIN_CONV: between_maps | to_end,
            r.BIN_FC: between_maps | to_end,
            r.LAST: from_map & register(m, target == r.SUMS),
            r.STORE: from_map | from_sums | from_params,
        }
        return _look_up([fits.get(kind, 1) for kind in range(16)], register(m, self.kind))

    def _shape_fits(self, m: Module, fp: Value, conv: Value, last: Value, unpadded: Value,
                    pool: Value, in_pixels: Value) -> Value:
        s = self.registers

        def later(value: ValueLike) -> Signal:
            return register(m, value)

        sides = [later(side.any() & at_most(side, r.MAX_SIDE)) for side in (s.height, s.width)]
        single = later((s.height == 1) & (s.width == 1))
        thin = later(at_most(s.height, 2) | at_most(s.width, 2))
        odd = later(s.height[0] | s.width[0])
        middle = later(conv & (unpadded & thin | pool & odd))
        in_steps = later((s.channels % r.CHANNEL_STEP == 0) & s.channels.any())
        few, some = (_within(m, s.channels, most) for most in (r.MAX_CHANNELS, r.MAX_FC_INPUTS))
        channels = later(Mux(fp, later(s.channels == 3), in_steps & Mux(single & ~conv, some, few)))
        out_steps, out_any = later(s.outputs % r.CHANNEL_STEP == 0), later(s.outputs.any())
        out_few, out_some, out_classes = (_within(m, s.outputs, most) for most in (
            r.MAX_CHANNELS, r.MAX_FC_INPUTS, r.MAX_CLASSES))
        outputs = later(Mux(last, out_classes & later(s.outputs[1:].any()),
                           out_steps & out_any & Mux(conv, out_few, out_some)))
        padding = later(~conv | s.padding.matches(r.PAD_ZERO, r.PAD_NONE)
                       | (s.padding == r.PAD_ONE) & ~fp)
        batch = later(s.batch.any()) & _within(m, s.batch, self.config.batch)
        # an FC layer's inputs; those of a single pixel are bounded already
        blocks = s.channels[6:10]
        table = [r.MAX_FC_INPUTS // r.CHANNEL_STEP // count if 1 <= count <= ROW // r.CHANNEL_STEP
                 else r.MAX_FC_INPUTS // r.CHANNEL_STEP for count in range(16)]
        inputs = later(conv | ~later(in_pixels > later(_look_up(table, blocks))))
        return sides[0] & sides[1] & ~middle & channels & outputs & padding & batch & inputs


def _within(m: Module, value: Value, limit: int) -> Value:
    """value <= limit, a cycle later."""
    bits = limit.bit_length()
    return register(m, at_most(value[:bits], limit)) & ~register(m, value[bits:].any())


def _look_up(table: Sequence[ValueLike], index: Value) -> Value:
    return Array([Value.cast(entry) for entry in table])[index]
