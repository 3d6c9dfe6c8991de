"""The register file over MMIO: write, start, wait with a timeout, and say what went wrong.

On a board one access costs about 30 microseconds of Python, so a wait sleeps ever longer between
its polls instead of spinning.
"""

from __future__ import annotations

import math
import time
from typing import Any, Sequence

from pynq_bnn import registers
from pynq_bnn.errors import DeviceError, DeviceTimeout
from pynq_bnn.program import Step

FIRST_PAUSE_S = 100e-6
LONGEST_PAUSE_S = 5e-3
_SHOWN = ("STATUS", "ERROR", "ERROR_ADDRESS", "STEP", "STAGES", "PROGRAM_ADDRESS", "PROGRAM_STEPS",
          "STAGE", "DMA_ADDRESS", "DMA_BYTES", "BUFFERS", "SHAPE", "OUTPUTS", "MODE", "BATCH")
_OUTSIDE_PROGRAM = 0xFFFF


class Control:
    """Registers by name over PYNQ's ``mmio``.

    Parameters
    ----------
    mmio : object with ``read(offset) -> int`` and ``write(offset, int)``
    timeout_s : float
        Longest time any wait may take, in seconds.

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
        self.write("CONTROL", registers.encode("CONTROL", RESET=1))

    def run_program(self, address: int, steps: Sequence[Step], expected_s: float = 0.0) -> None:
        """Replay the program at `address` and wait for its end.

        Raises
        ------
        DeviceError, DeviceTimeout
            After a reset: the accelerator can run again.
        """
        self.write("PROGRAM_ADDRESS", address)
        self.write("PROGRAM_STEPS", len(steps))
        self.write("CONTROL", registers.encode("CONTROL", RUN=1))
        self._wait(steps, expected_s)

    def run_stage(self, steps: Sequence[Step]) -> None:
        """Stepped mode: make each write, and wait after each that starts a stage."""
        for step in steps:
            self.write(step.register, step.value)
            if step.register == "STAGE":
                self._wait([step], 0.0)

    def snapshot(self) -> str:
        """The registers that tell where the accelerator stands, decoded, for a message."""
        return ", ".join(registers.describe(name, self.read(name)) for name in _SHOWN)

    def _wait(self, steps: Sequence[Step], expected_s: float) -> None:
        """Wait for the end; whatever comes instead leaves the accelerator able to run."""
        try:
            self._poll(steps, expected_s)
        except BaseException:  # Ctrl-C too
            self.reset()
            raise

    def _poll(self, steps: Sequence[Step], expected_s: float) -> None:
        deadline = time.monotonic() + self.timeout_s
        if expected_s:
            time.sleep(min(expected_s, self.timeout_s))
        pause = FIRST_PAUSE_S
        while True:
            status = registers.decode("STATUS", self.read("STATUS"))
            if status["ERROR"]:
                self._raise_error(steps)
            # not BUSY alone could mean not started yet, or reset by somebody else
            if status["DONE"] and not status["BUSY"]:
                return
            if time.monotonic() > deadline:
                raise DeviceTimeout(
                    f"the accelerator did not finish within {self.timeout_s:g} s and was reset; "
                    f"its registers were: {self.snapshot()}")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _raise_error(self, steps: Sequence[Step]) -> None:
        error = registers.decode("ERROR", self.read("ERROR"))
        address = self.read("ERROR_ADDRESS")
        codes = {number: name for name, number in registers.ERRORS}
        stages = {number: name for name, number in registers.STAGES}
        name = codes.get(error["CODE"], str(error["CODE"]))
        meaning = registers.ERROR_MEANINGS.get(error["CODE"], "an error this driver doesn't know")
        where = stages.get(error["STAGE"], f"stage kind {error['STAGE']}") if error["STAGE"] else (
            "the sequencer")
        if error["STEP"] != _OUTSIDE_PROGRAM:
            where += f", program step {error['STEP']}"
            if error["STEP"] < len(steps):
                where += f" ({steps[error['STEP']].purpose})"
        elif steps:
            where += f" ({steps[-1].purpose})"
        raise DeviceError(f"the accelerator stopped with error {name}: {meaning}; in {where}, "
                          f"address 0x{address:08X}. It was reset and can run again")
