"""The order in which a convolution reads pixels: row after row, over all images and passes."""

from typing import Tuple

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.interfaces import MERGE_CYCLES, StageShape
from pynq_bnn.registers import MAX_SIDE, PAD_NONE, PAD_ONE, PAD_ZERO

Centre = data.StructLayout({
    "valid": 1,      # the window's centre has an output; the others only with this
    "row_end": 1,    # the last output of its row, image, pass
    "image_end": 1,
    "pass_end": 1,
})

Edges = data.StructLayout({  # neighbours of a centre: inside the map, or padded with +1
    "above": 1,
    "below": 1,
    "left": 1,
    "right": 1,
})

Place = data.StructLayout({
    "write": 1,          # a column of the raster (PAD_ONE's zero column and pauses are none)
    "column": range(MAX_SIDE),
    "joined": 1,         # what the row above added counts; it is of the same map, or zeros
})

Step = data.StructLayout({
    "pixel": 1,          # a pixel of the map is read; else it is zero
    "quarter": 2,        # of the buffer's row, where it begins
    "place": Place,
    "begin": 1,          # the pass's first
    "centre": Centre,    # one row above the pixel
    "edges": Edges,      # of the centre
})


class Raster(wiring.Component):
    """Makes one step a cycle: which pixel is read, and what the centre one row above it is.

    The centres' row is the one read before; so while the last row of an image is worked on, the
    first of the next image or pass is read; only after the last pass comes a row without pixels.
    PAD_ONE adds a row of zeros above each image and a column of zeros right of it.  A pass pauses
    before its first row until `ready`, and starts at least MERGE_CYCLES after the one before; so
    does the row after the last one.

    Ports
    -----
    start : pulse; `shape` is right since three cycles before, `spread` and `passes` since two
    spread : log2 of the quarters of a pixel, 0 to 2
    passes : of the layer, at least 1
    ready : the weights of the next pass are there: where the raster waited, its steps follow
        READY_LATENCY + 1 cycles later; must be right again MERGE_CYCLES - 3 cycles after `take`
    take : they are being used: steps of the pass follow from this cycle on
    waiting : in the cycle before, the raster paused because they were not there
    address : of the buffer's row with the step's pixel
    step : combinational, from registers

    Cost: 120 LUT, 140 flip-flops.
    """

    READY_LATENCY = 1

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
        zero, one, none = (Signal(name=name, reset_less=True) for name in ("zero", "one", "none"))
        m.d.sync += [zero.eq(shape.padding == PAD_ZERO), one.eq(shape.padding == PAD_ONE),
                     none.eq(shape.padding == PAD_NONE)]

        # What is read.
        active, hold = Signal(), Signal()
        flush = Signal(reset_less=True)
        less = Mux(one, 0, 1)
        column = _Counter(m, "column", 6, shape.width - less)
        row = _Counter(m, "row", 6, shape.height - less)
        image = _Counter(m, "image", 8, shape.images - 1)
        pass_ = _Counter(m, "pass", 10, self.passes - 1)
        address, quarter = Signal(16, reset_less=True), Signal(2, reset_less=True)
        # The row of centres, one above.
        has_centres, is_first, is_end, of_last_image = (
            Signal(name=name, reset_less=True)
            for name in ("has_centres", "is_first", "is_end", "of_last_image"))

        moves, row_done, ends_pass, pixel = Signal(), Signal(), Signal(), Signal()
        zero_column, spaced = Signal(), Signal()
        spacing = Signal(signed(4), reset_less=True)  # below 0 the next pass may start
        may, go, take = Signal(), Signal(), Signal()
        m.d.comb += [
            moves.eq(active & ~hold),
            row_done.eq(moves & column.last),
            zero_column.eq(one & column.last),
            ends_pass.eq(row_done & row.last & image.last & ~flush),
            pixel.eq(moves & ~flush & ~zero_column & ~(one & row.first)),
            spaced.eq(spacing < 0),
            take.eq(go & ((hold & ~flush) | (ends_pass & ~pass_.last))),
        ]
        m.d.sync += [may.eq(spaced & ~take), go.eq(self.ready & spaced & ~take),
                     self.take.eq(take), self.waiting.eq(hold & ~flush & ~self.ready)]
        with m.If(take):
            m.d.sync += spacing.eq(MERGE_CYCLES - 2 - self.READY_LATENCY)
        with m.Elif(~spaced):
            m.d.sync += spacing.eq(spacing - 1)
        with m.If(hold & Mux(flush, may, go)):
            m.d.sync += hold.eq(0)

        stride = Signal(3, reset_less=True)
        m.d.sync += stride.eq(1 << self.spread)
        after, full = next_quarter(quarter, stride)
        next_address = Signal()
        with m.If(row_done & row.last):  # the next image begins a row of the buffer
            m.d.comb += next_address.eq(pixel | (quarter != 0))
        with m.Else():
            m.d.comb += next_address.eq(pixel & full)
        with m.If(next_address):
            m.d.sync += address.eq(address + 1)
        with m.If(pixel):
            m.d.sync += quarter.eq(after)
        with m.If(moves):
            m.d.sync += column.step()
        with m.If(row_done):
            m.d.sync += [
                *row.step(),
                hold.eq(ends_pass & ~Mux(pass_.last, may, go)),
                has_centres.eq(~flush & (zero | ~row.first) & ~(none & row.last)),
                is_first.eq(row.first),
                is_end.eq(Mux(none, row.next_is_last, row.last)),
                of_last_image.eq(image.last),
                active.eq(~flush),
            ]
            with m.If(row.last):
                m.d.sync += [*image.step(), quarter.eq(0)]
                with m.If(image.last):
                    m.d.sync += [*pass_.step(), address.eq(0), flush.eq(pass_.last)]
        with m.If(self.start):
            m.d.sync += [
                active.eq(1), flush.eq(0), hold.eq(1), has_centres.eq(0), spacing.eq(-1),
                *column.start(), *row.start(), *image.start(), *pass_.start(),
                address.eq(0), quarter.eq(0),
            ]

        row_end = Mux(zero, column.last, column.next_is_last)
        m.d.comb += [
            self.address.eq(address),
            step.pixel.eq(pixel),
            step.quarter.eq(quarter),
            step.place.write.eq(moves & ~zero_column),
            step.place.column.eq(column.value),
            step.begin.eq(moves & column.first & row.first & image.first),
            step.centre.valid.eq(moves & has_centres & ~zero_column
                                 & ~(none & (column.first | column.last))),
            step.centre.row_end.eq(row_end),
            step.centre.image_end.eq(row_end & is_end),
            step.centre.pass_end.eq(row_end & is_end & of_last_image),
        ]
        m.d.comb += [  # under the last row of centres lies the first one of another map
            step.edges.above.eq(~(zero & is_first)), step.edges.below.eq(~(zero & row.first)),
            step.place.joined.eq(step.edges.below),
            step.edges.left.eq(~(zero & column.first)), step.edges.right.eq(~(zero & column.last)),
        ]
        return m


def next_quarter(quarter: Value, stride: Value) -> Tuple[Value, Value]:
    """Where the next pixel begins, of `stride` quarters, and whether that is in the next row.

    ``quarter + stride`` without a carry chain; `stride` is 1, 2 or 4.
    """
    one, two, four = stride
    return (Cat(quarter[0] ^ one, quarter[1] ^ (two | one & quarter[0])),
            four | two & quarter[1] | one & quarter.all())


class _Counter:
    """Counts to `last`, which is right since two cycles before the start, and begins again.

    Whether it stands at its first or last value is in registers.
    """

    def __init__(self, m: Module, name: str, bits: int, last: Value) -> None:
        self.value = Signal(bits, name=name, reset_less=True)
        self.first, self.last, self.single = (
            Signal(name=f"{name}_{what}", reset_less=True) for what in ("first", "last", "single"))
        before_last = Signal(bits, name=f"{name}_before_last", reset_less=True)
        limit = Signal(bits, name=f"{name}_limit", reset_less=True)
        m.d.sync += [limit.eq(last), before_last.eq(limit - 1), self.single.eq(limit == 0)]
        self.next_is_last = self.value == before_last

    def start(self) -> list:
        return [self.value.eq(0), self.first.eq(1), self.last.eq(self.single)]

    def step(self) -> list:
        return [self.value.eq(Mux(self.last, 0, self.value + 1)), self.first.eq(self.last),
                self.last.eq(Mux(self.last, self.single, self.next_is_last))]
