"""The sequencer: replays programs, starts stages, counts their cycles, stops at errors."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware import unit_memory
from overlays.gateware.beside import Beside, Convolution, beside_conv, beside_fp
from overlays.gateware.config import Config
from overlays.gateware.pipeline import register
from overlays.gateware.register_layout import StageRegisters, layout, width
from overlays.gateware.stage_check import StageCheck
from overlays.gateware.stage_counter import LogEntry, StageCounter, count
from pynq_bnn import registers as r

UNDERRUN_CYCLES = 64
"""A stage that has waited so long while no parameter is on its way will wait for ever."""


class State(enum.Enum, shape=4):
    """Where the sequencer stands."""

    IDLE = 0
    RUN = 1
    FETCH = 2
    READ = 3
    EXECUTE = 4
    CHECK = 5
    BEGIN = 6
    FINISH = 7
    STOPPED = 8


KIND_BITS = width("STAGE", "KIND")
CODE_BITS, STAGE_BITS, STEP_BITS = (width("ERROR", name) for name in ("CODE", "STAGE", "STEP"))
Cause = data.StructLayout({
    "code": CODE_BITS, "kind": STAGE_BITS, "step": STEP_BITS, "address": 32})
"""What ERROR and ERROR_ADDRESS say."""


class Sequencer(wiring.Component):
    """The accelerator's only state machine above the stages.

    A stage is *begun* by a pulse of its kind in ``begin`` and ends with ``ended``; a LOAD to PARAMS
    is only handed over (``loader_ready``) and runs on beside the others.  A convolution counts as
    ended once it has its parameters (``loaded``): it too runs on, until ``done``, beside stages
    that leave its maps alone; others wait for it.

    Attributes
    ----------
    run, reset, stage_written : In(1)
        Pulses from the host's writes to CONTROL and STAGE; `host_kind` is what STAGE was given.
    program_address, program_steps, registers
        The registers' values.
    step_write, step_offset, step_value
        A program's write into the register file.
    fetch, fetched
        Pulse that starts the DMA of the program into the program memory; pulse of its end.
    read_fault, write_fault, fault_address
        An AXI error, sticky until `clear`; `loading_parameters` tells whose a read fault is.
    stage_busy, stage_waiting : In(1)
        What the running stage does in this cycle, if it is no convolution.
    fp, conv : In(Convolution)
        What FP_CONV and BIN_CONV do.
    parameters_left : In(1)
        The stream holds or awaits parameters; `parameters_coming`: more are on their way or ready.
    clear : Out(1)
        Reset of all stages and DMA engines: after an error, and at CONTROL.RESET.
    """

    run: In(1)
    reset: In(1)
    stage_written: In(1)
    host_kind: In(KIND_BITS)
    program_address: In(32)
    program_steps: In(32)
    registers: In(StageRegisters)
    step_write: Out(1)
    step_offset: Out(12)
    step_value: Out(32)
    fetch: Out(1)
    fetched: In(1)
    program_read: Out(range(r.PROGRAM_STEPS_MAX))
    program_word: In(64)
    begin: Out(1)
    kind: Out(KIND_BITS)
    loader_ready: In(1)
    ended: In(1)
    stage_busy: In(1)
    stage_waiting: In(1)
    fp: In(Convolution)
    conv: In(Convolution)
    read_fault: In(1)
    write_fault: In(1)
    fault_address: In(32)
    loading_parameters: In(1)
    parameters_left: In(1)
    parameters_coming: In(1)
    clear: Out(1)
    busy: Out(1)
    done: Out(1)
    error_code: Out(CODE_BITS)
    error_stage: Out(STAGE_BITS)
    error_step: Out(STEP_BITS)
    error_address: Out(32)
    step: Out(STEP_BITS)
    stages: Out(16)
    cycles: Out(32)
    log_write: Out(1)
    log_index: Out(5)
    log_entry: Out(LogEntry)

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        check = m.submodules.check = StageCheck(self.config)
        now = _Now()
        self._settled(m, now)
        m.d.comb += [
            check.kind.eq(self.kind), check.registers.eq(self.registers),
            self.program_read.eq(self.step), self.step_offset.eq(now.word_offset[:12]),
            self.step_value.eq(now.word_value),
        ]
        m.d.sync += self.fetch.eq(0)
        counting = Signal()
        m.d.sync += counting.eq(self.busy & now.in_program)
        count(m, self.cycles, counting)
        with m.Switch(now.state):
            self._start(m, now)
            self._replay(m, now)
            self._begin(m, now, check)
            self._end(m, now)
        self._faults(m, now)
        self._stop(m, now)
        self._log(m, now)
        return m

    def _settled(self, m: Module, now: "_Now") -> None:
        """What is asked only when its sources have stood for a while, so it has a register."""
        now.word_offset, now.word_value = self.program_word[:32], self.program_word[32:]
        offsets = [r.offset(name) for name in r.PROGRAMMABLE]
        m.d.sync += [
            now.current_step.eq(Mux(now.in_program, self.step - 1, r.NO_STEP)),
            now.to_parameters.eq((self.kind == r.LOAD) & (self.registers.target == r.PARAMS)),
            now.at_end.eq(self.step == now.steps),
            now.bad_steps.eq((self.program_steps == 0)
                             | (self.program_steps > r.PROGRAM_STEPS_MAX)),
            now.bad_address.eq(self.program_address % r.BURST_BYTES != 0),
            now.programmable.eq(sum((now.word_offset == offset) for offset in offsets) != 0),
            now.starts_stage.eq(now.word_offset == r.offset("STAGE")),
            now.fp.collides.eq(~now.to_parameters & ~beside_fp(
                self.kind, self.registers, now.fp_to_a)),
            now.conv.collides.eq(~beside_conv(
                self.kind, self.registers, now.conv_in_b, now.conv_a_to_b)),
        ]

    def _start(self, m: Module, now: "_Now") -> None:
        """From the host's write to the fetch of a program, or to a stage of its own."""
        with m.Case(State.IDLE):
            with m.If(self.run & (self.error_code == 0)):
                m.d.sync += [now.in_program.eq(1), now.steps.eq(self.program_steps),
                             self.busy.eq(1), self.done.eq(0), self.step.eq(0),
                             self.stages.eq(0), self.cycles.eq(0)]
                m.d.sync += now.state.eq(State.RUN)
            with m.Elif(self.stage_written & (self.error_code == 0)):
                m.d.sync += [now.in_program.eq(0), self.busy.eq(1), self.done.eq(0),
                             self.kind.eq(self.host_kind), now.settle.eq(0)]
                m.d.sync += now.state.eq(State.CHECK)
        with m.Case(State.RUN):
            with m.If(now.bad_address):
                m.d.comb += now.stop(r.ERROR_ADDRESS, 0, 0, self.program_address)
            with m.Elif(now.bad_steps):
                m.d.comb += now.stop(r.ERROR_PROGRAM, 0, 0, r.offset("PROGRAM_STEPS"))
            with m.Elif(self.parameters_left):
                m.d.comb += now.stop(r.ERROR_LEFTOVER, 0, 0)
            with m.Else():
                m.d.sync += [self.fetch.eq(1), now.state.eq(State.FETCH)]
        with m.Case(State.FETCH), m.If(self.fetched):
            m.d.sync += now.settle.eq(0)
            m.d.sync += now.state.eq(State.READ)

    def _replay(self, m: Module, now: "_Now") -> None:
        """A program's steps: each is read from the program memory and written."""
        with m.Case(State.READ):
            m.d.sync += now.settle.eq(now.settle + 1)
            with m.If(now.at_end & (now.settle != 0)):
                m.d.sync += now.state.eq(State.FINISH)
            with m.Elif(now.settle == unit_memory.READ_LATENCY + 1):
                m.d.sync += now.state.eq(State.EXECUTE)
        with m.Case(State.EXECUTE):
            # what needs the stage before to have ended waits for it here
            with m.If(~now.programmable):
                with m.If(~now.running):
                    m.d.comb += now.stop(r.ERROR_PROGRAM, 0, self.step, now.word_offset)
            with m.Elif(~now.starts_stage):
                m.d.comb += self.step_write.eq(1)
                m.d.sync += [self.step.eq(self.step + 1), now.settle.eq(0)]
                m.d.sync += now.state.eq(State.READ)
            with m.Elif(~now.running):
                m.d.comb += self.step_write.eq(1)
                m.d.sync += [self.kind.eq(data.View(layout("STAGE"), now.word_value).kind),
                             now.settle.eq(0), self.step.eq(self.step + 1)]
                m.d.sync += now.state.eq(State.CHECK)

    def _begin(self, m: Module, now: "_Now", check: StageCheck) -> None:
        """A stage: checked, then begun."""
        with m.Case(State.CHECK):
            m.d.sync += now.settle.eq(now.settle + 1)
            with m.If(now.settle == StageCheck.LATENCY + 1):
                with m.If(check.code == r.ERROR_NONE):
                    m.d.sync += now.state.eq(State.BEGIN)
                with m.Else():
                    m.d.comb += now.stop(check.code, self.kind, now.current_step,
                                         Mux(check.code == r.ERROR_ADDRESS,
                                             self.registers.dma_address, 0))
        with m.Case(State.BEGIN):
            with m.If((self.loader_ready | (self.kind != r.LOAD)) & ~now.fault
                      & ~(now.fp.beside & now.fp.collides | now.conv.beside & now.conv.collides)):
                m.d.comb += self.begin.eq(1)
                m.d.sync += [now.run_step.eq(now.current_step), now.run_kind.eq(self.kind),
                             now.settle.eq(0)]
                with m.If(self.kind == r.FP_CONV):
                    m.d.sync += now.fp_to_a.eq(self.registers.target == r.FMAP_A)
                with m.If(self.kind == r.BIN_CONV):
                    s = self.registers
                    m.d.sync += [
                        now.conv_in_b.eq(s.target.matches(*r.QUARTERS)),
                        now.conv_a_to_b.eq((s.source == r.FMAP_A) & (s.target == r.FMAP_B) & s.pool
                                           & check.target_in_quarter),
                    ]
                with m.If(now.to_parameters):
                    m.d.sync += now.parameter_step.eq(now.current_step)
                with m.Else():
                    m.d.sync += now.running.eq(1)
                with m.If(now.in_program):
                    m.d.sync += now.state.eq(State.READ)
                with m.Else():
                    m.d.sync += now.state.eq(State.FINISH)

    def _end(self, m: Module, now: "_Now") -> None:
        with m.Case(State.FINISH), m.If(~now.running & ~now.logging & ~now.logged
                                         & ~now.fp.beside & ~now.conv.beside):
            with m.If(now.in_program & self.parameters_left):
                m.d.comb += now.stop(r.ERROR_LEFTOVER, 0, now.current_step)
            with m.Elif(~(self.read_fault | self.write_fault)):
                m.d.sync += [self.busy.eq(0), self.done.eq(1)]
                m.d.sync += now.state.eq(State.IDLE)
        with m.Case(State.STOPPED):
            m.d.sync += [self.busy.eq(0), now.running.eq(0)]
            m.d.sync += now.state.eq(State.IDLE)

    def _faults(self, m: Module, now: "_Now") -> None:
        """What is found while something runs; it comes before the faults of the steps after it."""
        with m.If(self.read_fault & (self.error_code == 0)):
            with m.If(self.loading_parameters):
                m.d.comb += now.stop(r.ERROR_READ, r.LOAD, now.parameter_step, self.fault_address)
            with m.Elif(now.running):
                m.d.comb += now.stop(r.ERROR_READ, now.run_kind, now.run_step, self.fault_address)
            with m.Else():
                m.d.comb += now.stop(r.ERROR_READ, 0, 0, self.fault_address)
        with m.Elif(self.write_fault & (self.error_code == 0)):
            m.d.comb += now.stop(r.ERROR_WRITE, now.run_kind, now.run_step, self.fault_address)
        starved = Signal(range(UNDERRUN_CYCLES + 1))
        # one that has all its parameters may wait for them too, but they will come
        waiting = register(m, self.stage_waiting | self.fp.waiting & (now.run_kind == r.FP_CONV)
                           | self.conv.waiting & (now.run_kind == r.BIN_CONV), "waiting")
        m.d.sync += starved.eq(Mux(
            now.running & waiting & ~self.parameters_coming, starved + 1, 0))
        with m.If(starved == UNDERRUN_CYCLES):
            m.d.comb += now.stop(r.ERROR_UNDERRUN, now.run_kind, now.run_step)
        with m.If(self.busy & (self.run | self.stage_written)):
            m.d.comb += now.stop(r.ERROR_BUSY, Mux(self.stage_written, self.host_kind, 0),
                                 r.NO_STEP)

    def _stop(self, m: Module, now: "_Now") -> None:
        """A fault stops everything in the cycle after the one that found it; so does a reset."""
        stopped = Signal(Cause)
        m.d.sync += [now.fault.eq(now.found & ~now.fault), stopped.eq(now.cause),
                     self.clear.eq(now.fault | self.reset)]
        with m.If(now.fault):
            m.d.sync += [self.error_code.eq(stopped.code), self.error_stage.eq(stopped.kind),
                         self.error_step.eq(stopped.step), self.error_address.eq(stopped.address),
                         now.running.eq(0), now.fp.beside.eq(0), now.conv.beside.eq(0),
                         self.busy.eq(0), self.done.eq(0)]
            m.d.sync += now.state.eq(State.STOPPED)
        with m.If(self.reset):
            m.d.sync += [signal.eq(0) for signal in (
                self.error_code, self.error_stage, self.error_step, self.error_address,
                now.running, now.fp.beside, now.conv.beside, self.busy, self.done, self.step,
                self.stages, self.cycles)]
            m.d.sync += now.state.eq(State.STOPPED)

    def _log(self, m: Module, now: "_Now") -> None:
        """Count the running stage's cycles and write its entry when it ends.

        Each convolution has a counter of its own.  Its entry is written in its turn, when the next
        stage could begin, and again, with all its cycles, when it ends.
        """
        main = m.submodules.main = StageCounter()
        m.d.comb += [
            main.kind.eq(self.kind), main.begin.eq(self.begin),
            main.runs.eq(now.running & ~self.ended), main.busy.eq(self.stage_busy),
            main.waiting.eq(self.stage_waiting),
        ]
        for side, says, taken in ((now.fp, self.fp, now.logged),
                                  (now.conv, self.conv, now.logged | now.fp.again)):
            side.follow(m, says, begins=self.begin & (self.kind == side.kind),
                        running=now.running & (now.run_kind == side.kind),
                        stopped=now.fault | self.reset, taken=taken)
        ended, handed_over, room = Signal(), Signal(), Signal()
        m.d.comb += ended.eq(now.running & self.ended | now.fp.freed | now.conv.freed)
        with m.If(ended):
            m.d.sync += now.running.eq(0)
        # the counters settle meanwhile; all of these keep the run from ending before the entry
        m.d.sync += [
            handed_over.eq(self.begin & now.to_parameters),
            now.logging.eq(ended | handed_over), now.logged.eq(now.logging),
            room.eq(self.stages < r.LOG_ENTRIES),
        ]
        of_fp, of_conv = Signal(), Signal()
        m.d.comb += self.log_entry.eq(Mux(of_fp, now.fp.counter.entry,
                                          Mux(of_conv, now.conv.counter.entry, main.entry)))
        for side in (now.fp, now.conv):
            with m.If(now.logged & side.in_turn):
                m.d.sync += [side.index.eq(self.stages), side.has_room.eq(room)]
        m.d.sync += [
            self.log_write.eq(Mux(now.logged, room, now.fp.again & now.fp.has_room
                                  | now.conv.again & now.conv.has_room)),
            self.log_index.eq(Mux(now.logged, self.stages,
                                  Mux(now.fp.again, now.fp.index, now.conv.index))),
            of_fp.eq(Mux(now.logged, now.fp.in_turn, now.fp.again)),
            of_conv.eq(Mux(now.logged, now.conv.in_turn, now.conv.again)),
        ]
        with m.If(now.logged & room):
            m.d.sync += self.stages.eq(self.stages + 1)


class _Now:
    """What the sequencer's parts share of where it stands."""

    def __init__(self) -> None:
        self.state = Signal(State)
        self.in_program, self.running = Signal(), Signal()
        self.fp, self.conv = Beside("fp", r.FP_CONV), Beside("conv", r.BIN_CONV)
        self.fp_to_a, self.conv_in_b, self.conv_a_to_b = Signal(), Signal(), Signal()
        self.logging, self.logged = Signal(), Signal()
        self.run_kind, self.run_step = Signal(KIND_BITS), Signal(STEP_BITS)
        self.parameter_step = Signal(STEP_BITS)
        self.settle = Signal(range(StageCheck.LATENCY + 2))
        self.found, self.fault, self.cause = Signal(), Signal(), Signal(Cause)
        self.steps = Signal(range(r.PROGRAM_STEPS_MAX + 1))  # the host may write the next run's
        self.current_step = Signal(STEP_BITS)  # of the STAGE write just made
        self.to_parameters, self.at_end = Signal(), Signal()
        self.bad_steps, self.bad_address = Signal(), Signal()
        self.programmable, self.starts_stage = Signal(), Signal()
        self.word_offset = self.word_value = None

    def stop(self, number: int, kind: object, step: object, where: object = 0) -> list:
        """A fault is found: what ERROR and ERROR_ADDRESS will say."""
        return [self.found.eq(1), self.cause.code.eq(number), self.cause.kind.eq(kind),
                self.cause.step.eq(step), self.cause.address.eq(where)]
