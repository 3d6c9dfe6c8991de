"""Can the hardware run the stage that the registers describe?  After docs/contract.md."""

from typing import Sequence, Tuple

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value, ValueLike
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
PIXEL_BITS = (MAX_SIDE * MAX_SIDE).bit_length()
BLOCK = 64
"""Channels come in multiples of this."""

StageRegisters = data.StructLayout({
    "dma_address": 32, "dma_bytes": 32, "source": 4, "target": 4, "height": 8, "width": 8,
    "channels": 16, "outputs": 32, "padding": 2, "pool": 1, "batch": 32,
})
"""The stage registers, decoded."""


class StageCheck(wiring.Component):
    """Finds the first of the errors STAGE, BUFFER, SHAPE, SIZE, ADDRESS.

    `code` is right LATENCY cycles after the inputs have settled.  Between two registers lies next
    to nothing; since the inputs stand still, it matters not which way is longer.  Where a product
    is bounded, a factor is compared with a quotient from a table: rows * batch > room exactly when
    rows > room // batch.

    Cost: 270 LUT, 220 flip-flops, no DSP.
    """

    kind: In(4)
    registers: In(StageRegisters)
    code: Out(8)

    LATENCY = 11

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s, kind, config = self.registers, self.kind, self.config

        def held(value: ValueLike) -> Signal:
            return _held(m, value)

        fp, last, load = (held(kind == number) for number in (r.FP_CONV, r.LAST, r.LOAD))
        conv = held(kind.matches(r.FP_CONV, r.BIN_CONV))
        compute = held(kind.matches(*range(r.FP_CONV, r.LAST + 1)))
        bad_stage = held(~kind.matches(*range(r.LOAD, r.STORE + 1)))
        unpadded, pool = held(s.padding == r.PAD_NONE), held(s.pool)
        pixels, out_pixels = self._pixels(m, unpadded, pool)
        bad_shape = held(compute & ~self._shape_fits(m, fp, conv, last, unpadded, pool, pixels))
        bad_rows = self._rows_exceed(m, fp, conv, last, pixels, out_pixels)

        # loads and stores
        place = held(Mux(kind == r.LOAD, s.target, s.source))
        bad_bytes = Const(0)
        rooms = {r.INPUT: config.batch * INPUT_BYTES_EACH, r.SUMS: config.batch * BURST_BYTES,
                 r.FMAP_A: config.fmap_rows * ROW_BYTES, r.FMAP_B: config.fmap_rows * ROW_BYTES}
        for number, room in rooms.items():
            bad_bytes |= (place == number) & ~_within(m, s.dma_bytes, room)
        low = (BURST_BYTES - 1).bit_length()
        unaligned = held((s.dma_address[:low] | s.dma_bytes[:low]).any())
        bad_address = held(~compute & (unaligned | held(s.dma_bytes == 0)))

        bad_size = held(Mux(compute, bad_rows, bad_bytes))
        code = Mux(bad_address, r.ERROR_ADDRESS, r.ERROR_NONE)
        for bad, number in ((bad_size, r.ERROR_SIZE), (bad_shape, r.ERROR_SHAPE),
                            (held(~self._buffers_fit(m)), r.ERROR_BUFFER),
                            (bad_stage, r.ERROR_STAGE)):
            code = Mux(bad, number, code)
        m.d.sync += self.code.eq(code)
        return m

    def _pixels(self, m: Module, unpadded: Value, pool: Value) -> Tuple[Signal, Signal]:
        """Pixels of a convolution's source and target map, right if the shape fits."""
        s = self.registers
        height, width = (_held(m, side[:6]) for side in (s.height, s.width))
        parts = [Mux(width[bit], height, 0) for bit in range(6)]
        pairs = [_held(m, parts[bit] + (parts[bit + 1] << 1)) for bit in range(0, 6, 2)]
        low = _held(m, pairs[0] + (pairs[1] << 2))
        pixels = _held(m, (low + (pairs[2] << 4))[:PIXEL_BITS])
        # (height - 2) (width - 2)
        less = _held(m, (_held(m, height + width) - 2)[:7])
        inner = _held(m, (pixels - Mux(unpadded, less << 1, 0))[:PIXEL_BITS])
        return pixels, _held(m, Mux(pool, inner >> 2, inner))

    def _rows_exceed(self, m: Module, fp: Value, conv: Value, last: Value, pixels: Value,
                     out_pixels: Value) -> Signal:
        """Whether an image's source or target map takes more than its part of a buffer's rows.

        A row holds 1, 2 or 4 pixels or, of a single one with more channels, 8 blocks of 64.
        """
        s = self.registers
        most = (1 << PIXEL_BITS) - 1
        batch = _held(m, s.batch[:self.config.batch.bit_length()])

        def exceeds(things: Value, things_in_row: Value) -> Signal:
            table = [min(((self.config.fmap_rows // images if images else 0) << shift), most)
                     for images in range(1 << len(batch)) for shift in range(4)]
            room = _held(m, _look_up(table, Cat(things_in_row, batch)))
            return _held(m, _held(m, things) > room)

        blocks, out_blocks = s.channels[6:14], s.outputs[6:14]
        many = _held(m, ~at_most(blocks, ROW // BLOCK))
        source = exceeds(Mux(many, blocks, pixels), _held(m, _log2_in_row(blocks)))
        target = exceeds(Mux(conv, out_pixels, out_blocks),
                         _held(m, Mux(conv, _log2_in_row(out_blocks), 3)))
        return _held(m, ~fp & source | ~last & target)

    def _buffers_fit(self, m: Module) -> Value:
        source, target = self.registers.source, self.registers.target
        from_map, to_map = (
            _held(m, place.matches(r.FMAP_A, r.FMAP_B)) for place in (source, target))
        from_sums, from_params = _held(m, source == r.SUMS), _held(m, source == r.PARAMS)
        to_memory = _held(m, target.matches(r.INPUT, r.PARAMS))
        between_maps = from_map & to_map & _held(m, source != target)
        fits = {
            r.LOAD: to_memory,
            r.FP_CONV: _held(m, source == r.INPUT) & to_map,
            r.BIN_CONV: between_maps,
            r.BIN_FC: between_maps,
            r.LAST: from_map & _held(m, target == r.SUMS),
            r.STORE: from_map | from_sums | from_params,
        }
        return _look_up([fits.get(kind, 1) for kind in range(16)], _held(m, self.kind))

    def _shape_fits(self, m: Module, fp: Value, conv: Value, last: Value, unpadded: Value,
                    pool: Value, pixels: Value) -> Value:
        s = self.registers

        def held(value: ValueLike) -> Signal:
            return _held(m, value)

        sides = [held(side.any() & at_most(side, MAX_SIDE)) for side in (s.height, s.width)]
        single = held((s.height == 1) & (s.width == 1))
        thin, odd = held(at_most(s.height, 2) | at_most(s.width, 2)), held(s.height[0] | s.width[0])
        middle = held(conv & (unpadded & thin | pool & odd))
        in_steps = held((s.channels % BLOCK == 0) & s.channels.any())
        few, some = (_within(m, s.channels, most) for most in (MAX_CHANNELS, MAX_FC_INPUTS))
        channels = held(Mux(fp, held(s.channels == 3), in_steps & Mux(single & ~conv, some, few)))
        out_steps, out_any = held(s.outputs % BLOCK == 0), held(s.outputs.any())
        out_few, out_some, out_classes = (
            _within(m, s.outputs, most) for most in (MAX_CHANNELS, MAX_FC_INPUTS, MAX_CLASSES))
        outputs = held(Mux(last, out_classes & held(s.outputs[1:].any()),
                           out_steps & out_any & Mux(conv, out_few, out_some)))
        padding = held(~conv | s.padding.matches(r.PAD_ZERO, r.PAD_NONE)
                       | (s.padding == r.PAD_ONE) & ~fp)
        batch = held(s.batch.any()) & _within(m, s.batch, self.config.batch)
        # an FC layer's inputs; those of a single pixel are bounded already
        blocks = s.channels[6:10]
        table = [MAX_FC_INPUTS // BLOCK // count if 1 <= count <= ROW // BLOCK
                 else MAX_FC_INPUTS // BLOCK for count in range(16)]
        inputs = held(conv | ~held(pixels > held(_look_up(table, blocks))))
        return sides[0] & sides[1] & ~middle & channels & outputs & padding & batch & inputs


def at_most(value: Value, limit: int) -> Value:
    """value <= limit, in LUTs without a carry chain."""
    fits = Const(1)
    for bit in range(len(value)):
        fits = ~value[bit] | fits if limit >> bit & 1 else ~value[bit] & fits
    return fits


def _within(m: Module, value: Value, limit: int) -> Value:
    """value <= limit, a cycle later."""
    bits = limit.bit_length()
    return _held(m, at_most(value[:bits], limit)) & ~_held(m, value[bits:].any())


def _held(m: Module, value: ValueLike) -> Signal:
    """`value` in a register."""
    value = Value.cast(value)
    register = Signal(len(value), reset_less=True)
    m.d.sync += register.eq(value)
    return register


def _look_up(table: Sequence[ValueLike], index: Value) -> Value:
    return Array([Value.cast(entry) for entry in table])[index]


def _log2_in_row(blocks: Value) -> Value:
    """log2 of the pixels of so many 64-channel blocks in a row of 512 bits; 3 if less than one."""
    return Mux(at_most(blocks, 2), 2, Mux(at_most(blocks, 4), 1, Mux(at_most(blocks, 8), 0, 3)))
