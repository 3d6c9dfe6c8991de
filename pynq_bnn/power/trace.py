"""Watts over time, as a sensor or a meter gave them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Tuple

import numpy as np

from pynq_bnn.power.errors import PowerError


@dataclass(frozen=True)
class Trace:
    """Readings of one source, in the order of time.

    Attributes
    ----------
    seconds : ndarray of float64, shape (n,)
        Of the clock of whoever took the readings; increasing.
    watts : ndarray of float64, shape (n,)
    source : str
        What measured them: goes into every report.
    """

    seconds: np.ndarray
    watts: np.ndarray
    source: str

    def __post_init__(self) -> None:
        if self.seconds.shape != self.watts.shape or self.seconds.ndim != 1:
            raise PowerError(f"{self.source}: times and watts are not two rows of one length")
        if len(self.seconds) < 2:
            raise PowerError(f"{self.source}: {len(self.seconds)} readings; two at least")
        if not (np.isfinite(self.seconds).all() and np.isfinite(self.watts).all()):
            raise PowerError(f"{self.source}: a reading that is not a finite number")
        if (np.diff(self.seconds) <= 0).any():
            raise PowerError(f"{self.source}: its times do not increase")

    @property
    def span(self) -> Tuple[float, float]:
        """First and last time, in s."""
        return float(self.seconds[0]), float(self.seconds[-1])

    @property
    def period(self) -> float:
        """Seconds from one reading to the next, the median."""
        return float(np.median(np.diff(self.seconds)))

    def moved(self, offset_s: float) -> Trace:
        """The same readings by a clock that shows `offset_s` more."""
        return replace(self, seconds=self.seconds + offset_s)

    def joules(self, begin: float, end: float) -> float:
        """Energy between two times, in J: straight lines between the readings.

        Raises
        ------
        PowerError
            If the readings don't reach from `begin` to `end`, or leave a hole of a tenth of it.
        """
        first, last = self.span
        slack = self.period
        if begin < first - slack or end > last + slack:
            raise PowerError(f"{self.source}: readings from {first:.1f} to {last:.1f} s, but "
                             f"{begin:.1f} to {end:.1f} s are wanted: log from before the first "
                             "idle time to after the last")
        inner = self.seconds[(self.seconds > begin) & (self.seconds < end)]
        times = np.concatenate(([begin], inner, [end]))
        if np.diff(times).max() > max(0.1 * (end - begin), 5 * slack):
            raise PowerError(f"{self.source}: no reading for {np.diff(times).max():.1f} s "
                             f"between {begin:.1f} and {end:.1f} s")
        watts = np.interp(times, self.seconds, self.watts)
        return float((np.diff(times) * (watts[1:] + watts[:-1])).sum() / 2)

    def mean(self, begin: float, end: float) -> float:
        """Mean power between two times, in W; errors as :meth:`joules`."""
        return self.joules(begin, end) / (end - begin)

    def thinned(self, period: float) -> Trace:
        """Means over spans of `period` s, so that a fast log costs no more than a slow one."""
        if self.period >= period / 2:
            return self
        span = ((self.seconds - self.seconds[0]) / period).astype(np.int64)
        counts = np.bincount(span)
        kept = counts > 0
        seconds, watts = (np.bincount(span, weights=values)[kept] / counts[kept]
                          for values in (self.seconds, self.watts))
        return replace(self, seconds=seconds, watts=watts)
