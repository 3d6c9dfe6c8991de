"""The fully connected stages: 512 lanes; each chunk of weights meets every image's row in turn."""

from typing import List, Tuple

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware import fc_lanes, fc_shape
from overlays.gateware.config import MAX_FC_INPUTS, UNIT, WORD
from overlays.gateware.fc_lanes import CHUNKS, FcLanes
from overlays.gateware.fc_loader import FcLoader
from overlays.gateware.fc_shape import WORDS, FcShape
from overlays.gateware.interfaces import (
    FMAP_READ_LATENCY,
    MERGE_CYCLES,
    FmapRead,
    FmapWrite,
    Stage,
    SumsWrite,
    Units,
)

COUNTED = FMAP_READ_LATENCY + fc_lanes.LATENCY
ADDED = COUNTED + 3
LATENCY = ADDED + 3
"""From the address of an image's last row to the write of its bit or sum."""
BEGIN = fc_shape.LATENCY + 1
"""From start to the cycle that takes the first unit."""
THRESHOLD_READ = 3
"""Block RAM, its output register, the choice of one of four."""
THRESHOLD_BITS = 17

Slots = List[data.View]


class Fc(wiring.Component):
    """BIN_FC and LAST.

    Order: for each output, each chunk of its weights (a row of 512), each image.  A chunk takes
    max(4, images) cycles, as its 4 units do; an output of BIN_FC at least MERGE_CYCLES.

    Timing: the first unit is taken BEGIN cycles after `start`; a chunk begins a cycle after its
    last unit came or when the chunk before is through; a result is written LATENCY cycles after
    the address of its last row; `done` comes MERGE_CYCLES after the last write, and not before
    the stream's padding is gone.

    Cost, 8 images: 1,180 LUT, 380 LUT as RAM, 1,490 FF, 4 RAMB36 (the thresholds).  The longest
    path between registers adds a row's count to what a LUTRAM has of its image (14 bits).

    Ports
    -----
    stage, source, units, write, sums : see interfaces
    """

    stage: In(Stage)
    source: Out(FmapRead)
    units: In(Units)
    write: Out(FmapWrite)
    sums: Out(SumsWrite)

    def __init__(self, images: int = 8) -> None:
        super().__init__()
        self._images = images
        # What goes with a row through the pipeline.
        self._slot = data.StructLayout({
            "image": range(images), "first": 1, "last": 1, "output_end": 1, "layer_end": 1,
            "place": range(CHUNKS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.shape = shape = FcShape()
        m.submodules.loader = loader = FcLoader()
        start = Signal(fc_shape.LATENCY)
        m.d.sync += start.eq(Cat(self.stage.start, start[:-1]))
        m.d.comb += [
            shape.shape.eq(self.stage.shape),
            loader.start.eq(start[-1]),
            loader.outputs.eq(self.stage.shape.outputs),
            loader.last.eq(self.stage.shape.last),
            loader.chunks.eq(shape.chunks),
        ]
        wiring.connect(m, wiring.flipped(self.units), loader.units)
        slots, live = self._delay(m, *self._read(m, shape, loader))
        count = self._count(m, shape, loader, slots)
        self._write(m, shape, loader, slots, live, count)
        return m

    def _read(self, m: Module, shape: FcShape, loader: FcLoader) -> Tuple[data.View, Signal]:
        """A row's address a cycle while there are weights: its slot, and that there is one."""
        asked = self.stage.shape
        slot, issue = Signal(self._slot), Signal()
        running, image, chunk, output = Signal(), Signal(range(self._images)), Signal(6), Signal(14)
        row, place, gap = Signal(16), Signal(range(CHUNKS)), Signal(range(MERGE_CYCLES))
        last_image, early = Signal(), Signal()
        m.d.comb += [
            early.eq((gap != 0) & slot.first & ~asked.last),
            issue.eq(running & ((image != 0) | (loader.available & ~early))),
            last_image.eq(image == asked.images - 1),
            slot.image.eq(image),
            slot.first.eq(chunk == 0),
            slot.last.eq(chunk == shape.chunks - 1),
            slot.output_end.eq(slot.last & last_image),
            slot.layer_end.eq(slot.output_end & (output == asked.outputs - 1)),
            slot.place.eq(place),
            loader.release.eq(issue & last_image),
            self.source.address.eq(row),
            self.stage.busy.eq(issue),
            self.stage.waiting.eq(running & (image == 0) & ~loader.available),
        ]
        with m.If(gap != 0):
            m.d.sync += gap.eq(gap - 1)
        with m.If(issue):
            m.d.sync += [image.eq(image + 1), row.eq(row + shape.chunks)]
            with m.If(slot.first & (image == 0)):
                m.d.sync += gap.eq(MERGE_CYCLES - 1)
            with m.If(last_image):
                m.d.sync += [image.eq(0), place.eq(place + 1), row.eq(chunk + 1),
                             chunk.eq(chunk + 1)]
                with m.If(slot.last):
                    m.d.sync += [row.eq(0), chunk.eq(0), output.eq(output + 1)]
            with m.If(slot.layer_end):
                m.d.sync += running.eq(0)
        with m.If(loader.start):
            m.d.sync += [running.eq(1), image.eq(0), chunk.eq(0), output.eq(0), row.eq(0),
                         place.eq(0), gap.eq(0)]
        return slot, issue

    def _delay(self, m: Module, slot: data.View, issue: Signal) -> Tuple[Slots, List[Signal]]:
        """The slot after 0, 1, 2... cycles; and whether it is one, which a reset clears."""
        slots, live = [slot], [issue]
        for age in range(1, LATENCY):
            later = Signal(self._slot, name=f"slot{age}", reset_less=True)
            valid = Signal(name=f"live{age}")
            m.d.sync += [later.eq(slots[-1]), valid.eq(live[-1])]
            slots.append(later)
            live.append(valid)
        return slots, live

    def _count(self, m: Module, shape: FcShape, loader: FcLoader, slots: Slots) -> Signal:
        """Mismatches of a row in the words that the map owns."""
        late = Signal(UNIT, reset_less=True)
        m.d.sync += late.eq(self.units.payload)
        owned = Mux(slots[COUNTED].last, shape.owned_last, shape.owned)
        counts = []
        for word in range(WORDS):
            m.submodules[f"lanes{word}"] = lanes = FcLanes()
            m.d.comb += [
                lanes.write.eq(loader.write[word // 2]),
                lanes.write_place.eq(loader.write_place),
                lanes.weights.eq(late.word_select(word % 2, WORD)),
                lanes.place.eq(slots[FMAP_READ_LATENCY - 1].place),
                lanes.row.eq(self.source.data.word_select(word, WORD)),
            ]
            counts.append(Mux(owned[word], lanes.count, 0))
        while len(counts) > 1:
            sums = [Signal(len(counts[0]) + 1, name=f"counts{len(counts)}_{i}", reset_less=True)
                    for i in range(len(counts) // 2)]
            m.d.sync += [total.eq(counts[2 * i] + counts[2 * i + 1])
                         for i, total in enumerate(sums)]
            counts = sums
        return counts[0]

    def _write(self, m: Module, shape: FcShape, loader: FcLoader, slots: Slots,
               live: List[Signal], count: Signal) -> None:
        """Add up an image's chunks, compare, write."""
        m.submodules.totals = totals = memory.Memory(
            shape=range(MAX_FC_INPUTS + 1), depth=self._images, init=[],
            attrs={"ram_style": "distributed"})
        before, after = totals.read_port(domain="comb"), totals.write_port()
        total = Signal(range(MAX_FC_INPUTS + 1), reset_less=True)
        result = Signal(signed(16), reset_less=True)
        m.d.comb += [
            before.addr.eq(slots[ADDED].image),
            after.addr.eq(slots[ADDED].image),
            after.en.eq(live[ADDED]),
            after.data.eq(Mux(slots[ADDED].first, 0, before.data) + count),
        ]
        m.d.sync += [total.eq(after.data), result.eq(shape.inputs - (total << 1))]

        output, threshold = self._threshold(m, loader, slots, live)
        final, base = slots[LATENCY - 1], Signal(12)
        done = Signal()
        m.d.comb += done.eq(live[LATENCY - 1] & final.last)
        with m.If(done):
            m.d.sync += base.eq(Mux(final.output_end, 0, base + shape.target_rows))
        m.d.sync += [
            self.write.enable.eq(done & ~self.stage.shape.last),
            self.write.address.eq((base << 9) + output),
            self.write.bits.eq(~((result >= threshold[:16].as_signed()) ^ threshold[16])),
            self.sums.enable.eq(done & self.stage.shape.last),
            self.sums.image.eq(final.image),
            self.sums.index.eq(output),
            self.sums.sum.eq(result),
        ]
        ends, drained = Signal(MERGE_CYCLES + 1), Signal()
        m.d.sync += [ends.eq(Cat(done & final.layer_end, ends[:-1])),
                     drained.eq((drained | ends[-1]) & ~loader.idle)]
        m.d.comb += self.stage.done.eq((drained | ends[-1]) & loader.idle)

    def _threshold(self, m: Module, loader: FcLoader, slots: Slots,
                   live: List[Signal]) -> Tuple[Signal, Signal]:
        """Number and threshold of the output that the slot of age LATENCY - 1 belongs to."""
        m.submodules.thresholds = ram = memory.Memory(
            shape=4 * THRESHOLD_BITS, depth=MAX_FC_INPUTS // 4, init=[],
            attrs={"ram_style": "block"})
        write, read = ram.write_port(), ram.read_port()
        age = LATENCY - 1 - THRESHOLD_READ
        outputs = [Signal(13, name=f"output{i}", reset_less=True)
                   for i in range(THRESHOLD_READ + 1)]
        # Counted early enough for the threshold to be there when the sum is.
        with m.If(loader.start):
            m.d.sync += outputs[0].eq(0)
        with m.Elif(live[age] & slots[age].output_end):
            m.d.sync += outputs[0].eq(outputs[0] + 1)
        row = Signal(4 * THRESHOLD_BITS, reset_less=True)
        threshold = Signal(THRESHOLD_BITS, reset_less=True)
        m.d.comb += [
            write.en.eq(loader.write_threshold),
            write.addr.eq(loader.threshold_place),
            write.data.eq(Cat(self.units.payload[32 * i:32 * i + THRESHOLD_BITS]
                              for i in range(4))),
            read.addr.eq(outputs[0] >> 2),
        ]
        m.d.sync += [later.eq(now) for now, later in zip(outputs, outputs[1:])]
        m.d.sync += row.eq(read.data)
        with m.Switch(outputs[2][:2]):
            for i in range(4):
                with m.Case(i):
                    m.d.sync += threshold.eq(row[THRESHOLD_BITS * i:THRESHOLD_BITS * (i + 1)])
        return outputs[-1], threshold
