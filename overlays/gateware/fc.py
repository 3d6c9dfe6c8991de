"""The fully connected stages: 1,024 lanes; two outputs' chunk meets every image's row in turn."""

from typing import List, Tuple

from amaranth import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware import fc_lanes, fc_loader, fc_shape
from overlays.gateware.config import UNIT, WORD
from overlays.gateware.fc_lanes import CHUNKS, FcLanes
from overlays.gateware.fc_loader import BURST, FcLoader
from overlays.gateware.fc_shape import WORDS, FcShape
from overlays.gateware.interfaces import (
    FMAP_READ_LATENCY,
    MERGE_CYCLES,
    SUM_BITS,
    ByteWrite,
    FmapRead,
    Pairs,
    Stage,
    StageShape,
    SumsWrite,
)
from overlays.gateware.pipeline import KEEP, OWN, register
from pynq_bnn.registers import MAX_FC_INPUTS

ROW = FMAP_READ_LATENCY + 1
"""From a row's address to its copy beside the lanes."""
COUNTED = ROW + fc_lanes.LATENCY
ADDED = COUNTED + 3
LATENCY = ADDED + 3
"""From the address of an image's last row to the write of its sums; of bits one more."""
BEGIN = fc_shape.LATENCY + fc_loader.FIRST - 1
"""From start to the cycle that takes the first pair of units."""
ISSUE = fc_loader.AVAILABLE + 1
"""From a chunk's last pair to the address of the first row that meets it."""
THRESHOLD_READ = 3
"""Block RAM, its output register, the choice of two of eight."""
THRESHOLD_BITS = 17
A_PAIR = 2 * UNIT // 32
"""Thresholds in a pair of units."""
OUTPUTS = 2
"""Outputs at a time: what two units a cycle keep busy with one image."""
MAX_TARGET_ROWS = 16

Slots = List[data.View]


class Fc(wiring.Component):
    """BIN_FC and LAST.

    Order: for each two outputs, each chunk of their weights (a row of 512 of each), each image.  A
    chunk takes max(4, images) cycles, as its 4 pairs of units do.  An odd number of outputs is one
    more, whose sums nobody reads.

    Timing: the first pair is taken BEGIN cycles after `start`; a chunk begins ISSUE cycles after
    its last pair came or when the chunk before is through; sums are written LATENCY cycles after
    the address of their last row, bits, eight of an image together, one cycle later; `done` comes
    LATENCY + MERGE_CYCLES cycles after the last row's address.

    Cost, 8 images: 1,940 LUT, 740 LUT as RAM, 3,820 FF, 4 RAMB36 (the thresholds).  Between
    registers lie two lookup tables, or a carry chain (14 bits for an image's sum) and one.

    Ports
    -----
    stage, source, pairs, write, sums : see interfaces
    """

    stage: In(Stage)
    source: Out(FmapRead)
    pairs: In(Pairs)
    write: Out(ByteWrite)
    sums: Out(SumsWrite)

    def __init__(self, images: int = 8) -> None:
        super().__init__()
        self._images = images
        # What goes with a row through the pipeline.
        self._slot = data.StructLayout({
            "image": range(images), "first": 1, "last": 1, "output_end": 1, "layer_end": 1})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # These cross the chip: a register here, so that logic begins near its users.
        asked = Signal(StageShape, **OWN)
        m.d.sync += [asked[name].eq(self.stage.shape[name]) for name in (
            "height", "width", "channels", "outputs", "images", "last")]
        start = Signal(fc_shape.LATENCY, **KEEP)
        m.d.sync += start.eq(Cat(self.stage.start, start[:-1]))
        m.submodules.shape = shape = FcShape()
        m.submodules.loader = loader = FcLoader()
        m.d.comb += [
            shape.shape.eq(asked),
            loader.start.eq(start[-2]),
            loader.outputs.eq(asked.outputs),
            loader.last.eq(asked.last),
            loader.chunks.eq(shape.chunks),
        ]
        wiring.connect(m, wiring.flipped(self.pairs), loader.pairs)
        # With the controls that the RAMs' own registers have.
        pair = register(m, register(m, self.pairs.payload, "payload", keep=True), "pair",
                        keep=True)
        slots, live, place = self._read(m, asked, shape, loader, start[-1])
        row = register(m, self.source.data, "row_here", keep=True)  # it comes from afar, once
        counts = [self._count(m, number, shape, loader, pair, row, slots, place)
                  for number in range(OUTPUTS)]
        self._write(m, asked, shape, loader, pair, start[-1], slots, live, counts)
        return m

    def _read(self, m: Module, asked: data.View, shape: FcShape, loader: FcLoader,
              start: Signal) -> Tuple[Slots, List[Signal], Signal]:
        """A row's address a cycle while there are weights.

        Its slot after 0, 1, 2... cycles; whether it is one, which a reset clears; and the place of
        the weights that it meets.  A chunk takes BURST cycles at least, so that the registers that
        say what the next one is have settled when it begins.
        """
        images = asked.images[:self._images.bit_length()]
        chunk_bits, beat = range(CHUNKS), Signal(range(max(self._images, BURST)))
        # The chunk that is read: its number, whether it is an output's first or last one, and
        # whether it belongs to the last outputs; and the same of the one after it.
        chunk, following = Signal(chunk_bits), Signal(chunk_bits, reset_less=True)
        first, last, next_last = Signal(), Signal(init=1), Signal(reset_less=True)
        final, next_final, left = Signal(), Signal(reset_less=True), Signal(13, reset_less=True)
        limit = Signal(chunk_bits, reset_less=True)
        single = Signal(reset_less=True)
        place = Signal(chunk_bits, init=CHUNKS - 1)
        m.d.sync += [
            single.eq(shape.chunks == 1), limit.eq(shape.chunks - 2),
            following.eq(Mux(last, 0, chunk + 1)),
            next_last.eq(Mux(last, single, chunk == limit)),
            next_final.eq(Mux(last, left == 1, final)),
        ]
        # An image a beat; the beats without one are the time that a chunk's pairs take.
        issue, free, begin, running = Signal(), Signal(init=1), Signal(), Signal()
        last_image, alone = (Signal(name=name, reset_less=True) for name in ("last_image", "alone"))
        image_limit, beats, beat_limit = (
            Signal(range(max(self._images, BURST) + 1), name=name, reset_less=True)
            for name in ("image_limit", "beats", "beat_limit"))
        m.d.sync += [
            beats.eq(Mux(images > BURST, images, BURST)), beat_limit.eq(beats - 2),
            image_limit.eq(images - 2), alone.eq(images == 1), beat.eq(Mux(begin, 0, beat + 1)),
            free.eq(~begin & (free | (beat == beat_limit))),
            last_image.eq(Mux(begin, alone, beat == image_limit)),
            issue.eq(begin | issue & ~last_image),
        ]
        m.d.comb += [begin.eq(free & loader.available), loader.take.eq(begin)]
        row = Signal(range(self._images * CHUNKS), reset_less=True)
        m.d.sync += row.eq(Mux(begin, following, row + shape.chunks))
        with m.If(begin):
            m.d.sync += [chunk.eq(following), first.eq(last), last.eq(next_last),
                         final.eq(next_final), place.eq(place + 1)]
            with m.If(last):
                m.d.sync += left.eq(left - 1)
        with m.If(start):
            m.d.sync += left.eq((asked.outputs + 1) >> 1)
        # `left` counts the twos of outputs after these.
        m.d.sync += running.eq(start | running & ~(begin & next_last & next_final))

        waiting = Signal()
        m.d.sync += waiting.eq(running & ~loader.available & ~(issue & ~last_image))
        m.d.comb += [self.source.address.eq(row), self.stage.busy.eq(issue),
                     self.stage.waiting.eq(waiting)]
        slot = Signal(self._slot)
        m.d.comb += [
            slot.image.eq(beat), slot.first.eq(first), slot.last.eq(last),
            slot.output_end.eq(last & last_image), slot.layer_end.eq(last & last_image & final),
        ]
        slots, live = [slot], [issue]
        for age in range(1, LATENCY):
            # kept, as a shift register's output comes late
            later = Signal(self._slot, name=f"slot{age}", **OWN)
            valid = Signal(name=f"live{age}")
            m.d.sync += [later.eq(slots[-1]), valid.eq(live[-1])]
            slots.append(later)
            live.append(valid)
        for age in range(1, ROW):
            place = register(m, place, f"place{age}", keep=True)
        return slots, live, place

    def _count(self, m: Module, number: int, shape: FcShape, loader: FcLoader, pair: Signal,
               row: Signal, slots: Slots, place: Signal) -> Signal:
        """Mismatches of a row and an output's weights in the words that the map owns."""
        owned = Mux(slots[COUNTED - 2].last, shape.owned_last, shape.owned)
        counts = []
        for word in range(WORDS):
            half, offset = divmod(word, 2 * UNIT // WORD)
            m.submodules[f"lanes{number}_{word}"] = lanes = FcLanes()
            m.d.comb += [
                lanes.write.eq(loader.write[BURST // OUTPUTS * number + half]),
                lanes.write_place.eq(loader.write_place),
                lanes.weights.eq(pair.word_select(offset, WORD)),
                lanes.place.eq(place),
                lanes.row.eq(row.word_select(word, WORD)),
                lanes.owned.eq(owned[word]),
            ]
            counts.append(lanes.count)
        while len(counts) > 1:
            counts = [register(m, counts[i] + counts[i + 1],
                               f"counts{number}_{len(counts)}_{i}")
                      for i in range(0, len(counts), 2)]
        return counts[0]

    def _sum(self, m: Module, number: int, shape: FcShape, slots: Slots, live: List[Signal],
             count: Signal) -> Signal:
        """An image's chunks added up, and what the sum is then."""
        m.submodules[f"totals{number}"] = totals = memory.Memory(
            shape=range(MAX_FC_INPUTS + 1), depth=self._images, init=[],
            attrs={"ram_style": "distributed"})
        read, save = totals.read_port(domain="comb"), totals.write_port()
        early, late = slots[ADDED - 1], slots[ADDED + 1]
        before = register(m, Mux(early.first, 0, read.data), f"before{number}")
        total = register(m, (before + count)[:len(before)], f"total{number}")
        result = Signal(signed(SUM_BITS), name=f"result{number}", reset_less=True)
        # An image comes again after 4 cycles at least; its total is back after 3.
        m.d.comb += [
            read.addr.eq(early.image),
            save.addr.eq(late.image), save.en.eq(live[ADDED + 1]), save.data.eq(total),
        ]
        m.d.sync += result.eq(shape.inputs - (total << 1))
        return result

    def _write(self, m: Module, asked: data.View, shape: FcShape, loader: FcLoader, pair: Signal,
               start: Signal, slots: Slots, live: List[Signal], counts: List[Signal]) -> None:
        """Add up, compare, write."""
        results = [self._sum(m, number, shape, slots, live, count)
                   for number, count in enumerate(counts)]
        twos, thresholds = self._thresholds(m, loader, pair, start, slots, live)
        final, ending = slots[LATENCY - 1], slots[LATENCY - 2]
        two, done = twos[-1], Signal()
        m.d.comb += done.eq(live[LATENCY - 1] & final.last)
        row = Signal(range(self._images * MAX_TARGET_ROWS), reset_less=True)
        with m.If(live[LATENCY - 2] & ending.last):
            m.d.sync += row.eq(Mux(ending.image == 0, twos[-2][8:], row + shape.target_rows))
        m.d.sync += self.sums.enable.eq(done & asked.last)
        reached = Cat((result >= threshold[:16].as_signed()) ^ threshold[16]
                      for result, threshold in zip(results, thresholds))
        image, index = register(m, final.image, "image"), register(m, two[:8], "index")
        self._collect(m, register(m, done & ~asked.last, "reached"), image, index,
                      register(m, ~reached, "bits"), register(m, row, "row"))
        m.d.comb += [
            self.sums.image.eq(image),
            self.sums.pair.eq(index[:5]),
            self.sums.sums.eq(register(m, Cat(results), "sums")),
        ]
        ends, drained, through = Signal(MERGE_CYCLES), Signal(), Signal()
        m.d.comb += through.eq(drained | ends[-1])
        m.d.sync += [ends.eq(Cat(done & final.layer_end, ends[:-1])),
                     drained.eq(through & ~loader.idle),
                     self.stage.done.eq(through & loader.idle)]

    def _collect(self, m: Module, come: Signal, image: Signal, index: Signal, bits: Signal,
                 row: Signal) -> None:
        """Bits of an image's outputs until they are a byte: no stage has to read what it writes."""
        m.submodules.bits = kept = memory.Memory(shape=8 - OUTPUTS, depth=self._images, init=[],
                                                 attrs={"ram_style": "distributed"})
        read, save = kept.read_port(domain="comb"), kept.write_port()
        byte = Cat(read.data, bits)
        places = 8 // OUTPUTS
        m.d.comb += [read.addr.eq(image), save.addr.eq(image), save.en.eq(come),
                     save.data.eq(byte[OUTPUTS:])]
        m.d.sync += [self.write.enable.eq(come & index[:places.bit_length() - 1].all()),
                     self.write.row.eq(row), self.write.place.eq(index[places.bit_length() - 1:]),
                     self.write.byte.eq(byte)]

    def _thresholds(self, m: Module, loader: FcLoader, pair: Signal, start: Signal, slots: Slots,
                    live: List[Signal]) -> Tuple[List[Signal], List[Value]]:
        """Which two outputs the slot of age LATENCY - 1 belongs to, THRESHOLD_READ cycles before to
        then, and their thresholds.
        """
        m.submodules.thresholds = ram = memory.Memory(
            shape=A_PAIR * THRESHOLD_BITS, depth=MAX_FC_INPUTS // A_PAIR, init=[],
            attrs={"ram_style": "block"})
        write, read = ram.write_port(), ram.read_port()
        age = LATENCY - 1 - THRESHOLD_READ
        twos = [Signal(12, name=f"two{i}", reset_less=True) for i in range(THRESHOLD_READ + 1)]
        # Counted early enough for the thresholds to be there when the sums are.
        with m.If(start):
            m.d.sync += twos[0].eq(0)
        with m.Elif(live[age] & slots[age].output_end):
            m.d.sync += twos[0].eq(twos[0] + 1)
        m.d.sync += [later.eq(now) for now, later in zip(twos, twos[1:])]
        m.d.comb += [
            write.en.eq(register(m, loader.write_threshold, "write_threshold", keep=True)),
            write.addr.eq(register(m, loader.threshold_place, "threshold_place", keep=True)),
            write.data.eq(Cat(pair[32 * i:32 * i + THRESHOLD_BITS] for i in range(A_PAIR))),
            read.addr.eq(twos[0] >> 2),
        ]
        row = register(m, read.data, "thresholds_row")
        # an Array: word_select by a width that is no power of two becomes a product and a shifter
        in_twos = Array(row.word_select(n, OUTPUTS * THRESHOLD_BITS)
                        for n in range(A_PAIR // OUTPUTS))
        chosen = register(m, in_twos[twos[2][:(A_PAIR // OUTPUTS - 1).bit_length()]], "threshold")
        return twos, [chosen.word_select(number, THRESHOLD_BITS) for number in range(OUTPUTS)]
