"""The stages: started, given parameters, and how they get on."""

from functools import reduce
from operator import or_

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring

from overlays.gateware import core_maps
from overlays.gateware.blocks import Blocks
from overlays.gateware.core_stage import Convolution, Report, Stage
from overlays.gateware.interfaces import StageShape
from overlays.gateware.pipeline import KEEP, register
from pynq_bnn import registers as r


def compute(m: Module, blocks: Blocks, stage: Stage, clear: Signal) -> Report:
    """Start the compute stages and give them parameters."""
    fc, parameters, queue, sequencer = blocks.fc, blocks.parameters, blocks.queue, blocks.sequencer
    fp = Convolution(m, blocks.fp, stage, r.FP_CONV, clear)
    conv = Convolution(m, blocks.conv, stage, r.BIN_CONV, clear)
    m.d.comb += [queue.start.eq(conv.begins), queue.shape.eq(conv.shape)]
    fp.report(m, blocks.fp, blocks.fp.loaded, sequencer.fp)
    conv.report(m, blocks.conv, queue.loaded, sequencer.conv)
    runs, begins = Signal(name="fc_runs", **KEEP), Signal(name="fc_begins", **KEEP)
    shape = Signal(StageShape, name="fc_shape", **KEEP)
    is_fc = (stage.kind == r.BIN_FC) | (stage.kind == r.LAST)
    m.d.sync += [begins.eq(stage.start & is_fc), shape.eq(stage.shape), runs.eq(is_fc)]
    m.d.comb += [fc.stage.start.eq(begins), fc.stage.shape.eq(shape)]
    # no stage takes units but one that hasn't got all its own, so nothing has to choose
    for views, takers in ((parameters.r, [blocks.fp.units, queue.units, blocks.store.units]),
                          (parameters.pairs, [fc.pairs, queue.pairs])):
        for stream in takers:
            m.d.comb += [stream.payload.eq(views.payload), stream.valid.eq(views.valid)]
        m.d.comb += views.ready.eq(reduce(or_, (stream.ready for stream in takers)))
    wiring.connect(m, queue.to_units, blocks.conv.units)
    if blocks.conv.width == 2:
        wiring.connect(m, queue.to_pairs, blocks.conv.pairs)
    core_maps.written(m, blocks, fp, conv)
    core_maps.convolution_source(m, blocks, conv)
    # what it wrote waits for others that write there
    over = Signal(name="fc_over")
    ended = over & ~blocks.fmaps.bytes_wait
    m.d.sync += over.eq(~clear & (fc.stage.done & runs | over & ~ended))
    return Report(ended, fc.stage.busy & runs, fc.stage.waiting & runs)


def store(m: Module, blocks: Blocks, stage: Stage, clear: Signal) -> Report:
    """STORE: from a buffer or the parameter stream to the writer."""
    block, writer, parameters = blocks.store, blocks.writer, blocks.parameters
    runs = stage.kind == r.STORE
    storing = register(m, runs, "storing", reset_less=False)
    begins = register(m, stage.start & runs, "store_begins", reset_less=False)
    pending, address = Signal(name="store_pending"), Signal(32, name="store_address")
    with m.If(begins):
        m.d.sync += [pending.eq(1), address.eq(blocks.sequencer.registers.dma_address)]
    with m.Elif(writer.commands.ready | clear):
        m.d.sync += pending.eq(0)
    wiring.connect(m, block.words, writer.words)
    m.d.comb += [
        block.start.eq(begins), block.source.eq(stage.source),
        writer.commands.valid.eq(pending),
        writer.commands.payload.address.eq(address),
        writer.commands.payload.bursts.eq(block.bursts),
        writer.reset.eq(clear),
    ]
    # once it has all its words it waits for memory alone, however long that takes
    starved = block.busy & storing & (stage.source == r.PARAMS) & ~parameters.r.valid
    return Report(writer.done & storing, block.words.valid & storing, starved)


def report(m: Module, blocks: Blocks, stage: Stage, pictures_loaded: Value,
            reports: list) -> None:
    """Tell the sequencer how the stage gets on."""
    sequencer, reader, writer = blocks.sequencer, blocks.reader, blocks.writer
    loading = stage.kind == r.LOAD
    ended, busy, waiting = pictures_loaded & loading, reader.units[0].valid & loading, Const(0)
    for each in reports:
        ended, busy, waiting = (ended | each.ended, busy | each.busy,
                                waiting | each.waiting)
    with m.If(sequencer.ended):
        m.d.sync += stage.kind.eq(0)
    # a cycle late: they come from all over the chip
    m.d.sync += [
        sequencer.ended.eq(ended), sequencer.stage_busy.eq(busy),
        sequencer.stage_waiting.eq(waiting), sequencer.write_fault.eq(writer.error),
        sequencer.fault_address.eq(Mux(writer.error, writer.error_address,
                                       reader.error_address) & ~Const(r.BURST_BYTES - 1, 32)),
    ]
