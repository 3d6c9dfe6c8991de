"""The order in which a convolution reads pixels: row after row, over all images and passes."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import MAX_SIDE, TAPS
from overlays.gateware.interfaces import MERGE_CYCLES, StageShape
from pynq_bnn.registers import PAD_NONE, PAD_ONE, PAD_ZERO

Centre = data.StructLayout({
    "valid": 1,      # the window's centre has an output; the others only with this
    "row_end": 1,    # the last output of its row, image, pass
    "image_end": 1,
    "pass_end": 1,
})

Step = data.StructLayout({
    "pixel": 1,          # a pixel of the map is read; else it is zero
    "quarter": 2,        # of the buffer's row, where it begins
    "write": 1,          # a column of the raster (PAD_ONE's zero column and pauses are none)
    "column": range(MAX_SIDE),
    "centre": Centre,    # of the window around the pixel one row above
    "taps": TAPS,        # of that window: inside the map, or padded with +1
})


class Raster(wiring.Component):
    """Makes one step a cycle: which pixel is read, and what the centre one row above it is.

    The centres' row is the one read before; so while the last row of an image is worked on, the
    first of the next image or pass is read; only after the last pass comes a row without pixels.
    PAD_ONE adds a row of zeros above each image and a column of zeros right of it.  A pass pauses
    before its first row of centres until `ready`, and starts at least MERGE_CYCLES after the one
    before.

    Ports
    -----
    start : pulse; `shape` and `spread` are right from the cycle before on, `passes` from this one
    spread : log2 of the quarters of a pixel, 0 to 2
    passes : of the layer, at least 1
    ready : the weights of the next pass are there
    take : they are being used: steps of the pass follow from the next cycle on
    waiting : the raster pauses because they are not there
    address : of the buffer's row with the step's pixel
    step : combinational, from registers

    Cost: 140 LUT, 110 flip-flops.
    """

    start: In(1)
    shape: In(StageShape)
    spread: In(2)
    passes: In(10)
    ready: In(1)
    take: Out(1)
    waiting: Out(1)
    address: Out(16)
    step: Out(Step)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape, step = self.shape, self.step
        zero, one, none = (Signal(name=name) for name in ("zero", "one", "none"))
        last_column, last_row, end_column, end_row = (
            Signal(6, name=name)
            for name in ("last_column", "last_row", "end_column", "end_row"))
        last_image, last_pass = Signal(8), Signal(10)
        m.d.sync += [
            zero.eq(shape.padding == PAD_ZERO),
            one.eq(shape.padding == PAD_ONE),
            none.eq(shape.padding == PAD_NONE),
            last_column.eq(shape.width - ~one),
            last_row.eq(shape.height - ~one),
            end_column.eq(shape.width - Mux(none, 2, 1)),
            end_row.eq(shape.height - Mux(none, 2, ~one)),
            last_image.eq(shape.images - 1),
            last_pass.eq(self.passes - 1),
        ]

        # What is read.
        active, flush, hold = Signal(), Signal(), Signal()
        column, row = Signal(6), Signal(6)
        image, pass_ = Signal(8), Signal(10)
        address, quarter = Signal(16), Signal(2)
        # The row of centres, one above.
        has_centres, is_first, is_last, is_end, of_last_image = (
            Signal(name=name)
            for name in ("has_centres", "is_first", "is_last", "is_end", "of_last_image"))

        moves, row_done, opens_pass, pixel = Signal(), Signal(), Signal(), Signal()
        zero_column, spaced = Signal(), Signal()
        spacing = Signal(range(MERGE_CYCLES))
        go = Signal()
        m.d.comb += [
            moves.eq(active & ~hold),
            row_done.eq(moves & (column == last_column)),
            zero_column.eq(one & (column == last_column)),
            opens_pass.eq((row == 0) & (image == 0) & ~flush),
            pixel.eq(moves & ~flush & ~zero_column & ~(one & (row == 0))),
            spaced.eq(spacing == 0),
            go.eq(self.ready & spaced),
            self.take.eq(go & (hold | (row_done & opens_pass))),
            self.waiting.eq(hold & ~self.ready),
        ]
        with m.If(self.take):
            m.d.sync += spacing.eq(MERGE_CYCLES - 1)
        with m.Elif(~spaced):
            m.d.sync += spacing.eq(spacing - 1)
        with m.If(hold & go):
            m.d.sync += hold.eq(0)

        after, next_address = Signal(3), Signal()
        with m.If(row_done & (row == last_row)):  # the next image begins a row of the buffer
            m.d.comb += next_address.eq(pixel | (quarter != 0))
        with m.Else():
            m.d.comb += next_address.eq(pixel & after[2])
        stride = Signal(3)
        m.d.sync += stride.eq(1 << self.spread)
        m.d.comb += after.eq(quarter + stride)
        with m.If(next_address):
            m.d.sync += address.eq(address + 1)
        with m.If(pixel):
            m.d.sync += quarter.eq(after)
        with m.If(moves):
            m.d.sync += column.eq(column + 1)
        with m.If(row_done):
            m.d.sync += [
                column.eq(0),
                row.eq(row + 1),
                hold.eq(opens_pass & ~go),
                has_centres.eq(~flush & (zero | (row != 0)) & ~(none & (row == last_row))),
                is_first.eq(row == 0),
                is_last.eq(row == last_row),
                is_end.eq(row == end_row),
                of_last_image.eq(image == last_image),
                active.eq(~flush),
            ]
            with m.If(row == last_row):
                m.d.sync += [row.eq(0), image.eq(image + 1), quarter.eq(0)]
                with m.If(image == last_image):
                    m.d.sync += [image.eq(0), address.eq(0), pass_.eq(pass_ + 1),
                                 flush.eq(pass_ == last_pass)]
        with m.If(self.start):
            m.d.sync += [
                active.eq(1), flush.eq(0), hold.eq(0), has_centres.eq(0),
                column.eq(0), row.eq(0), image.eq(0), pass_.eq(0), address.eq(0), quarter.eq(0),
            ]

        left = zero & (column == 0)
        right = zero & (column == last_column)
        rows = (~(zero & is_first), 1, ~(zero & is_last))
        columns = (~left, 1, ~right)
        row_end = column == end_column
        m.d.comb += [
            self.address.eq(address),
            step.pixel.eq(pixel),
            step.quarter.eq(quarter),
            step.write.eq(moves & ~zero_column),
            step.column.eq(column),
            step.centre.valid.eq(moves & has_centres & ~zero_column
                                 & ~(none & ((column == 0) | (column == last_column)))),
            step.centre.row_end.eq(row_end),
            step.centre.image_end.eq(row_end & is_end),
            step.centre.pass_end.eq(row_end & is_end & of_last_image),
        ]
        m.d.comb += [step.taps[3 * ky + kx].eq(rows[ky] & columns[kx])
                     for ky in range(3) for kx in range(3)]
        return m
