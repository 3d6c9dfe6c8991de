"""What a delay is here: four figures in nanoseconds, and how two of them combine."""

from __future__ import annotations

from typing import Iterable, NamedTuple

from overlays.bitstream.errors import BitstreamError


class TimingError(BitstreamError):
    """The input can't be analysed; the message says what and where."""


class Delay(NamedTuple):
    """Least and greatest delay in ns at the fast and at the slow corner.

    The corners are prjxray-db's: everything at its fastest process, voltage and temperature, or
    everything at its slowest.  Set-up is judged at the slow corner, hold at both.
    """

    fast_min: float
    fast_max: float
    slow_min: float
    slow_max: float

    def plus(self, other: Delay) -> Delay:
        return Delay(self.fast_min + other.fast_min, self.fast_max + other.fast_max,
                     self.slow_min + other.slow_min, self.slow_max + other.slow_max)


ZERO = Delay(0.0, 0.0, 0.0, 0.0)


def union(delays: Iterable[Delay]) -> Delay:
    """The least of the least and the greatest of the greatest: which one holds isn't known."""
    columns = list(zip(*delays))
    if not columns:
        raise ValueError("no delay given")
    return Delay(min(columns[0]), max(columns[1]), min(columns[2]), max(columns[3]))


FAST_HOLD = 0.51
"""What is left of a hold time at the fast corner: an assumption.

The database has the slow corner's alone.  Hold times are made of the cell's own delays, and of
those that it has for both corners, the clocked ones of slices and block RAM, the fast corner's
greatest is 0.30 to 0.47 of the slow one's.
"""


class Requirement(NamedTuple):
    """How long before and after the clock an input has to stand still, in ns."""

    setup: float
    hold_slow: float
    hold_fast: float


def requirement(setup: float, hold: float, clock_wire: Delay = ZERO) -> Requirement:
    """What an input wants of the clock at its site's pin.

    Parameters
    ----------
    setup, hold
        The slow corner's, at the cell itself.
    clock_wire
        From the site's pin to the cell: the cell looks that much later.
    """
    fast = hold * FAST_HOLD if hold > 0 else hold
    return Requirement(setup - clock_wire.slow_min, hold + clock_wire.slow_max,
                       fast + clock_wire.fast_max)
