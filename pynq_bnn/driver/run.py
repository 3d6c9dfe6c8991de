"""A run of the accelerator: what is under way, and what came of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, List, NamedTuple, Optional

import numpy as np

from pynq_bnn.errors import BnnError

if TYPE_CHECKING:
    from pynq_bnn.driver.control import Control
    from pynq_bnn.driver.following import Prepared, Program
    from pynq_bnn.driver.loaded import Loaded
    from pynq_bnn.driver.program import Step


class Run(NamedTuple):
    """What one run gave, and where this thread's time went.

    Attributes
    ----------
    sums : int16 (N, classes)
    copy_s, run_s, read_s : float
        Seconds: pictures to words in the device's memory; start written and end waited for (what
        passed in between is not in it); sums back.
    cycles : int or None
        As the device counted them, its DMA included; None where it counts none.
    """

    sums: np.ndarray
    copy_s: float
    run_s: float
    read_s: float
    cycles: Optional[int]


class Started:
    """A run under way; :meth:`Accelerator.finish` gives what comes of it.

    Whoever needs the device next completes it, so nobody waits for a run that its user forgot.
    All of it is for those who hold the device's lock.
    """

    def __init__(self, control: Control, loaded: Loaded, program: Program, copy_s: float,
                 expected_s: float) -> None:
        self.control, self.slot, self.count = control, program.slot, program.pictures
        self._loaded, self.program = loaded, program
        self.prepares: Optional[Prepared] = None
        self._expected_s = expected_s
        self._begun, self._steps = time.monotonic(), []  # type: float, List[Step]
        self._ended = False
        self._error: Optional[BaseException] = None
        self._sums: Optional[np.ndarray] = None
        self._copy_s, self._run_s, self._read_s = copy_s, 0.0, 0.0
        self._cycles: Optional[int] = None

    def start(self, address: int, steps: List[Step]) -> None:
        """Let the program at `address` run."""
        before = time.perf_counter()
        self._begun, self._steps = time.monotonic(), steps
        self.control.start_program(address, len(steps))
        self._run_s += time.perf_counter() - before

    def complete(self) -> None:
        """Wait for the end.  What goes wrong is kept for :meth:`result`; an interrupt is raised."""
        if self._ended:
            return
        device = self._loaded.device
        turn, before = device.turn, time.perf_counter()
        try:
            device.require_ready()
            self.control.wait(self._steps, self._begun, self._expected_s,
                              max(1, self.count // self._loaded.batch))
            self._run_s += time.perf_counter() - before
            if self._loaded.counters:
                self._cycles = self.control.read("CYCLES")
                self._loaded.cycles[self.program.kind] = self._cycles
            turn.unsettled = None
        except Exception as error:
            self._error = error
        self._ended = True
        turn.end_run()

    def collect(self) -> None:
        """Take the sums out of the slot, so that it can be used again."""
        self.complete()
        if self._sums is None and self._error is None:
            before = time.perf_counter()
            self._sums = self._loaded.memory.read_sums(self.slot, self.count)
            self._read_s += time.perf_counter() - before

    def abandon(self, why: str) -> None:
        """End it without a result: the accelerator is about to be reset."""
        if not self._ended:
            self._ended, self._error = True, BnnError(why)

    def result(self) -> Run:
        """What came of it; raises what went wrong."""
        self.collect()
        if self._error is not None or self._sums is None:
            raise self._error or BnnError("this run left no sums")
        return Run(self._sums, self._copy_s, self._run_s, self._read_s, self._cycles)
