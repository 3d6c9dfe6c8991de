"""Waits are tested on a scripted device under a clock of their own: nothing sleeps here."""

import pytest

from pynq_bnn import registers
from pynq_bnn.driver import control as control_module
from pynq_bnn.driver.control import Control
from pynq_bnn.driver.program import Step
from pynq_bnn.errors import DeviceError, DeviceTimeout

PROGRAM = [Step("DMA_ADDRESS", 0x100, "load pictures"), Step("STAGE", registers.LOAD, "conv7")]
BUSY, DONE, ERROR = (registers.encode("STATUS", **{bit: 1}) for bit in ("BUSY", "DONE", "ERROR"))


class Clock:
    """Stands in for the module `time`: sleeping is all that takes time."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        assert self.now < 1000, "a wait without an end"


class Scripted:
    """An mmio whose device answers STATUS by a function of the clock, and notes every write."""

    def __init__(self, clock, status, **held):
        self.clock, self.status, self.held = clock, status, held
        self.writes, self.reads = [], []

    def read(self, offset):
        name = next(r.name for at, r, _ in registers.words() if at == offset)
        self.reads.append(name)
        return self.status(self.clock.now) if name == "STATUS" else self.held.get(name, 0)

    def write(self, offset, value):
        assert type(value) is int
        name = next(r.name for at, r, _ in registers.words() if at == offset)
        self.writes.append((name, value))

    @property
    def accesses(self):
        return len(self.reads) + len(self.writes)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(control_module, "time", clock)
    return clock


def run_program(control, expected_s=0.0):
    control.start_program(0x1000, len(PROGRAM))
    control.wait(PROGRAM, expected_s=expected_s)


def busy_for(seconds):
    return lambda now: DONE if now >= seconds else BUSY


RESET = ("CONTROL", registers.encode("CONTROL", RESET=1))
RUN = ("CONTROL", registers.encode("CONTROL", RUN=1))


def test_a_program_is_placed_and_then_started(clock):
    mmio = Scripted(clock, busy_for(0))
    run_program(Control(mmio, 1.0))
    assert mmio.writes == [("PROGRAM_ADDRESS", 0x1000), ("PROGRAM_STEPS", 2), RUN]
    assert mmio.reads == ["STATUS"]


@pytest.mark.parametrize("milliseconds", [0.1, 1, 5.94, 8])
def test_a_first_run_of_the_boards_speed_takes_few_accesses(clock, milliseconds):
    mmio = Scripted(clock, busy_for(milliseconds / 1000))
    run_program(Control(mmio, 1.0))
    assert mmio.accesses <= 11, "and one more to read the cycles"
    assert clock.now <= 2 * milliseconds / 1000 + 0.0002, "slept far beyond the end"


def test_a_run_of_known_length_is_slept_through(clock):
    mmio = Scripted(clock, busy_for(0.0475))
    run_program(Control(mmio, 1.0), expected_s=0.0475)
    assert mmio.accesses == 4
    assert clock.slept == [0.0475]


def test_no_wait_is_longer_than_the_timeout(clock):
    mmio = Scripted(clock, busy_for(1e9))
    with pytest.raises(DeviceTimeout):
        run_program(Control(mmio, 2.0), expected_s=1000.0)
    assert clock.now <= 2.1


class Stepping(dict):
    """STEP grows by one every 0.1 s until it stands still."""

    def __init__(self, clock, until):
        super().__init__()
        self.clock, self.until = clock, until

    def get(self, name, default):
        return int(10 * min(self.clock.now, self.until)) if name == "STEP" else default


def long_run(clock, seconds, stands_still_after):
    """A run of 29 batches that began at 0, with a timeout of a second."""
    mmio = Scripted(clock, busy_for(seconds))
    mmio.held = Stepping(clock, stands_still_after)
    Control(mmio, 1.0).wait(PROGRAM, started=0.0, batches=29)


def test_a_run_of_many_batches_may_take_as_many_timeouts(clock):
    long_run(clock, 28.0, stands_still_after=28.0)
    assert clock.now == pytest.approx(28.0, abs=0.02)
    clock.now = 0.0
    with pytest.raises(DeviceTimeout, match="within 29 s"):
        long_run(clock, 1e9, stands_still_after=1e9)


def test_one_that_nobody_looked_at_for_long_has_time_to_make_steps(clock):
    clock.now = 25.0
    long_run(clock, 26.5, stands_still_after=26.5)
    assert clock.now == pytest.approx(26.5, abs=0.02)


@pytest.mark.parametrize("after", [0, 0.5, 4.5])
def test_one_that_hangs_is_given_up_within_two_timeouts(clock, after):
    with pytest.raises(DeviceTimeout):
        long_run(clock, 1e9, stands_still_after=after)
    assert after + 1 < clock.now < after + 2.1


def test_a_timeout_shows_the_registers_and_resets(clock):
    mmio = Scripted(clock, busy_for(1e9), STEP=9, SHAPE=registers.encode("SHAPE", HEIGHT=17),
                    STAGE=registers.LOAD)
    with pytest.raises(DeviceTimeout) as caught:
        run_program(Control(mmio, 0.5))
    for part in ("within 0.5 s", "STATUS=0x00000001 (BUSY=1)", "STEP=0x00000009", "HEIGHT=17",
                 "STAGE=0x00000001 (KIND=LOAD)"):
        assert part in str(caught.value)
    assert mmio.writes[-1] == RESET
    assert isinstance(caught.value, TimeoutError)


@pytest.mark.parametrize("when", [0, 0.002])
def test_a_reset_by_somebody_else_is_told_at_once(clock, when):
    mmio = Scripted(clock, lambda now: 0 if now >= when else BUSY)
    with pytest.raises(DeviceError, match="reset by somebody else.*STATUS=0x00000000") as caught:
        run_program(Control(mmio, 10.0))
    assert not isinstance(caught.value, DeviceTimeout)
    assert clock.now < 0.01, "not after the timeout"


def test_the_time_since_the_start_counts(clock):
    mmio = Scripted(clock, busy_for(0.004))
    control = Control(mmio, 1.0)
    control.start_program(0x1000, 2)
    clock.now = 0.003
    control.wait(PROGRAM, started=0.0, expected_s=0.004)
    assert clock.slept == [pytest.approx(0.001)]
    clock.now = 5.0
    control.wait(PROGRAM, started=0.0)
    with pytest.raises(DeviceTimeout):
        Control(Scripted(clock, busy_for(1e9)), 1.0).wait(PROGRAM, started=0.0)
    assert clock.now < 5.01


def test_stepped_mode_waits_after_each_stage(clock):
    mmio = Scripted(clock, busy_for(0.003))
    Control(mmio, 1.0).run_stage(PROGRAM)
    assert mmio.writes == [("DMA_ADDRESS", 0x100), ("STAGE", registers.LOAD)]
    assert set(mmio.reads) == {"STATUS"}
    assert clock.now >= 0.003


def error(code, stage, step):
    return registers.encode("ERROR", CODE=code, STAGE=stage, STEP=step)


def test_an_error_in_a_program_names_code_stage_step_purpose_and_address(clock):
    mmio = Scripted(clock, lambda now: ERROR, ERROR_ADDRESS=0x12345678,
                    ERROR=error(registers.ERROR_READ, registers.BIN_CONV, 1))
    with pytest.raises(DeviceError) as caught:
        run_program(Control(mmio, 1.0))
    for part in ("error READ", registers.ERROR_MEANINGS[registers.ERROR_READ], "BIN_CONV",
                 "program step 1", "conv7", "0x12345678", "reset"):
        assert part in str(caught.value)
    assert not isinstance(caught.value, DeviceTimeout)
    assert mmio.writes[-1] == RESET


def test_an_error_in_stepped_mode_names_the_stage_and_its_purpose(clock):
    mmio = Scripted(clock, lambda now: ERROR,
                    ERROR=error(registers.ERROR_UNDERRUN, registers.LAST, 0xFFFF))
    with pytest.raises(DeviceError, match=r"UNDERRUN.*in LAST \(conv7\)") as caught:
        Control(mmio, 1.0).run_stage(PROGRAM)
    assert "program step" not in str(caught.value)
    assert mmio.writes[-1] == RESET


def test_the_sequencers_own_error(clock):
    mmio = Scripted(clock, lambda now: ERROR, ERROR=error(registers.ERROR_PROGRAM, 0, 0))
    with pytest.raises(DeviceError, match=r"in the sequencer, program step 0 \(load pictures\)"):
        run_program(Control(mmio, 1.0))


def test_an_error_that_this_driver_does_not_know_is_still_one_message(clock):
    mmio = Scripted(clock, lambda now: 0xFFFFFFFF, ERROR=error(99, 14, 200))
    with pytest.raises(DeviceError, match="error 99: .*doesn't know; in stage kind 14, program "
                                          "step 200"):
        run_program(Control(mmio, 1.0))


def test_an_interrupt_leaves_the_accelerator_reset(clock):
    def interrupted(now):
        raise KeyboardInterrupt

    mmio = Scripted(clock, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_program(Control(mmio, 1.0))
    assert mmio.writes[-1] == RESET


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_wait_that_would_not_end_is_refused(seconds):
    with pytest.raises(ValueError, match="timeout"):
        Control(None, seconds)
