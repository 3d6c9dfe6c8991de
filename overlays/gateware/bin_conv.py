"""The binary convolution: a stage that reads one feature-map buffer and writes the other."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware import geometry
from overlays.gateware.config import QUARTERS, UNIT
from overlays.gateware.decision import Decision
from overlays.gateware.expander import Expander
from overlays.gateware.interfaces import MERGE_CYCLES, FmapRead, FmapWrite, Pairs, Stage, Units
from overlays.gateware.pipeline import KEEP, OWN
from overlays.gateware.pixels import Pixels
from overlays.gateware.raster import Raster, Step
from overlays.gateware.reducer import Reducer
from overlays.gateware.schedule import Schedule
from overlays.gateware.thresholds import Thresholds
from overlays.gateware.weights import Weights
from pynq_bnn.registers import CHANNEL_STEP


class BinConv(wiring.Component):
    """3 x 3 convolution of bits, pooling and thresholds, after docs/contract.md.

    n = reducers * 128 / P outputs are computed for one pixel in each cycle, in outputs / n passes
    over the maps of the batch (P: the bits that a pixel takes in the buffer, 128, 256 or 512).

    Parameters
    ----------
    reducers : int
        8 or 16.
    width : int
        Units of weights in a cycle: 1, or 2 with 16 reducers.

    Ports
    -----
    stage : start, shape, done, busy, waiting
    fmap : the buffer that is read
    units : the layer's parameters: thresholds, then weights in groups of 2048 / P outputs, tap
        after tap, output after output, each padded with zeros to P bits
    pairs : the same stream, from which the weights are taken if `width` is 2
    write : n bits for each output pixel and pass

    With its parameters there in time (reducers x 9 units a pass), a layer takes, from the first
    window on, images * passes times height * width cycles; PAD_ONE: (height + 1) * (width + 1).
    Before that come START_LATENCY, LOAD_LATENCY with the thresholds and one group of weights, and a
    row, after the last window FINISH_LATENCY.
    """

    SETTLING = 5
    """From `start` to that of the blocks."""
    START_LATENCY = SETTLING + 2 + Schedule.LATENCY
    """From `start` to the window of the raster's first step."""
    LOAD_LATENCY = (Thresholds.START_CYCLES + Weights.START_CYCLES + Weights.LOADED_LATENCY
                    + Raster.READY_LATENCY)
    """Cycles without a unit before a pass of weights is used."""
    FINISH_LATENCY = Reducer.LATENCY + 6 + MERGE_CYCLES
    """From the last window to `done`."""

    def __init__(self, reducers: int, width: int = 1) -> None:
        self.reducers, self.width = reducers, width
        super().__init__({
            "stage": In(Stage),
            "fmap": Out(FmapRead),
            "units": In(Units),
            **({"pairs": In(Pairs)} if width == 2 else {}),
            "write": Out(FmapWrite),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.raster = raster = Raster()
        m.submodules.pixels = pixels = Pixels()
        m.submodules.schedule = schedule = Schedule()
        m.submodules.thresholds = thresholds = Thresholds(self.reducers)
        m.submodules.weights = weights = Weights(self.reducers, self.width)
        m.submodules.decision = decision = Decision(self.reducers, Reducer.LATENCY)
        shape = self.stage.shape

        # What follows from the shape settles, here and in the blocks, before they start.
        blocks, out_blocks = Signal(4, **OWN), Signal(4, **OWN)
        spread, out_spread = Signal(2, **OWN), Signal(2, **OWN)
        passes = Signal(10, **OWN)
        settling = Signal(self.SETTLING - 1)
        m.d.sync += [
            blocks.eq(shape.channels // CHANNEL_STEP),
            out_blocks.eq(shape.outputs // CHANNEL_STEP),
            spread.eq(geometry.spread(blocks)),
            out_spread.eq(geometry.spread(out_blocks)),
            passes.eq((out_blocks << spread) * (CHANNEL_STEP // self.reducers)),
            settling.eq(Cat(self.stage.start, settling)),
        ]
        for block in (raster, thresholds, decision):
            m.d.comb += block.spread.eq(spread)
        for block in (raster, weights, decision):
            m.d.comb += block.passes.eq(passes)
        for block in (raster, thresholds, decision):
            start = Signal(**KEEP)
            m.d.sync += start.eq(settling[-1])
            m.d.comb += block.start.eq(start)
        m.d.comb += [
            raster.shape.eq(shape),
            thresholds.outputs.eq(out_blocks * CHANNEL_STEP),
            weights.start.eq(thresholds.done),
            pixels.spread.eq(spread), pixels.blocks.eq(blocks),
            decision.out_spread.eq(out_spread), decision.blocks.eq(blocks),
            decision.pool.eq(shape.pool),
        ]

        # Parameters.
        of_weights = self.units if self.width == 1 else self.pairs
        m.d.comb += [
            thresholds.units.payload.eq(self.units.payload),
            thresholds.units.valid.eq(self.units.valid),
            weights.units.payload.eq(of_weights.payload),
            weights.units.valid.eq(of_weights.valid),
        ]
        if self.width == 1:
            m.d.comb += self.units.ready.eq(thresholds.units.ready | weights.units.ready)
        else:
            m.d.comb += [self.units.ready.eq(thresholds.units.ready),
                         self.pairs.ready.eq(weights.units.ready)]

        # Pixels.  The raster's counters lie together; what they say goes far, from registers.
        step, address = Signal(Step), Signal(16, reset_less=True)
        m.d.sync += [step.eq(raster.step), address.eq(raster.address)]
        m.d.comb += [
            self.fmap.address.eq(address),
            pixels.row.eq(self.fmap.data), pixels.step.eq(schedule.pixel),
            schedule.step.eq(step), schedule.start.eq(settling[-1]),
            raster.ready.eq(weights.loaded),
            weights.take.eq(raster.take),
        ]

        # Lanes.
        m.d.comb += [
            weights.release.eq(schedule.centre.valid & schedule.centre.pass_end),
            decision.edges.eq(schedule.edges), decision.centre.eq(schedule.centre),
        ]
        # Reducers that share an expander never get units at the same time.
        expanders = [Expander(self.reducers // weights.expanders)
                     for _ in range(weights.expanders)]
        for place, expander in enumerate(expanders):
            m.submodules[f"expander_{place}"] = expander
            m.d.comb += [
                expander.load.eq(weights.load[place]), expander.entry.eq(weights.entries[place]),
                expander.phase.eq(weights.phase),
            ]
        for r in range(self.reducers):
            m.submodules[f"reducer_{r}"] = reducer = Reducer()
            member, place = divmod(r, weights.expanders)
            expander = expanders[place]
            m.d.comb += [
                reducer.write.eq(expander.write[member]), reducer.address.eq(expander.address),
                reducer.contents.eq(expander.contents),
                reducer.pixel.eq(pixels.pixel.word_select(r % QUARTERS, UNIT)),
                reducer.slot.eq(schedule.slot), reducer.slot_above.eq(schedule.slot_above),
                reducer.edges.eq(schedule.edges_early), reducer.place.eq(schedule.place),
                decision.mismatches[r].eq(reducer.mismatches),
            ]

        m.d.comb += [
            thresholds.index.eq(decision.index),
            decision.thresholds.eq(thresholds.thresholds),
            self.stage.busy.eq(schedule.centre.valid),
            self.stage.waiting.eq(raster.waiting),
            self.stage.done.eq(decision.done),
        ]
        wiring.connect(m, decision.write, wiring.flipped(self.write))
        return m
