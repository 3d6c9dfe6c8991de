"""The order in which fp_conv visits the pictures: a column a cycle, over rows, images, passes."""

from typing import List

from amaranth import Cat, Module, Mux, Signal, Value
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
FIRST = 3
"""From `start` to the cycle in which the first column is issued."""


class Count:
    """A counter to `length` - 1 and again from 0.

    Registers that are computed a step ahead say where it is, so that nothing behind it compares:
    `first`, `last` and `end`, the last place that has a sum (one before `last` where `none`).
    `length` is a count modulo its own width, at least 1, and stands in the cycle before `clear`.
    """

    def __init__(self, m: Module, name: str, length: Value, none: Value) -> None:
        bits = len(length)
        self.value, self._before_last, self._before_end = (
            Signal(bits, name=f"{name}{suffix}", reset_less=True)
            for suffix in ("", "_before_last", "_before_end"))
        self.first, self.last, self.end, self._single = (
            Signal(name=f"{name}_{flag}", reset_less=True)
            for flag in ("first", "last", "end", "single"))
        m.d.sync += [self._single.eq(length == 1), self._before_last.eq(length - 2),
                     self._before_end.eq(length - 2 - none)]

    def advance(self) -> List:
        """One step."""
        last, single = self.last, self._single
        return [self.value.eq(Mux(last, 0, self.value + 1)), self.first.eq(last),
                last.eq(Mux(last, single, self.value == self._before_last)),
                self.end.eq(Mux(last, single, self.value == self._before_end))]

    def clear(self) -> List:
        """To 0."""
        return [self.value.eq(0), self.first.eq(1), self.last.eq(self._single),
                self.end.eq(self._single)]


class FpRaster(wiring.Component):
    """Addresses of pixels and, with each, the centre one row above it.

    Pixels are read in raster order without gaps, row after row, image after image, the whole
    batch again for each pass, one row ahead of the centres.  The only pauses are in front of a
    pass: until its weights are there and MERGE_CYCLES after the pass before it began.

    Timing: the first column is issued FIRST cycles after `start`; `centre` belongs to `address`.
    All outputs are registers.  A layer takes `width` cycles and then images * height * width a
    pass.

    Ports
    -----
    start, shape : as in interfaces.Stage
    passes : outputs / fp_outputs
    number : the pass that begins next
    loaded : its weights are there; may follow `number` a few cycles late, MERGE_CYCLES hide that
    address : word of the input buffer
    centre : the column issued in this cycle
    waiting : a pass can't begin because its weights are not there
    """

    start: In(1)
    shape: In(StageShape)
    passes: In(8)
    number: Out(7)
    loaded: In(1)
    address: Out(16)
    centre: Out(Centre)
    waiting: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape = self.shape
        none = shape.padding == PAD_NONE
        x = Count(m, "x", shape.width[:5], none)
        y = Count(m, "y", shape.height[:5], none)
        image = Count(m, "image", shape.images, none)
        read_y = Count(m, "read_y", shape.height[:5], none)
        read_image = Count(m, "read_image", shape.images, none)
        edges, begin, last_number = Signal(), Signal(), Signal(7, reset_less=True)
        m.d.sync += [edges.eq(none), begin.eq(self.start), last_number.eq(self.passes - 1)]

        running = Signal()  # `begin` sets the rest: no reset in front of it
        ahead = Signal(reset_less=True)  # the row that is read before the first centre
        begins, apart = Signal(reset_less=True), Signal()  # a pass; MERGE_CYCLES after the last
        gap = Signal(range(MERGE_CYCLES), reset_less=True)
        final, was_final = Signal(), Signal()  # the next pass is the last one; this one is
        word, half = Signal(16, reset_less=True), Signal(reset_less=True)
        column, last_pass, image_read = Signal(), Signal(), Signal()
        m.d.comb += [
            column.eq(running & (~begins | (self.loaded & apart))),
            last_pass.eq(Mux(begins, final, was_final)),
            image_read.eq(x.last & read_y.last),
        ]
        m.d.sync += [final.eq(self.number == last_number), apart.eq(gap == 0)]
        with m.If(gap != 0):
            m.d.sync += gap.eq(gap - 1)
        with m.If(column):
            with m.If(begins):
                m.d.sync += [self.number.eq(self.number + 1), was_final.eq(final),
                             gap.eq(MERGE_CYCLES - 2), apart.eq(0)]
            m.d.sync += [
                *x.advance(),
                begins.eq(x.last & (ahead | (y.last & image.last))),
                half.eq(~half & ~image_read),
            ]
            with m.If(half | image_read):  # an image begins with a word
                m.d.sync += word.eq(word + 1)
            with m.If(x.last):
                m.d.sync += [ahead.eq(0), *read_y.advance()]
                with m.If(read_y.last):
                    m.d.sync += read_image.advance()
                    with m.If(read_image.last):
                        m.d.sync += word.eq(0)
            with m.If(x.last & ~ahead):
                m.d.sync += y.advance()
                # Without padding the last row of the layer has no sums: done must not wait for it.
                with m.If(last_pass & image.last & y.end):
                    m.d.sync += running.eq(0)
                with m.If(y.last):
                    m.d.sync += image.advance()
        with m.If(begin):
            m.d.sync += [running.eq(1), ahead.eq(1), begins.eq(0), self.number.eq(0), gap.eq(0),
                         word.eq(0), half.eq(0),
                         *(step for count in (x, y, image, read_y, read_image)
                           for step in count.clear())]

        issued, address = Signal(Centre, reset_less=True), Signal(16, reset_less=True)
        has_column, has_sum = Signal(), Signal()
        m.d.sync += [
            address.eq(word),
            self.waiting.eq(running & begins & ~self.loaded),
            has_column.eq(column),
            has_sum.eq(column & ~ahead & ~(edges & Cat(
                x.first, x.last, y.first, y.last).any())),
            issued.half.eq(half),
            issued.x.eq(x.value), issued.x_first.eq(x.first), issued.x_last.eq(x.last),
            issued.y_first.eq(y.first), issued.y_last.eq(y.last),
            issued.sum_x.eq(x.value - edges),
            issued.odd_row.eq(y.value[0] ^ edges),
            issued.image_end.eq(x.end & y.end),
            issued.pass_end.eq(x.end & y.end & image.last),
            issued.layer_end.eq(x.end & y.end & image.last & last_pass),
        ]
        with m.If(begins):
            m.d.sync += issued.pass_number.eq(self.number)
        m.d.comb += [self.address.eq(address), self.centre.eq(issued),
                     self.centre.column.eq(has_column), self.centre.sum.eq(has_sum)]
        return m
