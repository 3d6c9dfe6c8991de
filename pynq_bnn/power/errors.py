"""What can go wrong with a measurement of power."""

from __future__ import annotations

from pynq_bnn.errors import BnnError


class PowerError(BnnError, ValueError):
    """A log, a sensor or a recording that no watts can be read from; the message says why."""


class NoPowerSource(PowerError):
    """Nothing here measures power; the message says what to connect and where."""
