"""From rows of a feature-map buffer to 3 x 3 windows: line buffers and three columns of pixels."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import QUARTERS, ROW, TAPS, UNIT
from overlays.gateware.interfaces import FMAP_READ_LATENCY
from overlays.gateware.pipeline import OWN
from overlays.gateware.raster import Centre, Step
from pynq_bnn.registers import CHANNEL_STEP, MAX_SIDE

SLICE = 32
"""Channels that share copies of the control registers, so that no net gets wide."""
SLICES = ROW // SLICE


class Window(wiring.Component):
    """Reads a pixel a cycle and shows the 3 x 3 pixels around each, spread over four quarters.

    Ports
    -----
    spread : stable since two cycles before the first step, as is `blocks`;
        log2 of the quarters of a pixel: 0 puts all channels into each of the four quarters,
        1 into quarters 0, 1 and again 2, 3, and 2 spreads them over all four
    blocks : 64-channel blocks of a pixel, 1 to 8; bits of others are masked
    step : from the raster, any cycle; its address must be at the fmap port in the same cycle
    row : what the fmap port gives, FMAP_READ_LATENCY cycles after the step
    window : 9 x 512 bits; LATENCY cycles after its step, a pixel is the centre
    valid, centre : what the step said, with the window
    outside : the taps that don't count, OUTSIDE_LEAD cycles before the window
    pass_end_early : the last centre of a pass comes PASS_END_LEAD cycles later

    The pixel above, left, ... of the centre is what the raster had read before and after; columns
    between rows and in pauses are zero (+1).
    """

    spread: In(2)
    blocks: In(4)
    step: In(Step)
    row: In(ROW)
    window: Out(data.ArrayLayout(ROW, TAPS))
    valid: Out(TAPS)
    outside: Out(TAPS)
    centre: Out(Centre)
    pass_end_early: Out(1)

    LATENCY = FMAP_READ_LATENCY + 3
    PASS_END_LEAD = 2
    OUTSIDE_LEAD = 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Steps of one and more cycles ago.
        steps, valid = [self.step], [self.step.centre.valid]
        for age in range(1, self.LATENCY + 1):
            # the last one is no part of a slow shift register
            keep = {"keep": 1} if age == self.LATENCY else {}
            later = Signal(Step, name=f"step_{age}", reset_less=True, attrs=keep)
            later_valid = Signal(name=f"valid_{age}")  # all that needs a reset
            m.d.sync += [later.eq(steps[-1]), later_valid.eq(valid[-1])]
            steps.append(later)
            valid.append(later_valid)
        early = -1 - self.PASS_END_LEAD
        m.d.sync += self.outside.eq(~steps[-2 - self.OUTSIDE_LEAD].taps)
        m.d.comb += [
            self.valid.eq(steps[-1].taps),
            self.centre.eq(steps[-1].centre), self.centre.valid.eq(valid[-1]),
            self.pass_end_early.eq(valid[early] & steps[early].centre.pass_end),
        ]

        # What selects and masks pixels must be in the slices' registers when the row is there.
        before = steps[FMAP_READ_LATENCY - 2]
        first_quarter = Signal(2, reset_less=True)
        masks = Signal(ROW // CHANNEL_STEP, reset_less=True)
        quarter_mask = Signal(2, **OWN)
        outside = Signal(ROW // CHANNEL_STEP, reset_less=True)
        m.d.sync += quarter_mask.eq(Mux(self.spread == 0, 0, Mux(self.spread == 1, 1, 3)))
        for block in range(ROW // CHANNEL_STEP):
            within = (block & 1) | (block >> 1 & quarter_mask) << 1  # of the pixel's own blocks
            m.d.sync += [outside[block].eq(within >= self.blocks),
                         masks[block].eq(~before.pixel | outside[block])]
        m.d.sync += first_quarter.eq(before.quarter)

        buffered = steps[FMAP_READ_LATENCY]
        pause = Signal(**OWN)  # an inverter between registers would lie far from most of them
        m.d.sync += pause.eq(~steps[FMAP_READ_LATENCY - 1].write)
        for i in range(SLICES):
            m.submodules[f"slice_{i}"] = part = WindowSlice()
            quarter, offset = divmod(i, SLICES // QUARTERS)
            m.d.comb += [
                part.candidates.eq(Cat(
                    self.row.word_select(q * UNIT // SLICE + offset, SLICE)
                    for q in range(QUARTERS))),
                part.select.eq(first_quarter | (quarter & quarter_mask)),
                part.mask.eq(masks[i * SLICE // CHANNEL_STEP]),
                part.column.eq(buffered.column),
                part.write.eq(buffered.write),
                part.pause.eq(pause),
            ]
            for tap in range(TAPS):
                m.d.comb += self.window[tap][i * SLICE:(i + 1) * SLICE].eq(part.window[tap])
        return m


class WindowSlice(wiring.Component):
    """32 channels of the window, with registers of its own for all that controls them.

    `select` and `mask` come a cycle before the candidates, `column`, `write` and `pause`, its
    contrary, two cycles after these.
    """

    candidates: In(data.ArrayLayout(SLICE, QUARTERS))
    select: In(2)
    mask: In(1)
    column: In(range(MAX_SIDE))
    write: In(1)
    pause: In(1)
    window: Out(data.ArrayLayout(SLICE, TAPS))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        select, mask = Signal(2, **OWN), Signal(**OWN)
        column, write, clear = Signal(range(MAX_SIDE), **OWN), Signal(**OWN), Signal(**OWN)
        m.d.sync += [select.eq(self.select), mask.eq(self.mask), column.eq(self.column),
                     write.eq(self.write), clear.eq(self.pause)]

        pixel = Signal(SLICE, reset_less=True)
        m.d.sync += pixel.eq(self.candidates[select])
        with m.If(mask):  # the flip-flops' own reset: no LUT
            m.d.sync += pixel.eq(0)

        # Row above row: the newer line buffer takes the pixel, the older what the newer held.
        rows = [pixel]
        for name in ("newer", "older"):
            m.submodules[name] = memory = Memory(shape=SLICE, depth=MAX_SIDE, init=[])
            into, outof = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [into.en.eq(write), into.addr.eq(column), into.data.eq(rows[-1]),
                         outof.addr.eq(column)]
            rows.append(outof.data)

        for ky, row in enumerate(reversed(rows)):
            right, centre, left = (Signal(SLICE, name=f"{side}_{ky}", reset_less=True)
                                   for side in ("right", "centre", "left"))
            m.d.sync += [right.eq(row), centre.eq(right), left.eq(centre)]
            with m.If(clear):
                m.d.sync += right.eq(0)
            m.d.comb += Cat(self.window[3 * ky + kx] for kx in range(3)).eq(
                Cat(left, centre, right))
        return m
