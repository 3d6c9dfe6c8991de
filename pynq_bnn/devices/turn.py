"""Whose turn it is to use an accelerator: one at a time, whoever shares it."""

from __future__ import annotations

import threading
import time
import weakref
from typing import Any, Callable, Optional

from pynq_bnn.errors import BusyError

_PAUSE_S = 0.01


class Stepping:
    """A walk through the layers by `control`; it keeps the device while it lives."""

    def __init__(self, control: Any) -> None:
        self.control = control
        self.thread = threading.get_ident()


class Turn:
    """What the users of one accelerator share.

    Every use holds :attr:`lock`, which is taken by a plain ``with``: between taking it and the
    body no signal can be handled, so an interrupt never leaves it locked.  The rest lets an
    interrupt come anywhere: what a user keeps here is held weakly and forgotten with that user.

    Attributes
    ----------
    lock : threading.RLock
        Held while the accelerator's registers are used.
    unsettled : object with ``reset()``, or None
        Who started something whose end was not seen: a reset comes before the next use.
    prepared : object, or None
        What the latest run leaves in the accelerator for the next one; whatever else is begun, and
        a reset, makes it nothing.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.unsettled: Optional[Any] = None
        self.prepared: Optional[Any] = None
        self._changed = threading.Condition(self.lock)
        self._running: Callable[[], Optional[Any]] = _nobody
        self._stepping: Callable[[], Optional[Stepping]] = _nobody

    # The caller of each of these holds the lock.

    def await_walk(self, timeout_s: float, before: Callable[[], None] = lambda: None) -> None:
        """Wait for the end of a walk; while waiting, and only then, others may use the device.

        `before` is called first if there is one: it may know a better reason to refuse.

        Raises
        ------
        BusyError
            If a walk of this very thread is under way, or another's lasts longer than
            `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            stepping = self._stepping()
            if stepping is None:
                return
            before()
            mine = stepping.thread == threading.get_ident()
            if mine or time.monotonic() > deadline:
                raise BusyError(
                    f"a step_through of {'this' if mine else 'another'} thread is under way on "
                    "this device: take all of its layers, or close() it, first")
            del stepping  # or it would live as long as we wait
            self._changed.wait(_PAUSE_S)

    def settle(self) -> None:
        """Let a run that somebody started come to its end; what was interrupted is reset."""
        running = self._running()
        if running is not None:
            running.complete()
        self.quieten()

    def begin_run(self, run: Any, prepares: Optional[Any] = None) -> None:
        """From now on the accelerator does `run`: ``run.complete()`` waits for its end."""
        self._running = weakref.ref(run)
        self.prepared = prepares

    def current_run(self) -> Optional[Any]:
        """The run under way, if its user still wants it."""
        return self._running()

    def used_by_others(self, control: Any) -> bool:
        """Whether something is under way that `control` did not start."""
        return any(user is not None and user.control is not control
                   for user in (self._running(), self._stepping()))

    def end_run(self) -> None:
        self._running = _nobody

    def begin_stepping(self, stepping: Stepping) -> None:
        self._stepping = weakref.ref(stepping)
        self.prepared = None

    def require_stepping(self, stepping: Stepping) -> None:
        """Raise BusyError unless `stepping` still has the device."""
        if self._stepping() is not stepping:
            raise BusyError("this step_through was ended by a reset of its device: begin again")

    def end_stepping(self, stepping: Stepping) -> None:
        if self._stepping() is stepping:
            self._stepping = _nobody
            self._changed.notify_all()

    def quieten(self, control: Optional[Any] = None) -> None:
        """Reset what was started and not seen to end; if `control` is given, only if by it."""
        if self.unsettled is not None and control in (None, self.unsettled):
            self.unsettled.reset()
            self.forget()

    def forget(self) -> None:
        """End whatever is under way: the accelerator was reset."""
        self._running = self._stepping = _nobody
        self.unsettled = self.prepared = None
        self._changed.notify_all()


def _nobody() -> None:
    return None
