"""The register file over MMIO: write, start, wait with a timeout, and say what went wrong.

On a board one access costs about 30 microseconds of Python, so a wait sleeps ever longer between
its polls instead of spinning.
"""

from __future__ import annotations

import math
import time
from typing import Any, Optional, Sequence

from pynq_bnn import registers
from pynq_bnn.driver.program import Step
from pynq_bnn.errors import DeviceError, DeviceTimeout

FIRST_PAUSE_S = 100e-6
LONGEST_PAUSE_S = 5e-3
QUIET_S = 20e-3
"""Memory answers within microseconds: what a port still owes after so long it will never give."""
LOAD_AGAIN = ("a memory port still owes what was asked of it before the reset, and whatever runs "
              "next would wait for that: load the bitstream again")
_SHOWN = ("STATUS", "ERROR", "ERROR_ADDRESS", "STEP", "STAGES", "PROGRAM_ADDRESS", "PROGRAM_STEPS",
          "STAGE", "DMA_ADDRESS", "DMA_BYTES", "BUFFERS", "SHAPE", "OUTPUTS", "MODE", "BATCH")
_BUSY, _DONE, _ERROR, _DRAINING = (registers.encode("STATUS", **{bit: 1})
                                   for bit in ("BUSY", "DONE", "ERROR", "DRAINING"))
_RUN, _RESET = (registers.encode("CONTROL", **{bit: 1}) for bit in ("RUN", "RESET"))
_PROGRAM_ADDRESS, _PROGRAM_STEPS, _CONTROL, _STATUS = map(
    registers.offset, ("PROGRAM_ADDRESS", "PROGRAM_STEPS", "CONTROL", "STATUS"))


class Control:
    """Registers by name over PYNQ's ``mmio``.

    Parameters
    ----------
    mmio : object with ``read(offset) -> int`` and ``write(offset, int)``
    timeout_s : float
        Longest time any wait may take, in seconds; a run of several batches may take as many times
        that, as long as it makes steps.

    Raises
    ------
    ValueError
        If `timeout_s` is no time that ends: every wait must.
    """

    def __init__(self, mmio: Any, timeout_s: float) -> None:
        if not (timeout_s > 0 and math.isfinite(timeout_s)):
            raise ValueError(f"a timeout of {timeout_s} s: give a finite one above 0")
        self._mmio = mmio
        self.timeout_s = timeout_s

    def read(self, name: str, index: int = 0) -> int:
        return int(self._mmio.read(registers.offset(name, index)))

    def write(self, name: str, value: int) -> None:
        # PYNQ's mmio takes Python's int alone
        self._mmio.write(registers.offset(name), int(value))

    def reset(self) -> None:
        """Stop whatever runs, clear errors and leave the accelerator able to run."""
        self.write("CONTROL", _RESET)

    def await_quiet(self) -> bool:
        """After a reset: wait until memory owes nothing; whether it does so within QUIET_S."""
        deadline = time.monotonic() + QUIET_S
        while self._mmio.read(_STATUS) & _DRAINING:
            if time.monotonic() > deadline:
                return False
            time.sleep(FIRST_PAUSE_S)
        return True

    def start_program(self, address: int, steps: int) -> None:
        """Let the accelerator replay the program of so many `steps` at `address`."""
        write = self._mmio.write
        write(_PROGRAM_ADDRESS, address)
        write(_PROGRAM_STEPS, steps)
        write(_CONTROL, _RUN)

    def run_stage(self, steps: Sequence[Step]) -> None:
        """Stepped mode: make each write, and wait after each that starts a stage."""
        for step in steps:
            self.write(step.register, step.value)
            if step.register == "STAGE":
                self.wait([step])

    def snapshot(self) -> str:
        """The registers that tell where the accelerator stands, decoded, for a message."""
        return ", ".join(registers.describe(name, self.read(name)) for name in _SHOWN)

    def wait(self, steps: Sequence[Step], started: Optional[float] = None,
             expected_s: float = 0.0, batches: int = 1) -> None:
        """Wait for the end of what was started; whatever comes instead is followed by a reset.

        Parameters
        ----------
        steps : sequence of Step
            What runs, for the message of an error.
        started : float, optional
            ``time.monotonic()`` of its start; the timeout counts from there.
        expected_s : float
            How long it should take: so much is slept before the first look.
        batches : int
            So many in one program may take so many times the timeout, if after each it has made
            further steps.

        Raises
        ------
        DeviceError, DeviceTimeout
            After a reset: the accelerator can run again.
        """
        try:
            self._poll(steps, time.monotonic() if started is None else started, expected_s, batches)
        except BaseException:  # Ctrl-C too
            self.reset()
            raise

    def _poll(self, steps: Sequence[Step], started: float, expected_s: float,
              batches: int) -> None:
        if expected_s:
            left = min(expected_s, self.timeout_s) + started - time.monotonic()
            if left > 0:
                time.sleep(left)
        pause = FIRST_PAUSE_S
        deadline, timeouts, made = started + self.timeout_s, 1, 0
        while True:
            status = self._mmio.read(_STATUS)
            if status & _ERROR:
                self._raise_error(steps)
            if not status & _BUSY:
                if status & _DONE:
                    return
                # a start sets BUSY before its write is answered, and every end leaves a trace
                raise DeviceError(
                    "the accelerator is idle in the middle of a run: it was reset by somebody "
                    f"else. Let one program at a time use it; its registers: {self.snapshot()}")
            if time.monotonic() > deadline:
                before, made = made, self.read("STEP")
                if timeouts == batches or made == before:
                    self._give_up(timeouts * self.timeout_s)
                timeouts += 1
                # from now on: who first looks late has just seen how far it came
                deadline = time.monotonic() + self.timeout_s
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _give_up(self, after_s: float) -> None:
        shown = self.snapshot()
        self.reset()
        advice = "" if self.await_quiet() else f"{LOAD_AGAIN}; "
        raise DeviceTimeout(f"the accelerator did not finish within {after_s:g} s and was reset; "
                            f"{advice}its registers were: {shown}")

    def _raise_error(self, steps: Sequence[Step]) -> None:
        error = registers.decode("ERROR", self.read("ERROR"))
        address = self.read("ERROR_ADDRESS")
        codes = {number: name for name, number in registers.ERRORS}
        stages = {number: name for name, number in registers.STAGES}
        name = codes.get(error["CODE"], str(error["CODE"]))
        meaning = registers.ERROR_MEANINGS.get(error["CODE"], "an error this driver doesn't know")
        where = stages.get(error["STAGE"], f"stage kind {error['STAGE']}") if error["STAGE"] else (
            "the sequencer")
        if error["STEP"] != registers.NO_STEP:
            where += f", program step {error['STEP']}"
            if error["STEP"] < len(steps):
                where += f" ({steps[error['STEP']].purpose})"
        elif steps:
            where += f" ({steps[-1].purpose})"
        raise DeviceError(f"the accelerator stopped with error {name}: {meaning}; in {where}, "
                          f"address 0x{address:08X}. It was reset and can run again")
