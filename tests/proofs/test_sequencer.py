"""A run ends if its stages do: it goes on, step by step, unless others owe it something."""

import pytest
from amaranth import Cat, Const, Mux, Signal

from overlays.gateware import beside
from overlays.gateware.config import SMALL
from overlays.gateware.sequencer import Sequencer, State
from overlays.gateware.stage_check import StageCheck
from overlays.gateware.unit_memory import READ_LATENCY
from pynq_bnn import registers as r
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]

PATIENCE = StageCheck.LATENCY + 14
"""Cycles in which the sequencer may go on by itself from one event to the next."""


class _Side:
    """A convolution: what it says, whether it is the stage that runs, or goes on beside others."""

    def __init__(self, name, kind, says):
        self.name, self.kind, self.says = name, kind, says
        self.is_it, self.beside, self.loaded = (
            Signal(name=f"{name}_{what}_here") for what in ("is_it", "beside", "loaded"))


class RunClaims(Claims):
    """A run is steps, each no later than PATIENCE cycles after the one before and what it began.

    Others *owe* the end of a fetch, of a stage (of a convolution that it has its parameters, later
    its end), and that the loader takes a LOAD which is asked for.
    """

    def state(self):
        m, s = self.m, self.dut
        fetching, running, asked = (Signal(name=name) for name in ("fetching", "running", "asked"))
        to_parameters = (s.kind == r.LOAD) & (s.registers.target == r.PARAMS)
        sides = [_Side(*side) for side in (("fp", r.FP_CONV, s.fp), ("conv", r.BIN_CONV, s.conv))]
        loaded = Const(0)
        for side in sides:
            m.d.comb += side.loaded.eq(running & side.is_it & side.says.loaded)
            loaded |= side.loaded
        starts = s.stage_written | s.step_write & (s.step_offset == r.offset("STAGE"))
        owing = [(fetching, s.fetch, s.fetched), (asked, starts, s.begin),
                 (running, s.begin & ~to_parameters, loaded | running & s.ended),
                 *((side.beside, side.loaded, side.says.done) for side in sides)]
        for signal, begins, ends in owing:
            with m.If(begins):
                m.d.sync += signal.eq(1)
            with m.Elif(ends):
                m.d.sync += signal.eq(0)
        with m.If(s.begin):
            m.d.sync += [side.is_it.eq(s.kind == side.kind) for side in sides]
        over = s.clear | s.reset
        with m.If(over):
            m.d.sync += [signal.eq(0) for signal, *_ in owing]
        # the host's registers and the program's words stand still but for a while after a step
        moving = Signal(4, init=-1)
        m.d.sync += moving.eq(Cat(s.step_write | ~s.busy | fetching, moving))
        still = (s.registers.as_value() == self.before(s.registers.as_value())) & (
            s.program_word == self.before(s.program_word))
        self.assume(still | moving.any())
        # a convolution ends long after it has its parameters, and its `ended` is not used
        self.assume(~s.fetched | fetching)
        for side in sides:
            self.assume(~side.says.done | side.beside)
            self.assume(~(running & side.is_it & s.ended))

        owed = fetching | running | (asked & ~s.loader_ready & (s.kind == r.LOAD))
        for side in sides:
            owed |= side.beside
        event = over | s.run | s.stage_written | s.step_write | s.begin
        patience = Signal(range(PATIENCE + 2))
        with m.If(~s.busy | owed | event):
            m.d.sync += patience.eq(0)
        with m.Elif(patience <= PATIENCE):
            m.d.sync += patience.eq(patience + 1)
        self.claim("it goes on unless something is owed", patience <= PATIENCE)
        steps = Signal(32)  # what the run was started with
        with m.If(s.run & ~s.busy):
            m.d.sync += steps.eq(s.program_steps)
        self._lasting(fetching, running, sides, asked, patience)
        self._stable(fetching, running, sides, to_parameters, moving)
        self._counted(steps)
        self.claim("a stage is begun once for each that was asked for", ~s.begin | asked)
        self.claim("no step past the last one", ~s.step_write | (s.step < steps))
        self.claim("steps are counted", ~self.before(s.busy & s.step_write & ~s.reset)
                   | (s.step == (self.before(s.step) + 1)[:len(s.step)]))

    def _lasting(self, fetching, running, sides, asked, patience):
        """Lemmas: what each state waits for is owed, and how long it has lasted without."""
        s, state, settle = self.dut, self.inside("state"), self.inside("settle")
        fault = self.inside("fault")
        self.lemma("a state", state <= State.STOPPED.value)
        self.lemma("busy", s.busy ^ state.matches(State.IDLE, State.STOPPED))
        self.lemma("an error ends it", ~s.busy | (s.error_code == 0))
        self.lemma("cleared", ~s.clear | (state == State.STOPPED))
        self.lemma("a fetch is owed", (state != State.FETCH) | fetching | s.fetch)
        self.lemma("a stage is owed", ~self.inside("running") | running)
        entries = []
        for side in sides:
            inside, through = (self.inside(f"{side.name}_{what}", "beside")
                               for what in ("beside", "through"))
            self.lemma(f"{side.name} is owed", ~inside | side.beside | through[0])
            entries.append((f"{side.name}'s entry", inside & ~side.beside))
        self.lemma("a stage is asked for", ~state.matches(State.CHECK, State.BEGIN) | asked)
        self.lemma("reading", (state != State.READ) | (settle <= READ_LATENCY + 1))
        self.lemma("checking", (state != State.CHECK) | (settle <= StageCheck.LATENCY + 1 + fault))
        # each that a state may wait for beside what is owed, and what may come before it
        for name, waits, most in (
                ("logging", self.inside("logging"), 1), ("logged", self.inside("logged"), 3),
                *((name, waits, most) for (name, waits), most in zip(entries, (4, 5))),
                *((each.name, state == each, most) for each, most in (
                    (State.RUN, 0), (State.FETCH, Mux(s.fetch, 1, 2)), (State.READ, settle),
                    (State.EXECUTE, READ_LATENCY + 2), (State.CHECK, settle),
                    (State.BEGIN, StageCheck.LATENCY + 2), (State.FINISH, 6),
                    (State.STOPPED, StageCheck.LATENCY + 6), (State.IDLE, 8)))):
            self.lemma(f"patience, {name}", ~waits | (patience <= most + fault))

    def _stable(self, fetching, running, sides, to_parameters, moving):
        """Lemmas: registers and words stand still by the time that something is made of them."""
        s, state, settle = self.dut, self.inside("state"), self.inside("settle")
        self.lemma("fetch", ~s.fetch | (state == State.FETCH) | s.clear)
        self.lemma("fetching", ~fetching | (state == State.FETCH) | s.clear)
        for bit in range(len(moving)):
            self.lemma(f"moving {bit}", ~moving[bit] | ~state.matches(State.READ, State.CHECK)
                       | (settle <= bit))
        self.lemma("nothing moves", ~moving.any() | ~state.matches(State.EXECUTE, State.BEGIN))
        settled = (state == State.BEGIN) | (state == State.CHECK) & (settle > len(moving) + 1)
        self.lemma("settled", ~settled | (self.inside("to_parameters") == to_parameters))
        for side in sides:
            self.lemma(f"{side.name} runs", ~running | (
                side.is_it == (self.inside("run_kind") == side.kind)))
        self.lemma("which step", (state != State.EXECUTE) | ~self.inside("starts_stage")
                   | (s.step_offset == r.offset("STAGE")))

    def _counted(self, steps):
        """Lemmas: where a run stands among its steps."""
        s, state, settle = self.dut, self.inside("state"), self.inside("settle")
        in_program, at_end = self.inside("in_program"), self.inside("at_end")
        early = state.matches(State.RUN, State.FETCH)
        self.lemma("in a program", in_program | ~(early | state.matches(
            State.READ, State.EXECUTE)))
        self.lemma("none made", ~early | (s.step == 0))
        fits = (steps != 0) & (steps <= r.PROGRAM_STEPS_MAX)
        self.lemma("refused", (state != State.RUN) | self.inside("fault")
                   | (self.inside("bad_steps") == ~fits))
        later = s.busy & in_program & (state != State.RUN)
        self.lemma("as many as asked for", ~later | fits & (self.inside("steps") == steps))
        self.lemma("not too many", ~later | (s.step <= steps))
        self.lemma("the end", (state != State.READ) | (settle == 0) | (at_end == (s.step == steps)))
        self.lemma("not the end", (state != State.EXECUTE) | (s.step < steps))


def test_claims(tmp_path):
    RunClaims(Sequencer(SMALL)).prove(tmp_path)


GOES_ON = "it goes on unless something is owed"
FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("~(now.fp.beside & now.fp.collides | now.conv.beside & now.conv.collides)",
     "~(now.fp.collides | now.conv.beside & now.conv.collides)", (GOES_ON,)),
    ("with m.Case(State.FETCH), m.If(self.fetched):",
     "with m.Case(State.FETCH), m.If(self.fetched & self.loader_ready):", (GOES_ON,)),
    ("(now.conv, self.conv, now.logged | now.fp.again)",
     "(now.conv, self.conv, now.logged | ~now.fp.again)", (GOES_ON,)),
    ("now.at_end.eq(self.step == now.steps)", "now.at_end.eq(self.step == self.program_steps)",
     ("no step past the last one",)),
    ("[self.step.eq(self.step + 1), now.settle.eq(0)]", "[now.settle.eq(0)]",
     ("steps are counted",)),
    ("with m.If(now.in_program):\n                    m.d.sync += now.state.eq(State.READ)",
     "with m.If(now.in_program):\n                    m.d.sync += now.state.eq(State.BEGIN)",
     ("a stage is begun once for each that was asked for",)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    RunClaims(faulty(Sequencer, right, wrong)(SMALL)).must_break(tmp_path, claims)


def test_a_convolution_that_never_ends_is_found(tmp_path):
    broken = faulty(Sequencer, "with m.If(self.again):", "with m.If(self.again & begins):", beside)
    RunClaims(broken(SMALL)).must_break(tmp_path, (GOES_ON,))


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(RunClaims(Sequencer(SMALL)).names) == broken
