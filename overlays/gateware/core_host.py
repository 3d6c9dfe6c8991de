"""Between host and core: registers, programs, and what DMA brings in."""

from amaranth import Module, Mux, Signal, Value
from amaranth.utils import exact_log2

from overlays.gateware.blocks import Blocks
from overlays.gateware.config import Config
from overlays.gateware.dma_command import DmaCommand
from overlays.gateware.pipeline import register
from overlays.gateware.register_file import RegisterFile
from overlays.gateware.register_layout import pack, stage_values
from pynq_bnn import registers as r

BURST_SHIFT = exact_log2(r.BURST_BYTES)


def identify(m: Module, file: RegisterFile, config: Config, build: int) -> None:
    """The registers that say what this is and what it can."""
    m.d.comb += [
        file.magic.eq(r.MAGIC), file.version.eq(r.BY_NAME["VERSION"].reset),
        file.build.eq(build),
        file.cap_compute.eq(r.encode("CAP_COMPUTE", LANES=config.lanes, PORTS=config.ports,
                                     COUNTERS=1)),
        file.cap_limits.eq(r.encode("CAP_LIMITS", SIDE=r.MAX_SIDE, CLASSES=r.MAX_CLASSES,
                                    CHANNELS=r.MAX_CHANNELS)),
        file.cap_fc.eq(r.encode("CAP_FC", INPUTS=r.MAX_FC_INPUTS, BATCH=config.batch)),
        file.cap_fmap_rows.eq(config.fmap_rows),
        file.cap_program.eq(r.BY_NAME["CAP_PROGRAM"].reset),
    ]


def write(m: Module, blocks: Blocks) -> None:
    """What the host and a program write into the registers."""
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


def read(m: Module, blocks: Blocks) -> None:
    """What the host reads from them."""
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


def load(m: Module, blocks: Blocks, clear: Signal) -> Value:
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
