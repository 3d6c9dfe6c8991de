"""The order in which fp_conv visits the pictures: a column a cycle, over rows, images, passes."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.interfaces import MERGE_CYCLES, StageShape
from pynq_bnn.registers import PAD_NONE

Centre = data.StructLayout({
    "column": 1,        # a pixel was read; it goes into the line buffers at x
    "half": 1,          # which pixel of the word
    "x": 5,
    "sum": 1,           # the centre has a sum
    "sum_x": 5,
    "odd_row": 1,       # of sums
    "x_first": 1,
    "x_last": 1,
    "y_first": 1,
    "y_last": 1,
    "image_end": 1,     # the last sum of an image, of a pass, of the layer
    "pass_end": 1,
    "layer_end": 1,
    "pass_number": 7,
})
"""What a centre's column brings along through fp_conv."""


class FpRaster(wiring.Component):
    """Addresses of pixels and, with each, the centre one row above it.

    Pixels are read in raster order without gaps, row after row, image after image, the whole
    batch again for each pass, one row ahead of the centres.  The only pauses are in front of a
    pass: until its weights are there and MERGE_CYCLES after the pass before it began.

    Timing: the first column is issued in the cycle after `start`; `centre` is combinational and
    belongs to `address`.  A layer takes `width` cycles and then images * height * width a pass.

    Ports
    -----
    start, shape : as in interfaces.Stage
    passes : outputs / fp_outputs
    loaded : the weights of pass `centre.pass_number` are there
    address : word of the input buffer
    centre : the column issued in this cycle
    waiting : a pass can't begin because its weights are not there
    """

    start: In(1)
    shape: In(StageShape)
    passes: In(8)
    loaded: In(1)
    address: Out(16)
    centre: Out(Centre)
    waiting: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape, centre = self.shape, self.centre
        running, ahead = Signal(), Signal()  # ahead: the row that is read before the first centre
        x, y, image, number = Signal(5), Signal(5), Signal(8), Signal(7)
        read_y, read_image, pixel = Signal(5), Signal(8), Signal(17)
        gap = Signal(range(MERGE_CYCLES))

        none = shape.padding == PAD_NONE
        next_pixel = Signal(17)
        last_image, last_pass, begins = Signal(), Signal(), Signal()
        m.d.comb += [
            centre.half.eq(pixel[0]),
            self.address.eq(pixel[1:]),
            centre.x.eq(x),
            centre.x_first.eq(x == 0),
            centre.x_last.eq(x == shape.width - 1),
            centre.y_first.eq(y == 0),
            centre.y_last.eq(y == shape.height - 1),
            centre.pass_number.eq(number),
            begins.eq(~ahead & centre.x_first & centre.y_first & (image == 0)),
            self.waiting.eq(running & begins & ~self.loaded),
            centre.column.eq(running & (~begins | (self.loaded & (gap == 0)))),
            centre.sum.eq(centre.column & ~ahead & ~(none & Cat(
                centre.x_first, centre.x_last, centre.y_first, centre.y_last).any())),
            centre.sum_x.eq(x - none),
            centre.odd_row.eq(y[0] ^ none),
            last_image.eq(image == shape.images - 1),
            last_pass.eq(number == self.passes - 1),
            centre.image_end.eq((x == shape.width - 1 - none) & (y == shape.height - 1 - none)),
            centre.pass_end.eq(centre.image_end & last_image),
            centre.layer_end.eq(centre.pass_end & last_pass),
            next_pixel.eq(pixel + 1),
        ]
        with m.If(gap != 0):
            m.d.sync += gap.eq(gap - 1)
        with m.If(centre.column):
            with m.If(begins):
                m.d.sync += gap.eq(MERGE_CYCLES - 1)
            m.d.sync += [x.eq(Mux(centre.x_last, 0, x + 1)), pixel.eq(next_pixel)]
            with m.If(centre.x_last):
                m.d.sync += [ahead.eq(0), read_y.eq(read_y + 1)]
                with m.If(read_y == shape.height - 1):  # an image begins with a word
                    m.d.sync += [read_y.eq(0), read_image.eq(read_image + 1),
                                 pixel.eq(next_pixel + next_pixel[0])]
                    with m.If(read_image == shape.images - 1):
                        m.d.sync += [read_image.eq(0), pixel.eq(0)]
            with m.If(centre.x_last & ~ahead):
                m.d.sync += y.eq(y + 1)
                # Without padding the last row of the layer has no sums: done must not wait for it.
                with m.If(last_pass & last_image & (y == shape.height - 1 - none)):
                    m.d.sync += running.eq(0)
                with m.If(centre.y_last):
                    m.d.sync += [y.eq(0), image.eq(image + 1)]
                    with m.If(last_image):
                        m.d.sync += [image.eq(0), number.eq(number + 1)]
        with m.If(self.start):
            m.d.sync += [running.eq(1), ahead.eq(1), x.eq(0), y.eq(0), image.eq(0), number.eq(0),
                         read_y.eq(0), read_image.eq(0), pixel.eq(0), gap.eq(0)]
        return m
