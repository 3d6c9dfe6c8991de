"""The picture convolution: 3 x 3 x 3 taps of 8-bit pixels, `fp_outputs` outputs a cycle."""

from typing import List, Tuple

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.fp_lanes import CHAIN_CYCLES, OUTPUTS, SUM_BITS, ColourSums, FpLanes
from overlays.gateware.fp_raster import FIRST, Centre, FpRaster
from overlays.gateware.interfaces import (
    INPUT_READ_LATENCY,
    MERGE_CYCLES,
    FmapWrite,
    InputRead,
    Stage,
    StageShape,
    Units,
)
from overlays.gateware.pipeline import KEEP, OWN
from pynq_bnn.registers import MAX_CHANNELS, MAX_SIDE

LEAD_IN = FIRST + 1
"""From `start` to the cycle in which the first column can be addressed."""
STEP0 = INPUT_READ_LATENCY + 2
"""From a centre's column to its step 0: the column left of it is in the lowest row then."""
LATENCY = STEP0 + CHAIN_CYCLES + 1
"""From the cycle in which a centre's column is addressed to the cycle that writes its bits."""

Centres = List[data.View]
"""A centre 0, 1, 2... cycles after it was issued."""


class FpConv(wiring.Component):
    """FP_CONV: pictures from the input buffer, bits to a feature-map buffer.

    Timing: a layer's first pass begins when its thresholds and weights are there,
    LEAD_IN + outputs / 4 + fp_outputs / 4 cycles after `start` at the earliest (and not before the
    row read ahead: LEAD_IN + width); a pass takes max(images * height * width, MERGE_CYCLES)
    cycles; a bit is written LATENCY cycles after its column is addressed; `done` comes MERGE_CYCLES
    after the last write.

    Cost, 16 outputs: 3,780 LUT, 560 LUT as RAM and shift registers, 4,270 FF; no block RAM, no DSP.
    The longest paths between registers are LUTRAM, lookup table (which colour sum), and LUTRAM, 16
    bits of carry (the comparison).

    Ports
    -----
    stage, input, units, write : see interfaces
    loaded : the layer's last unit was taken just before; long before `done`
    """

    stage: In(Stage)
    input: Out(InputRead)
    units: In(Units)
    write: Out(FmapWrite)
    loaded: Out(1)

    def __init__(self, fp_outputs: int = 16) -> None:
        if fp_outputs not in (4, 8, 16):
            raise ValueError(f"fp_outputs is {fp_outputs}; it can be 4, 8 or 16")
        super().__init__()
        self._slots = fp_outputs // OUTPUTS
        self._outputs = fp_outputs

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # These cross the chip: a register here, so that logic begins near its users.
        shape = Signal(StageShape, **OWN)
        start = Signal(**KEEP)
        m.d.sync += start.eq(self.stage.start)
        m.d.sync += [shape[name].eq(self.stage.shape[name]) for name in (
            "height", "width", "outputs", "padding", "pool", "images")]
        m.submodules.raster = raster = FpRaster()
        lanes = [FpLanes(MAX_CHANNELS // self._outputs) for _ in range(self._slots)]
        for slot, lane in enumerate(lanes):
            m.submodules[f"lanes{slot}"] = lane
        centres, sums = self._delay(m, raster.centre)
        m.d.comb += [
            raster.start.eq(start),
            raster.shape.eq(shape),
            raster.passes.eq(shape.outputs >> (self._outputs.bit_length() - 1)),
            self.input.address.eq(raster.address),
            self.stage.busy.eq(raster.centre.sum),
            self.stage.waiting.eq(raster.waiting),
        ]
        self._load(m, start, shape.outputs, raster, lanes)
        rows = self._rows(m, centres)
        self._connect(m, lanes, rows, centres)
        self._write(m, start, shape, lanes, centres[-2:], sums[-2:])
        return m

    def _delay(self, m: Module, centre: data.View) -> Tuple[Centres, List[Signal]]:
        """The centre 0, 1, 2... cycles after it was issued; and its `sum`, which a reset clears."""
        centres, sums = [centre], [centre.sum]
        for age in range(1, STEP0 + CHAIN_CYCLES + 1):
            later = Signal(Centre, name=f"centre{age}", reset_less=True)
            live = Signal(name=f"sum{age}")
            m.d.sync += [later.eq(centres[-1]), live.eq(sums[-1])]
            centres.append(later)
            sums.append(live)
        return centres, sums

    def _load(self, m: Module, start: Signal, outputs: Value, raster: FpRaster,
              lanes: List[FpLanes]) -> None:
        """Thresholds of all outputs, then weights, from the stream to the lanes' RAM."""
        unit, before_last = Signal(7, reset_less=True), Signal(7, reset_less=True)
        weights, active, last = Signal(), Signal(), Signal(reset_less=True)
        # Whose unit comes: a bit a slot, so that one lookup table stands behind `valid`.
        threshold_slot, weight_slot = Signal(self._slots), Signal(self._slots)
        slot_bits = self._slots.bit_length() - 1
        m.d.comb += self.units.ready.eq(active)
        m.d.sync += self.loaded.eq(self.units.valid & active & last & weights)
        m.d.sync += [
            before_last.eq((outputs >> 2) - 2),
            raster.loaded.eq(weights & (~active | (unit[slot_bits:] > raster.number))),
        ]
        with m.If(self.units.valid & active):
            m.d.sync += [unit.eq(unit + 1), last.eq(unit == before_last),
                         threshold_slot.eq(threshold_slot.rotate_left(1)),
                         weight_slot.eq(weight_slot.rotate_left(1))]
            with m.If(last):
                m.d.sync += [unit.eq(0), weights.eq(1), active.eq(~weights),
                             threshold_slot.eq(0), weight_slot.eq(~weights)]
        with m.If(start):
            m.d.sync += [unit.eq(0), last.eq(0), weights.eq(0), active.eq(1),
                         threshold_slot.eq(1), weight_slot.eq(0)]
        late = Signal(UNIT, **OWN)  # not merged with another block's, far away
        m.d.sync += late.eq(self.units.payload)
        for slot, lane in enumerate(lanes):
            m.d.comb += [lane.unit.eq(late), lane.write_pass.eq(unit[slot_bits:]),
                         lane.write_thresholds.eq(self.units.valid & threshold_slot[slot]),
                         lane.write_weights.eq(self.units.valid & weight_slot[slot])]

    def _rows(self, m: Module, centres: Centres) -> List[Signal]:
        """Colour sums of the pixel read and of those one and two rows above it, 3 cycles apart."""
        pixel = Signal(24, reset_less=True)
        red, green, blue = (Cat(pixel[i:i + 7], ~pixel[i + 7]).as_signed() for i in (0, 8, 16))
        plus, minus = Signal(signed(9), reset_less=True), Signal(signed(9), reset_less=True)
        last = Signal(signed(8), reset_less=True)
        row = Signal(ColourSums, name="row0", reset_less=True)
        m.d.sync += [
            pixel.eq(self.input.data.word_select(centres[INPUT_READ_LATENCY].half, 32)),
            # With p = 128 + p', the constants of the four u cancel but for +1, 0, 0, -1.
            plus.eq(red + green), minus.eq(red - green), last.eq(blue),
            row[0].eq(plus + last + 1), row[1].eq(minus + last),
            row[2].eq(plus - last), row[3].eq(minus + ~last),
        ]
        age = INPUT_READ_LATENCY + 3
        rows = [row]
        for above in (1, 2):
            ram = memory.Memory(shape=4 * SUM_BITS, depth=MAX_SIDE, init=[],
                                attrs={"ram_style": "distributed"})
            m.submodules[f"line{above}"] = ram
            write, read = ram.write_port(), ram.read_port(domain="comb")
            late1 = Signal(ColourSums, name=f"row{above}_late1", reset_less=True)
            late2 = Signal(ColourSums, name=f"row{above}_late2", reset_less=True)
            row = Signal(ColourSums, name=f"row{above}", reset_less=True)
            age += 2
            m.d.comb += [write.en.eq(centres[age].column), write.addr.eq(centres[age].x),
                         write.data.eq(late2), read.addr.eq(centres[age].x)]
            m.d.sync += [late1.eq(rows[-1]), late2.eq(late1), row.eq(read.data)]
            age += 1
            rows.append(row)
        return rows

    def _connect(self, m: Module, lanes: List[FpLanes], rows: List[Signal],
                 centres: Centres) -> None:
        """Rows and, for each step, the centre that it works on."""
        first, end = centres[STEP0 - 1], centres[STEP0 + CHAIN_CYCLES - 3]
        half, odd = Signal(3, reset_less=True), Signal(reset_less=True)
        inside = Signal(TAPS, init=(1 << TAPS) - 1, reset_less=True)
        outer_columns, outer_rows = first.x_first + first.x_last, first.y_first + first.y_last
        with m.Switch(Cat(outer_columns, outer_rows)):
            for columns in range(3):
                for heights in range(3):
                    with m.Case(heights << 2 | columns):
                        m.d.sync += half.eq((3 - columns) * (3 - heights) // 2)
        m.d.sync += odd.eq(~(end.x_first ^ end.x_last | end.y_first ^ end.y_last))
        for step in range(TAPS):
            k, column = divmod(step, 3)
            before = centres[STEP0 + step - 1]
            m.d.sync += inside[step].eq(
                ~((before.y_last, Const(0, 1), before.y_first)[k]
                  | (before.x_first, Const(0, 1), before.x_last)[column]))
        for lane in lanes:
            m.d.comb += [lane.half_taps.eq(half), lane.odd_taps.eq(odd), lane.inside.eq(inside),
                         lane.last_pass.eq(centres[STEP0 + CHAIN_CYCLES - 3].pass_number)]
            m.d.comb += [lane.rows[k].eq(row) for k, row in enumerate(rows)]
            m.d.comb += [lane.passes[step].eq(centres[STEP0 + step].pass_number)
                         for step in range(TAPS)]

    def _write(self, m: Module, start: Signal, shape: data.View, lanes: List[FpLanes],
               centres: Centres, sums: List[Signal]) -> None:
        """Pool, flip, and where the bits go."""
        outputs = self._outputs
        (before, centre), (live_before, live) = centres, sums
        reached, flips = Cat(lane.reached for lane in lanes), Cat(lane.flips for lane in lanes)
        m.submodules.pool = ram = memory.Memory(shape=outputs, depth=MAX_SIDE // 2, init=[],
                                                attrs={"ram_style": "distributed"})
        above, save = ram.read_port(domain="comb"), ram.write_port()
        left = Signal(outputs, reset_less=True)
        pair, emits = Signal(outputs), Signal()
        emit, image_end, pass_end = Signal(), Signal(), Signal()
        m.d.comb += [
            pair.eq(left | reached),
            above.addr.eq(centre.sum_x[1:]),
            save.addr.eq(centre.sum_x[1:]), save.data.eq(pair),
            save.en.eq(live & centre.sum_x[0]),
        ]
        m.d.comb += emits.eq(live_before & (~shape.pool | (before.sum_x[0] & before.odd_row)))
        m.d.sync += [
            left.eq(reached),  # of the column before: a row has no pauses
            emit.eq(emits), image_end.eq(emits & before.image_end),
            pass_end.eq(emits & before.pass_end),
        ]

        # A pixel takes 1, 2 or 4 quarters of a row of the buffer; an image begins with a row.
        row, quarter, channel = (Signal(bits, reset_less=True) for bits in (17, 2, 9))
        wide, whole = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            wide.eq(shape.outputs > 128), whole.eq(shape.outputs > 256),
            self.write.enable.eq(emit),
            self.write.address.eq(Cat(channel[:7], quarter | channel[7:], row)),
            self.write.bits.eq(~(Mux(shape.pool, pair | above.data, reached) ^ flips)),
        ]
        m.d.comb += self.write.size.eq(outputs.bit_length() - 1)
        with m.If(emit):
            m.d.sync += quarter.eq(quarter + Mux(wide, 2, 1))
            with m.If(image_end | whole | (wide & quarter[1]) | quarter.all()):
                m.d.sync += [row.eq(row + 1), quarter.eq(0)]
        with m.If(pass_end):
            m.d.sync += [row.eq(0), channel.eq(channel + outputs)]
        with m.If(start):
            m.d.sync += [row.eq(0), quarter.eq(0), channel.eq(0)]
        ends = Signal(MERGE_CYCLES + 1)
        m.d.sync += ends.eq(Cat(emit & centre.layer_end, ends[:-1]))
        m.d.comb += self.stage.done.eq(ends[-1])
