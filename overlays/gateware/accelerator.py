"""The accelerator: every block in its place (docs/gateware.md has the picture)."""

from amaranth import Cat, Const, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.axi import GP, HP_READ, HP_WRITE
from overlays.gateware.axi_slave import AxiSlave
from overlays.gateware.bin_conv import BinConv
from overlays.gateware.config import (
    BURST_BYTES,
    MAX_CHANNELS,
    MAX_CLASSES,
    MAX_FC_INPUTS,
    MAX_SIDE,
    UNIT,
    Config,
)
from overlays.gateware.dma_command import DmaCommand
from overlays.gateware.dma_reader import DmaReader
from overlays.gateware.dma_writer import DmaWriter
from overlays.gateware.fc import Fc
from overlays.gateware.fmap_buffer import FmapBuffers
from overlays.gateware.fp_conv import FpConv
from overlays.gateware.interfaces import StageShape
from overlays.gateware.parameter_fifo import ParameterFifo
from overlays.gateware.register_file import RegisterFile
from overlays.gateware.sequencer import Sequencer
from overlays.gateware.stage_log import StageLog
from overlays.gateware.store import Store
from overlays.gateware.sums_memory import SumsMemory
from overlays.gateware.unit_memory import UnitMemory
from pynq_bnn import registers as r

BASE = 0x43C0_0000
"""Where GP0 sees the registers; the .hwh says the same (overlays.hwh)."""
PROGRAM_UNITS = r.PROGRAM_STEPS_MAX * 64 // UNIT
PICTURE_UNITS = MAX_SIDE * MAX_SIDE * 32 // UNIT
BURST_SHIFT = (BURST_BYTES - 1).bit_length()


class Accelerator(wiring.Component):
    """The whole design between the processor's ports.

    Attributes
    ----------
    gp : In(GP)
        Registers.
    hp0_read, hp1_read, hp0_write : Out(HP_READ), Out(HP_READ), Out(HP_WRITE)
        Memory; `hp1_read` only with two ports.
    busy : Out(1)
        STATUS.BUSY, for a simulator to watch.
    reset : In(1)
        For at least a cycle: everything is as new, but for what lies in memories.  The clock domain
        itself needs no reset.
    """

    def __init__(self, config: Config, build: int = 0) -> None:
        self.config, self.build = config, build
        super().__init__({
            "gp": In(GP), "hp0_write": Out(HP_WRITE), "busy": Out(1), "reset": In(1),
            **{f"hp{n}_read": Out(HP_READ) for n in range(config.ports)},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        reset, clear = Signal(), Signal()
        slave, file, sequencer = AxiSlave(BASE), RegisterFile(), Sequencer(config)
        reader, writer = DmaReader(config.ports), DmaWriter()
        log = m.submodules.log = StageLog()
        program = m.submodules.program = UnitMemory(PROGRAM_UNITS)
        pictures = m.submodules.pictures = UnitMemory(config.batch * PICTURE_UNITS)
        fmaps = m.submodules.fmaps = FmapBuffers(config)
        sums = m.submodules.sums = SumsMemory(config.batch)
        parameters = ParameterFifo(config.parameter_units)
        stages = {r.FP_CONV: FpConv(config.fp_outputs), r.BIN_CONV: BinConv(config.reducers),
                  r.BIN_FC: Fc(config.batch)}
        store = Store()
        m.d.sync += [reset.eq(self.reset), clear.eq(sequencer.clear | reset)]
        # each block's reset has a register of its own: one net to them all would cross the chip
        for name, block, cause in (
                ("slave", slave, reset), ("registers", file, reset),
                ("sequencer", sequencer, reset), ("reader", reader, reset),
                ("writer", writer, reset), ("parameters", parameters, clear),
                ("fp_conv", stages[r.FP_CONV], clear), ("bin_conv", stages[r.BIN_CONV], clear),
                ("fc", stages[r.BIN_FC], clear), ("store", store, clear)):
            own = Signal(name=f"reset_{name}", attrs={"keep": 1}, reset_less=True)
            m.d.sync += own.eq(cause)
            m.submodules[name] = ResetInserter(own)(block)

        wiring.connect(m, wiring.flipped(self.gp), slave.axi)
        wiring.connect(m, slave.bus, file.bus)
        wiring.connect(m, writer.axi, wiring.flipped(self.hp0_write))
        for n in range(config.ports):
            wiring.connect(m, getattr(reader, f"axi{n}"),
                           wiring.flipped(getattr(self, f"hp{n}_read")))
        wiring.connect(m, store.words, writer.words)
        m.d.comb += self.busy.eq(sequencer.busy)
        self._registers(m, file, sequencer, log, parameters, reader)
        load = self._loads(m, sequencer, reader, program, pictures, parameters, clear)
        self._stages(m, sequencer, stages, store, writer, fmaps, sums, pictures, parameters, load,
                     reader, clear)
        return m

    def _registers(self, m: Module, file: RegisterFile, sequencer: Sequencer, log: StageLog,
                   parameters: ParameterFifo, reader: DmaReader) -> None:
        """Registers in, status out."""
        config = self.config
        host_reset = file.control_written & file.control[1]
        shape, buffers, mode = file.shape, file.buffers, file.mode
        held = sequencer.registers
        # a copy beside the sequencer: a program's next step comes long after
        m.d.sync += [
            held.dma_address.eq(file.dma_address), held.dma_bytes.eq(file.dma_bytes),
            held.source.eq(buffers[:4]), held.target.eq(buffers[4:8]),
            held.height.eq(shape[:8]), held.width.eq(shape[8:16]), held.channels.eq(shape[16:]),
            held.outputs.eq(file.outputs), held.padding.eq(mode[:2]), held.pool.eq(mode[4]),
            held.batch.eq(file.batch),
        ]
        m.d.comb += [
            file.magic.eq(r.MAGIC), file.version.eq(r.VERSION_MAJOR << 16 | r.VERSION_MINOR),
            file.build.eq(self.build),
            file.cap_compute.eq(r.encode("CAP_COMPUTE", LANES=config.lanes, PORTS=config.ports,
                                       COUNTERS=1)),
            file.cap_limits.eq(r.encode("CAP_LIMITS", SIDE=MAX_SIDE, CLASSES=MAX_CLASSES,
                                        CHANNELS=MAX_CHANNELS)),
            file.cap_fc.eq(r.encode("CAP_FC", INPUTS=MAX_FC_INPUTS, BATCH=config.batch)),
            file.cap_fmap_rows.eq(config.fmap_rows),
            file.cap_program.eq(r.BY_NAME["CAP_PROGRAM"].reset),
            file.status.eq(Cat(sequencer.busy, sequencer.done, sequencer.error_code != 0,
                                sequencer.parameters_left)),
            file.error.eq(Cat(sequencer.error_code, sequencer.error_stage, sequencer.error_step)),
            file.error_address.eq(sequencer.error_address),
            file.step.eq(sequencer.step), file.cycles.eq(sequencer.cycles),
            file.stages.eq(sequencer.stages),
            file.program.write.eq(sequencer.step_write),
            file.program.offset.eq(sequencer.step_offset),
            file.program.value.eq(sequencer.step_value),
            file.hold.eq(sequencer.busy),
            file.hold_stage.eq(sequencer.busy | (sequencer.error_code != 0)),
            file.clear.eq(host_reset),
            log.write.eq(sequencer.log_write), log.index.eq(sequencer.log_index),
            log.entry.eq(sequencer.log_entry), log.used.eq(sequencer.stages),
            log.address.eq(file.log_address), file.log_data.eq(log.data),
            sequencer.reset.eq(host_reset),
            sequencer.run.eq(file.control_written & file.control[0] & ~file.control[1]),
            sequencer.stage_written.eq(file.stage_written),
            sequencer.host_kind.eq(file.stage_value[:4]),
            sequencer.program_address.eq(file.program_address),
            sequencer.program_steps.eq(file.program_steps),
        ]
        m.d.sync += sequencer.read_fault.eq(reader.error)

    def _loads(self, m: Module, sequencer: Sequencer, reader: DmaReader, program: UnitMemory,
               pictures: UnitMemory, parameters: ParameterFifo, clear: Signal) -> dict:
        """Route what the reader brings: the program, pictures or parameters."""
        to_program, to_pictures, to_parameters = (Signal(name=f"to_{name}") for name in (
            "program", "pictures", "parameters"))
        held = sequencer.registers
        pending, handed_over = Signal(), Signal()
        command = Signal(DmaCommand)
        begin_load = sequencer.begin & (sequencer.kind == r.LOAD)
        idle = ~pending & ~handed_over & ~reader.busy
        m.d.sync += handed_over.eq(pending)  # until the reader is busy
        with m.If(sequencer.fetch | begin_load):
            fetch_bursts = (sequencer.program_steps[:16] + BURST_BYTES // 8 - 1) >> 4
            m.d.sync += [
                pending.eq(1),
                command.address.eq(Mux(begin_load, held.dma_address, sequencer.program_address)),
                command.bursts.eq(Mux(begin_load, held.dma_bytes >> BURST_SHIFT, fetch_bursts)),
                to_program.eq(sequencer.fetch),
                to_pictures.eq(begin_load & (held.target == r.INPUT)),
                to_parameters.eq(begin_load & (held.target == r.PARAMS)),
            ]
        with m.Elif(reader.commands.ready):
            m.d.sync += pending.eq(0)
        with m.If(clear):
            # the reader may still drain what it had asked for, but nobody waits for that
            m.d.sync += [pending.eq(0), to_program.eq(0), to_pictures.eq(0), to_parameters.eq(0)]
        busy_before = Signal()
        m.d.sync += busy_before.eq((pending | reader.busy) & ~clear)
        ended = busy_before & idle & ~reader.error
        units = reader.units
        m.d.comb += [
            reader.commands.valid.eq(pending), reader.commands.payload.eq(command),
            reader.reset.eq(clear),
            sequencer.fetched.eq(ended & to_program),
            sequencer.loading_parameters.eq(to_parameters),
            program.restart.eq(sequencer.fetch), program.unit.eq(units.payload),
            program.write.eq(units.valid & to_program),
            program.address.eq(sequencer.program_read), sequencer.program_word.eq(program.word),
            pictures.restart.eq(begin_load & (held.target == r.INPUT)),
            pictures.unit.eq(units.payload), pictures.write.eq(units.valid & to_pictures),
            parameters.w.payload.eq(units.payload),
            parameters.w.valid.eq(units.valid & to_parameters),
            units.ready.eq(~to_parameters | parameters.w.ready),
        ]
        # a cycle late, which nobody notices, since the sequencer lies far from all of them
        m.d.sync += [
            sequencer.loader_ready.eq(idle & ~sequencer.begin),
            sequencer.parameters_coming.eq(parameters.r.valid | to_parameters & ~idle),
            sequencer.parameters_left.eq(~parameters.empty | to_parameters & ~idle),
        ]
        return {"ended": ended & to_pictures}

    def _stages(self, m: Module, sequencer: Sequencer, stages: dict, store: Store,
                writer: DmaWriter, fmaps: FmapBuffers, sums: SumsMemory, pictures: UnitMemory,
                parameters: ParameterFifo, load: dict, reader: DmaReader,
                clear: Signal) -> None:
        """Hand the running stage the buffers and the parameter stream."""
        held = sequencer.registers
        running, begin, start = Signal(4), Signal(), Signal()
        source, shape = Signal(4), Signal(StageShape)
        m.d.sync += [begin.eq(sequencer.begin & ~((sequencer.kind == r.LOAD)
                                                  & (held.target == r.PARAMS))),
                     start.eq(begin)]
        with m.If(begin):
            m.d.sync += [
                running.eq(sequencer.kind), source.eq(held.source), shape.height.eq(held.height),
                shape.width.eq(held.width), shape.channels.eq(held.channels),
                shape.outputs.eq(held.outputs), shape.padding.eq(held.padding),
                shape.pool.eq(held.pool), shape.images.eq(held.batch),
                shape.last.eq(sequencer.kind == r.LAST),
                fmaps.source_b.eq(Mux(sequencer.kind == r.FP_CONV, held.target == r.FMAP_A,
                                      held.source == r.FMAP_B)),
                store.bursts.eq(held.dma_bytes >> BURST_SHIFT),
            ]
        fp, conv, fc = stages[r.FP_CONV], stages[r.BIN_CONV], stages[r.BIN_FC]
        users = ((fp, running == r.FP_CONV), (conv, running == r.BIN_CONV),
                 (fc, (running == r.BIN_FC) | (running == r.LAST)))
        storing, store_begins = Signal(), Signal()
        m.d.sync += [storing.eq(running == r.STORE), store_begins.eq(start & (running == r.STORE))]
        ended = load["ended"] & (running == r.LOAD) | writer.done & storing
        busy = reader.units.valid & (running == r.LOAD) | store.words.valid & storing
        waiting = Const(0)
        for stage, kinds in users:
            # each stage has a copy of its own of what would have to reach all of them
            runs, begins = Signal(attrs={"keep": 1}), Signal(attrs={"keep": 1})
            own_shape = Signal(StageShape, attrs={"keep": 1})
            m.d.sync += [runs.eq(kinds), begins.eq(start & kinds), own_shape.eq(shape)]
            m.d.comb += [stage.stage.start.eq(begins), stage.stage.shape.eq(own_shape),
                         stage.units.payload.eq(parameters.r.payload),
                         stage.units.valid.eq(parameters.r.valid)]
            ended |= stage.stage.done & runs
            busy |= stage.stage.busy & runs
            waiting |= stage.stage.waiting & runs
            with m.If(runs):
                m.d.comb += _drive(fmaps.write, stage.write)
        store_parameters = storing & (source == r.PARAMS)
        store_pending, store_address = Signal(), Signal(32)
        with m.If(store_begins):
            m.d.sync += [store_pending.eq(1), store_address.eq(held.dma_address)]
        with m.Elif(writer.commands.ready | clear):
            m.d.sync += store_pending.eq(0)
        # no stage takes units but the one that runs, so nothing has to choose
        m.d.comb += parameters.r.ready.eq(fp.units.ready | conv.units.ready | fc.units.ready
                                          | store.units.ready)
        waiting |= store_parameters & ~parameters.r.valid
        m.d.comb += [
            store.start.eq(store_begins), store.source.eq(source),
            store.units.payload.eq(parameters.r.payload),
            store.units.valid.eq(parameters.r.valid),
            sums.address.eq(store.sums_address),
            store.sums_data.eq(sums.word), store.read.data.eq(fmaps.read.data),
            fmaps.read.address.eq(Mux(storing, store.read.address, Mux(
                running == r.BIN_CONV, conv.fmap.address, fc.source.address))),
            conv.fmap.data.eq(fmaps.read.data), fc.source.data.eq(fmaps.read.data),
            pictures.address.eq(fp.input.address), fp.input.data.eq(pictures.word),
            *_drive(sums.write, fc.sums),
            writer.commands.valid.eq(store_pending),
            writer.commands.payload.address.eq(store_address),
            writer.commands.payload.bursts.eq(store.bursts),
            writer.reset.eq(clear),
        ]
        with m.If(ended):
            m.d.sync += running.eq(0)
        # a cycle late: they come from all over the chip
        m.d.sync += [
            sequencer.ended.eq(ended), sequencer.stage_busy.eq(busy),
            sequencer.stage_waiting.eq(waiting), sequencer.write_fault.eq(writer.error),
            sequencer.fault_address.eq(Mux(writer.error, writer.error_address,
                                           reader.error_address) & ~Const(BURST_BYTES - 1, 32)),
        ]


def _drive(target: object, source: object) -> list:
    """Every signal of an interface from its like."""
    return [getattr(target, name).eq(getattr(source, name)) for name in target.signature.members]
