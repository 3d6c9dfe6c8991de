"""The sequencer: replays programs, starts stages, counts their cycles, stops at errors."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import BURST_BYTES, Config
from overlays.gateware.stage_check import StageCheck, StageRegisters
from pynq_bnn import registers as r

NO_STEP = 0xFFFF
PROGRAM_LATENCY = 2
"""Cycles from a program address to its word."""
UNDERRUN_CYCLES = 64
"""A stage that has waited so long while no parameter is on its way will wait for ever."""
STEPS_PER_BURST = BURST_BYTES // 8

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


Cause = data.StructLayout({"code": 8, "kind": 8, "step": 16, "address": 32})
LogEntry = data.StructLayout({"kind": 32, "cycles": 32, "busy": 32, "wait": 32})


class Sequencer(wiring.Component):
    """The accelerator's only state machine above the stages.

    A stage is *begun* by a pulse of its kind in ``begin`` and ends with ``ended``; a LOAD to PARAMS
    is only handed over (``loader_ready``) and runs on beside the others.

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
        What the running stage does in this cycle.
    parameters_left : In(1)
        The stream holds or awaits parameters; `parameters_coming`: more are on their way or ready.
    clear : Out(1)
        Reset of all stages and DMA engines: after an error, and at CONTROL.RESET.
    """

    run: In(1)
    reset: In(1)
    stage_written: In(1)
    host_kind: In(4)
    program_address: In(32)
    program_steps: In(32)
    registers: In(StageRegisters)
    step_write: Out(1)
    step_offset: Out(12)
    step_value: Out(32)
    fetch: Out(1)
    fetched: In(1)
    program_read: Out(9)
    program_word: In(64)
    begin: Out(1)
    kind: Out(4)
    loader_ready: In(1)
    ended: In(1)
    stage_busy: In(1)
    stage_waiting: In(1)
    read_fault: In(1)
    write_fault: In(1)
    fault_address: In(32)
    loading_parameters: In(1)
    parameters_left: In(1)
    parameters_coming: In(1)
    clear: Out(1)
    busy: Out(1)
    done: Out(1)
    error_code: Out(8)
    error_stage: Out(8)
    error_step: Out(16)
    error_address: Out(32)
    step: Out(16)
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
        in_program, running = Signal(), Signal()
        run_kind, run_step = Signal(4), Signal(16)
        parameter_step = Signal(16)
        settle = Signal(range(StageCheck.LATENCY + 2))
        # A fault stops the sequencer in the cycle after the one that found it.
        found, fault = Signal(), Signal()
        cause, stopped = Signal(Cause), Signal(Cause)
        m.d.sync += [fault.eq(found & ~fault), stopped.eq(cause)]
        # These are asked only when their sources have stood for a while.
        current_step, to_parameters = Signal(16), Signal()  # of the STAGE write just made
        at_end, bad_steps, bad_address = Signal(), Signal(), Signal()
        m.d.sync += [
            current_step.eq(Mux(in_program, self.step - 1, NO_STEP)),
            to_parameters.eq((self.kind == r.LOAD) & (self.registers.target == r.PARAMS)),
            at_end.eq(self.step == self.program_steps),
            bad_steps.eq((self.program_steps == 0) | (self.program_steps > r.PROGRAM_STEPS_MAX)),
            bad_address.eq(self.program_address % BURST_BYTES != 0),
        ]
        word_offset, word_value = self.program_word[:32], self.program_word[32:]
        offsets = [r.offset(name) for name in r.PROGRAMMABLE]
        programmable = Signal()
        starts_stage = Signal()
        m.d.sync += [
            programmable.eq(sum((word_offset == offset) for offset in offsets) != 0),
            starts_stage.eq(word_offset == r.offset("STAGE")),
        ]
        m.d.comb += [
            check.kind.eq(self.kind), check.registers.eq(self.registers),
            self.program_read.eq(self.step), self.step_offset.eq(word_offset[:12]),
            self.step_value.eq(word_value),
        ]

        def stop(number: int, kind: object, step: object, where: object = 0) -> list:
            return [found.eq(1), cause.code.eq(number), cause.kind.eq(kind), cause.step.eq(step),
                    cause.address.eq(where)]

        state, logging = Signal(State), Signal()
        m.d.sync += self.fetch.eq(0)
        _count(m, self.cycles, self.busy & in_program)
        with m.Switch(state):
            with m.Case(State.IDLE):
                with m.If(self.run & (self.error_code == 0)):
                    m.d.sync += [in_program.eq(1), self.busy.eq(1), self.done.eq(0),
                                 self.step.eq(0), self.stages.eq(0), self.cycles.eq(0)]
                    m.d.sync += state.eq(State.RUN)
                with m.Elif(self.stage_written & (self.error_code == 0)):
                    m.d.sync += [in_program.eq(0), self.busy.eq(1), self.done.eq(0),
                                 self.kind.eq(self.host_kind), settle.eq(0)]
                    m.d.sync += state.eq(State.CHECK)
            with m.Case(State.RUN):
                with m.If(bad_address):
                    m.d.comb += stop(r.ERROR_ADDRESS, 0, 0, self.program_address)
                with m.Elif(bad_steps):
                    m.d.comb += stop(r.ERROR_PROGRAM, 0, 0, r.offset("PROGRAM_STEPS"))
                with m.Elif(self.parameters_left):
                    m.d.comb += stop(r.ERROR_LEFTOVER, 0, 0)
                with m.Else():
                    m.d.sync += [self.fetch.eq(1), state.eq(State.FETCH)]
            with m.Case(State.FETCH), m.If(self.fetched):
                m.d.sync += settle.eq(0)
                m.d.sync += state.eq(State.READ)
            with m.Case(State.READ):
                m.d.sync += settle.eq(settle + 1)
                with m.If(at_end & (settle != 0)):
                    m.d.sync += state.eq(State.FINISH)
                with m.Elif(settle == PROGRAM_LATENCY + 1):
                    m.d.sync += state.eq(State.EXECUTE)
            with m.Case(State.EXECUTE):
                # what needs the stage before to have ended waits for it here
                with m.If(~programmable):
                    with m.If(~running):
                        m.d.comb += stop(r.ERROR_PROGRAM, 0, self.step, word_offset)
                with m.Elif(~starts_stage):
                    m.d.comb += self.step_write.eq(1)
                    m.d.sync += [self.step.eq(self.step + 1), settle.eq(0)]
                    m.d.sync += state.eq(State.READ)
                with m.Elif(~running):
                    m.d.comb += self.step_write.eq(1)
                    m.d.sync += [self.kind.eq(word_value[:4]), settle.eq(0),
                                 self.step.eq(self.step + 1)]
                    m.d.sync += state.eq(State.CHECK)
            with m.Case(State.CHECK):
                m.d.sync += settle.eq(settle + 1)
                with m.If(settle == StageCheck.LATENCY + 1):
                    with m.If(check.code == r.ERROR_NONE):
                        m.d.sync += state.eq(State.BEGIN)
                    with m.Else():
                        m.d.comb += stop(check.code, self.kind, current_step,
                                         Mux(check.code == r.ERROR_ADDRESS,
                                             self.registers.dma_address, 0))
            with m.Case(State.BEGIN):
                with m.If((self.loader_ready | (self.kind != r.LOAD)) & ~fault):
                    m.d.comb += self.begin.eq(1)
                    m.d.sync += [run_step.eq(current_step), run_kind.eq(self.kind), settle.eq(0)]
                    with m.If(to_parameters):
                        m.d.sync += parameter_step.eq(current_step)
                    with m.Else():
                        m.d.sync += running.eq(1)
                    with m.If(in_program):
                        m.d.sync += state.eq(State.READ)
                    with m.Else():
                        m.d.sync += state.eq(State.FINISH)
            with m.Case(State.FINISH), m.If(~running & ~logging):
                with m.If(in_program & self.parameters_left):
                    m.d.comb += stop(r.ERROR_LEFTOVER, 0, self.step - 1)
                with m.Elif(~(self.read_fault | self.write_fault)):
                    m.d.sync += [self.busy.eq(0), self.done.eq(1)]
                    m.d.sync += state.eq(State.IDLE)
            with m.Case(State.STOPPED):
                m.d.sync += [self.busy.eq(0), running.eq(0)]
                m.d.sync += state.eq(State.IDLE)

        # Faults found while something runs come before those of the steps after it.
        with m.If(self.read_fault & (self.error_code == 0)):
            with m.If(self.loading_parameters):
                m.d.comb += stop(r.ERROR_READ, r.LOAD, parameter_step, self.fault_address)
            with m.Elif(running):
                m.d.comb += stop(r.ERROR_READ, run_kind, run_step, self.fault_address)
            with m.Else():
                m.d.comb += stop(r.ERROR_READ, 0, 0, self.fault_address)
        with m.Elif(self.write_fault & (self.error_code == 0)):
            m.d.comb += stop(r.ERROR_WRITE, run_kind, run_step, self.fault_address)
        starved = Signal(range(UNDERRUN_CYCLES + 1))
        m.d.sync += starved.eq(Mux(
            running & self.stage_waiting & ~self.parameters_coming, starved + 1, 0))
        with m.If(starved == UNDERRUN_CYCLES):
            m.d.comb += stop(r.ERROR_UNDERRUN, run_kind, run_step)
        with m.If(self.busy & (self.run | self.stage_written)):
            m.d.comb += stop(r.ERROR_BUSY, Mux(self.stage_written, self.host_kind, 0), NO_STEP)

        m.d.sync += self.clear.eq(fault | self.reset)
        with m.If(fault):
            m.d.sync += [self.error_code.eq(stopped.code), self.error_stage.eq(stopped.kind),
                         self.error_step.eq(stopped.step), self.error_address.eq(stopped.address),
                         running.eq(0), self.busy.eq(0), self.done.eq(0)]
            m.d.sync += state.eq(State.STOPPED)
        with m.If(self.reset):
            m.d.sync += [signal.eq(0) for signal in (
                self.error_code, self.error_stage, self.error_step, self.error_address,
                running, self.busy, self.done, self.step, self.stages, self.cycles)]
            m.d.sync += state.eq(State.STOPPED)
        self._log(m, running, logging, run_kind, to_parameters)
        return m

    def _log(self, m: Module, running: Signal, logging: Signal, run_kind: Signal,
             to_parameters: Signal) -> None:
        """Count the running stage's cycles and write its entry when it ends."""
        entry = self.log_entry
        counting = running & ~self.ended
        for counter, counted in ((entry.cycles, 1), (entry.busy, self.stage_busy),
                                 (entry.wait, self.stage_waiting)):
            _count(m, counter, counting & counted)
        with m.If(self.begin):
            m.d.sync += [entry.kind.eq(self.kind), entry.cycles.eq(0), entry.busy.eq(0),
                         entry.wait.eq(0)]
        handed_over, room = Signal(), Signal()
        m.d.sync += handed_over.eq(self.begin & to_parameters)
        ended = running & self.ended
        with m.If(ended):
            m.d.sync += running.eq(0)
        # the counters settle meanwhile; `logging` keeps the run from ending before the entry
        m.d.sync += [logging.eq(ended | handed_over), room.eq(self.stages < r.LOG_ENTRIES),
                     self.log_write.eq(logging & room), self.log_index.eq(self.stages)]
        with m.If(logging & room):
            m.d.sync += self.stages.eq(self.stages + 1)


def _count(m: Module, counter: object, up: object) -> None:
    """Count up in two halves: the carry between them takes a cycle, not a chain of 32 bits."""
    counter = Value.cast(counter)
    half = len(counter) // 2
    carry = Signal()
    m.d.sync += [carry.eq(up & counter[:half].all()), counter[:half].eq(counter[:half] + up),
                 counter[half:].eq(counter[half:] + carry)]
