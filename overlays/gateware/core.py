"""The accelerator's core: every block in its place (docs/gateware.md has the picture)."""

from functools import reduce
from operator import or_
from typing import NamedTuple

from amaranth import Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from overlays.gateware.axi import GP, HP_READ, HP_WRITE
from overlays.gateware.axi_slave import AxiSlave
from overlays.gateware.bin_conv import BinConv
from overlays.gateware.config import QUARTERS, UNIT, WORD, Config
from overlays.gateware.dma_command import DmaCommand
from overlays.gateware.dma_reader import DmaReader
from overlays.gateware.dma_writer import DmaWriter
from overlays.gateware.fc import Fc
from overlays.gateware.fmap_buffer import FmapBuffers
from overlays.gateware.fp_conv import FpConv
from overlays.gateware.interfaces import ByteWrite, MapBytes, StageShape
from overlays.gateware.layer_queue import LayerQueue
from overlays.gateware.parameter_streams import ParameterStreams
from overlays.gateware.pipeline import KEEP, register
from overlays.gateware.register_file import RegisterFile
from overlays.gateware.register_layout import StageRegisters, pack, stage_values
from overlays.gateware.sequencer import KIND_BITS, Sequencer
from overlays.gateware.stage_log import StageLog
from overlays.gateware.store import Store
from overlays.gateware.sums_memory import SumsMemory
from overlays.gateware.unit_memory import UnitMemory
from overlays.gateware.whole_bytes import WholeBytes
from pynq_bnn import registers as r

PROGRAM_UNITS = r.PROGRAM_STEPS_MAX * WORD // UNIT
PICTURE_UNITS = r.PICTURE_BYTES * 8 // UNIT
BURST_SHIFT = exact_log2(r.BURST_BYTES)


class Core(wiring.Component):
    """The whole design between the processor's ports.

    Attributes
    ----------
    gp : In(GP)
        Registers.
    hp0_read, hp1_read, ..., hp0_write : Out(HP_READ) for each port, Out(HP_WRITE)
        Memory.
    busy : Out(1)
        STATUS.BUSY, for a simulator to watch.
    reset : In(1)
        For at least a cycle: everything is as new, but for what lies in memories and for bursts on
        their way, which are waited for.  The clock domain itself needs no reset.
    """

    def __init__(self, config: Config, build: int = 0) -> None:
        self.config, self.build = config, build
        super().__init__({
            "gp": In(GP), "hp0_write": Out(HP_WRITE), "busy": Out(1), "reset": In(1),
            **{f"hp{n}_read": Out(HP_READ) for n in range(config.ports)},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        blocks = _Blocks(self.config)
        clear = blocks.join(m, self.reset)
        self._ports(m, blocks)
        self._identify(m, blocks.file)
        _host(m, blocks)
        _status(m, blocks)
        pictures_loaded = _loads(m, blocks, clear)
        stage = _begin(m, blocks)
        reports = [_compute(m, blocks, stage, clear), _store(m, blocks, stage, clear)]
        _buffers(m, blocks, stage)
        _report(m, blocks, stage, pictures_loaded, reports)
        return m

    def _ports(self, m: Module, blocks: "_Blocks") -> None:
        wiring.connect(m, wiring.flipped(self.gp), blocks.slave.axi)
        wiring.connect(m, blocks.slave.bus, blocks.file.bus)
        wiring.connect(m, blocks.writer.axi, wiring.flipped(self.hp0_write))
        for n in range(self.config.ports):
            wiring.connect(m, getattr(blocks.reader, f"axi{n}"),
                           wiring.flipped(getattr(self, f"hp{n}_read")))
        m.d.comb += self.busy.eq(blocks.sequencer.busy)

    def _identify(self, m: Module, file: RegisterFile) -> None:
        """The registers that say what this is and what it can."""
        config = self.config
        m.d.comb += [
            file.magic.eq(r.MAGIC), file.version.eq(r.BY_NAME["VERSION"].reset),
            file.build.eq(self.build),
            file.cap_compute.eq(r.encode("CAP_COMPUTE", LANES=config.lanes, PORTS=config.ports,
                                         COUNTERS=1)),
            file.cap_limits.eq(r.encode("CAP_LIMITS", SIDE=r.MAX_SIDE, CLASSES=r.MAX_CLASSES,
                                        CHANNELS=r.MAX_CHANNELS)),
            file.cap_fc.eq(r.encode("CAP_FC", INPUTS=r.MAX_FC_INPUTS, BATCH=config.batch)),
            file.cap_fmap_rows.eq(config.fmap_rows),
            file.cap_program.eq(r.BY_NAME["CAP_PROGRAM"].reset),
        ]


class _Blocks:
    """All blocks, by name."""

    def __init__(self, config: Config) -> None:
        self.slave, self.file = AxiSlave(r.BASE_ADDRESS), RegisterFile()
        self.sequencer, self.log = Sequencer(config), StageLog()
        self.reader, self.writer = DmaReader(config.ports), DmaWriter()
        self.program = UnitMemory(PROGRAM_UNITS)
        self.pictures = UnitMemory(config.batch * PICTURE_UNITS)
        self.fmaps, self.sums = FmapBuffers(config), SumsMemory(config.batch)
        self.parameters = ParameterStreams(config.parameter_units, config.streams)
        self.fp = FpConv(config.fp_outputs)
        self.conv = BinConv(config.reducers, config.conv_units)
        self.queue = LayerQueue(config.layer_units if config.conv_units == 1 else 0)
        self.fp_bytes = WholeBytes(config.fp_outputs, config.fmap_rows)
        self.conv_bytes = WholeBytes(config.reducers // QUARTERS, config.fmap_rows)
        self.fc, self.store = Fc(config.batch), Store()

    def join(self, m: Module, reset_port: Signal) -> Signal:
        """Make them submodules with their resets; give the signal that clears stages and DMA."""
        for name in ("log", "program", "pictures", "sums"):  # the memories need none
            m.submodules[name] = getattr(self, name)
        reset, clear = Signal(), Signal()
        m.d.sync += [reset.eq(reset_port), clear.eq(self.sequencer.clear | reset)]
        # the reader and the writer are never simply reset: memory would answer whoever asks next
        for name in ("reader", "writer"):
            m.submodules[name] = getattr(self, name)
        # each block's reset has a register of its own: one net to them all would cross the chip
        for name, block, cause in (
                ("slave", self.slave, reset), ("registers", self.file, reset),
                ("sequencer", self.sequencer, reset), ("parameters", self.parameters, clear),
                ("fp_conv", self.fp, clear), ("bin_conv", self.conv, clear),
                ("layer_queue", self.queue, clear), ("fp_bytes", self.fp_bytes, clear),
                ("conv_bytes", self.conv_bytes, clear),
                ("fc", self.fc, clear), ("fmaps", self.fmaps, clear),
                ("store", self.store, clear)):
            own = register(m, cause, f"reset_{name}", keep=True)
            m.submodules[name] = ResetInserter(own)(block)
        return clear


def _host(m: Module, blocks: _Blocks) -> None:
    """What the host and a program write."""
    file, sequencer = blocks.file, blocks.sequencer
    reset = file.control_written & file.control.reset
    cleared = register(m, reset, "cleared", reset_less=False)  # reaches the whole register file
    # a copy beside the sequencer: a program's next step comes long after
    m.d.sync += [sequencer.registers[field].eq(value) for field, value in stage_values(file)]
    m.d.comb += [
        sequencer.reset.eq(reset), file.clear.eq(cleared),
        sequencer.run.eq(file.control_written & file.control.run & ~file.control.reset),
        sequencer.stage_written.eq(file.stage_written),
        sequencer.host_kind.eq(file.stage_value.kind),
        sequencer.program_address.eq(file.program_address),
        sequencer.program_steps.eq(file.program_steps),
        file.hold.eq(sequencer.busy),
        file.hold_stage.eq(sequencer.busy | (sequencer.error_code != 0)),
        file.program.write.eq(sequencer.step_write),
        file.program.offset.eq(sequencer.step_offset),
        file.program.value.eq(sequencer.step_value),
    ]


def _status(m: Module, blocks: _Blocks) -> None:
    """What the host reads."""
    file, sequencer, log = blocks.file, blocks.sequencer, blocks.log
    draining = register(m, blocks.reader.draining | blocks.writer.draining, "draining")
    m.d.comb += [
        file.status.eq(pack("STATUS", busy=sequencer.busy, done=sequencer.done,
                            error=sequencer.error_code != 0,
                            loading=sequencer.parameters_left, draining=draining)),
        file.error.eq(pack("ERROR", code=sequencer.error_code, stage=sequencer.error_stage,
                           step=sequencer.error_step)),
        file.error_address.eq(sequencer.error_address),
        file.step.eq(sequencer.step), file.cycles.eq(sequencer.cycles),
        file.stages.eq(sequencer.stages),
        log.write.eq(sequencer.log_write), log.index.eq(sequencer.log_index),
        log.entry.eq(sequencer.log_entry), log.used.eq(sequencer.stages),
        log.address.eq(file.log_address), file.log_data.eq(log.data),
    ]


def _loads(m: Module, blocks: _Blocks, clear: Signal) -> Value:
    """Route what the reader brings: the program, pictures or parameters.

    Returns whether pictures have come.
    """
    sequencer, reader, parameters = blocks.sequencer, blocks.reader, blocks.parameters
    program, pictures, stage = blocks.program, blocks.pictures, sequencer.registers
    to_program, to_pictures, to_parameters = (Signal(name=f"to_{name}") for name in (
        "program", "pictures", "parameters"))
    pending = Signal()
    handed_over = register(m, pending, "handed_over", reset_less=False)  # until the reader is busy
    command = Signal(DmaCommand)
    begin_load = sequencer.begin & (sequencer.kind == r.LOAD)
    idle = ~pending & ~handed_over & ~reader.busy
    with m.If(sequencer.fetch | begin_load):
        fetch_bursts = (sequencer.program_steps[:16] + r.BURST_WORDS - 1) >> 4
        m.d.sync += [
            pending.eq(1),
            command.address.eq(Mux(begin_load, stage.dma_address, sequencer.program_address)),
            command.bursts.eq(Mux(begin_load, stage.dma_bytes >> BURST_SHIFT, fetch_bursts)),
            to_program.eq(sequencer.fetch),
            to_pictures.eq(begin_load & (stage.target == r.INPUT)),
            to_parameters.eq(begin_load & (stage.target == r.PARAMS)),
        ]
    with m.Elif(reader.commands.ready):
        m.d.sync += pending.eq(0)
    with m.If(clear):
        # the reader may still drain what it had asked for, but nobody waits for that
        m.d.sync += [pending.eq(0), to_program.eq(0), to_pictures.eq(0), to_parameters.eq(0)]
    busy_before = register(m, (pending | reader.busy) & ~clear, "busy_before", reset_less=False)
    ended = busy_before & idle & ~reader.error
    units = reader.units[0]  # all there is of a program and of pictures
    m.d.comb += [
        reader.commands.valid.eq(pending), reader.commands.payload.eq(command),
        reader.split.eq(to_parameters), reader.reset.eq(clear),
        program.restart.eq(sequencer.fetch), program.unit.eq(units.payload),
        program.write.eq(units.valid & to_program),
        program.address.eq(sequencer.program_read), sequencer.program_word.eq(program.word),
        pictures.restart.eq(begin_load & (stage.target == r.INPUT)),
        pictures.unit.eq(units.payload), pictures.write.eq(units.valid & to_pictures),
        sequencer.fetched.eq(ended & to_program),
        sequencer.loading_parameters.eq(to_parameters),
    ]
    for stream, into in zip(reader.units, parameters.w):
        m.d.comb += [into.payload.eq(stream.payload), into.valid.eq(stream.valid & to_parameters),
                     stream.ready.eq(~to_parameters | into.ready)]
    # a cycle late, which nobody notices, since the sequencer lies far from all of them
    m.d.sync += [
        sequencer.loader_ready.eq(idle & ~sequencer.begin),
        sequencer.parameters_coming.eq(parameters.r.valid | to_parameters & ~idle),
        sequencer.parameters_left.eq(~parameters.empty | to_parameters & ~idle),
        sequencer.read_fault.eq(reader.error),
    ]
    return ended & to_pictures


class _Stage:
    """The running stage: its kind (0: none), source and shape, and a pulse when all are right.

    It may be another one while a convolution still runs.
    """

    def __init__(self) -> None:
        self.kind, self.start = Signal(KIND_BITS), Signal()
        self.source = Signal(StageRegisters.members["source"])
        self.target = Signal(StageRegisters.members["target"])
        self.shape = Signal(StageShape)


class _Report(NamedTuple):
    """What some stages say together in this cycle; see Sequencer."""

    ended: Value
    busy: Value
    waiting: Value


def _begin(m: Module, blocks: _Blocks) -> _Stage:
    """Copy what the sequencer begins; a LOAD to PARAMS runs beside the stages and is none here."""
    sequencer, stage = blocks.sequencer, _Stage()
    asked = sequencer.registers
    beside = (sequencer.kind == r.LOAD) & (asked.target == r.PARAMS)
    begin = register(m, sequencer.begin & ~beside, "begin", reset_less=False)
    m.d.sync += stage.start.eq(begin)
    with m.If(begin):
        m.d.sync += [
            stage.kind.eq(sequencer.kind), stage.source.eq(asked.source),
            stage.target.eq(asked.target),
            *(stage.shape[name].eq(asked[name]) for name in StageShape.members
              if name in StageRegisters.members),
            stage.shape.images.eq(asked.batch), stage.shape.last.eq(sequencer.kind == r.LAST),
            blocks.store.bursts.eq(asked.dma_bytes >> BURST_SHIFT),
        ]
    return stage


class _Convolution:
    """FP_CONV or BIN_CONV, which runs on while the stage is another already."""

    def __init__(self, m: Module, block: object, stage: _Stage, kind: int, clear: Signal) -> None:
        name = f"conv{kind}"
        is_its = stage.kind == kind
        # each has a copy of its own of what would have to reach all of them
        self.runs, self.begins = (Signal(name=f"{name}_{what}", **KEEP)
                                  for what in ("runs", "begins"))
        self.shape = Signal(StageShape, name=f"{name}_shape", **KEEP)
        self.source, self.target = (Signal.like(place, name=f"{name}_{what}") for place, what in (
            (stage.source, "source"), (stage.target, "target")))
        m.d.sync += self.begins.eq(stage.start & is_its)
        with m.If(~self.runs):
            m.d.sync += [self.shape.eq(stage.shape), self.source.eq(stage.source),
                         self.target.eq(stage.target), self.runs.eq(stage.start & is_its)]
        with m.If(block.stage.done | clear):
            m.d.sync += self.runs.eq(0)
        m.d.comb += [block.stage.start.eq(self.begins), block.stage.shape.eq(self.shape)]

    def report(self, m: Module, block: object, loaded: Value, says: data.View) -> None:
        """What the sequencer is told, a cycle late."""
        m.d.sync += [says.loaded.eq(loaded & self.runs & ~self.begins),
                     says.done.eq(block.stage.done & self.runs),
                     says.busy.eq(block.stage.busy & self.runs),
                     says.waiting.eq(block.stage.waiting & self.runs)]


def _compute(m: Module, blocks: _Blocks, stage: _Stage, clear: Signal) -> _Report:
    """Start the compute stages and give them parameters."""
    fc, parameters, queue, sequencer = blocks.fc, blocks.parameters, blocks.queue, blocks.sequencer
    fp = _Convolution(m, blocks.fp, stage, r.FP_CONV, clear)
    conv = _Convolution(m, blocks.conv, stage, r.BIN_CONV, clear)
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
    _written(m, blocks, fp, conv)
    _read(m, blocks, conv)
    # what it wrote waits for others that write there
    over = Signal(name="fc_over")
    ended = over & ~blocks.fmaps.bytes_wait
    m.d.sync += over.eq(~clear & (fc.stage.done & runs | over & ~ended))
    return _Report(ended, fc.stage.busy & runs, fc.stage.waiting & runs)


def _written(m: Module, blocks: _Blocks, fp: _Convolution, conv: _Convolution) -> None:
    """What the convolutions write goes to their targets, far away and so by way of registers."""
    fmaps = blocks.fmaps
    base = register(m, _quarter(fmaps, conv.target), "conv_write_to")
    wiring.connect(m, blocks.fp.write, blocks.fp_bytes.bits)
    wiring.connect(m, blocks.conv.write, blocks.conv_bytes.bits)
    of_fp, of_conv = (
        {name: register(m, getattr(source, name), f"{whose}_{name}", reset_less=name != "enable")
         for name in MapBytes.members}
        for whose, source in (("fp", blocks.fp_bytes.bytes), ("conv", blocks.conv_bytes.bytes)))
    of_conv["row"] = of_conv["row"] | base
    for write, is_b in ((fmaps.write_a, 0), (fmaps.write_b, 1)):
        # they never write into the same buffer at once
        fp_there = register(m, fp.runs & ((fp.target != r.FMAP_A) == is_b), keep=True)
        conv_there = register(m, (conv.target != r.FMAP_A) == is_b, keep=True)
        m.d.sync += [getattr(write, name).eq(Mux(fp_there, of_fp[name], of_conv[name]))
                     for name in MapBytes.members if name != "enable"]
        m.d.sync += write.enable.eq(Mux(fp_there, of_fp["enable"],
                                        of_conv["enable"] & conv_there))


def _read(m: Module, blocks: _Blocks, conv: _Convolution) -> None:
    """The convolution's source, and its own port of the buffers."""
    fmaps = blocks.fmaps
    base = register(m, _quarter(fmaps, conv.source), "conv_read_from")
    m.d.sync += [fmaps.conv_source_b.eq(conv.source != r.FMAP_A), fmaps.conv_reads.eq(conv.runs)]
    m.d.comb += [fmaps.conv_read.address.eq(base | blocks.conv.fmap.address),
                 blocks.conv.fmap.data.eq(fmaps.conv_read.data)]


def _store(m: Module, blocks: _Blocks, stage: _Stage, clear: Signal) -> _Report:
    """STORE: from a buffer or the parameter stream to the writer."""
    store, writer, parameters = blocks.store, blocks.writer, blocks.parameters
    runs = stage.kind == r.STORE
    storing = register(m, runs, "storing", reset_less=False)
    begins = register(m, stage.start & runs, "store_begins", reset_less=False)
    pending, address = Signal(name="store_pending"), Signal(32, name="store_address")
    with m.If(begins):
        m.d.sync += [pending.eq(1), address.eq(blocks.sequencer.registers.dma_address)]
    with m.Elif(writer.commands.ready | clear):
        m.d.sync += pending.eq(0)
    wiring.connect(m, store.words, writer.words)
    m.d.comb += [
        store.start.eq(begins), store.source.eq(stage.source),
        writer.commands.valid.eq(pending),
        writer.commands.payload.address.eq(address),
        writer.commands.payload.bursts.eq(store.bursts),
        writer.reset.eq(clear),
    ]
    # once it has all its words it waits for memory alone, however long that takes
    starved = store.busy & storing & (stage.source == r.PARAMS) & ~parameters.r.valid
    return _Report(writer.done & storing, store.words.valid & storing, starved)


def _buffers(m: Module, blocks: _Blocks, stage: _Stage) -> None:
    """Who reads and writes which buffer, but for the convolutions; the sums are fc's alone."""
    fp, fc, store, fmaps = blocks.fp, blocks.fc, blocks.store, blocks.fmaps
    pictures, sums = blocks.pictures, blocks.sums
    storing = register(m, stage.kind == r.STORE, "storing_map", reset_less=False)
    filling = register(m, stage.kind == r.BIN_FC, "filling", reset_less=False)
    to_a = register(m, stage.target == r.FMAP_A, "to_a")
    read_from, write_to = (register(m, _quarter(fmaps, place), name) for place, name in (
        (stage.source, "read_from"), (stage.target, "write_to")))
    m.d.sync += fmaps.source_b.eq(stage.source != r.FMAP_A)
    m.d.comb += [
        fmaps.read.address.eq(read_from | Mux(storing, store.read.address, fc.source.address)),
        *(getattr(fmaps.bytes, name).eq(getattr(fc.write, name)) for name in ByteWrite.members),
        fmaps.bytes.row.eq(write_to | fc.write.row),
        fmaps.bytes_to_a.eq(filling & to_a), fmaps.bytes_to_b.eq(filling & ~to_a),
        fc.source.data.eq(fmaps.read.data), store.read.data.eq(fmaps.read.data),
        pictures.address.eq(fp.input.address), fp.input.data.eq(pictures.word),
        *_drive(sums.write, fc.sums),
        sums.address.eq(store.sums_address), store.sums_data.eq(sums.word),
    ]


def _report(m: Module, blocks: _Blocks, stage: _Stage, pictures_loaded: Value,
            reports: list) -> None:
    """Tell the sequencer how the stage gets on."""
    sequencer, reader, writer = blocks.sequencer, blocks.reader, blocks.writer
    loading = stage.kind == r.LOAD
    ended, busy, waiting = pictures_loaded & loading, reader.units[0].valid & loading, Const(0)
    for report in reports:
        ended, busy, waiting = (ended | report.ended, busy | report.busy,
                                waiting | report.waiting)
    with m.If(sequencer.ended):
        m.d.sync += stage.kind.eq(0)
    # a cycle late: they come from all over the chip
    m.d.sync += [
        sequencer.ended.eq(ended), sequencer.stage_busy.eq(busy),
        sequencer.stage_waiting.eq(waiting), sequencer.write_fault.eq(writer.error),
        sequencer.fault_address.eq(Mux(writer.error, writer.error_address,
                                       reader.error_address) & ~Const(r.BURST_BYTES - 1, 32)),
    ]


def _quarter(fmaps: FmapBuffers, place: Value) -> Value:
    """The first row of a map buffer: not 0 of B's third and fourth quarter."""
    quarter = fmaps.rows // 4
    assert fmaps.rows == 1 << (4 * quarter).bit_length() - 1
    return Mux(place == r.FMAP_C, 2 * quarter, Mux(place == r.FMAP_D, 3 * quarter, 0))


def _drive(target: object, source: object) -> list:
    """Every signal of an interface from its like."""
    return [getattr(target, name).eq(getattr(source, name)) for name in target.signature.members]
