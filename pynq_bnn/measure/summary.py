"""Repeated measurements of one thing, in three figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np


@dataclass(frozen=True)
class Summary:
    """The middle and the spread of `n` measurements, in the unit that they came in.

    No mean: on a board with an operating system a few calls take many times the others.
    """

    n: int
    median: float
    p10: float
    p90: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Of one measurement or more."""
        if not len(values):
            raise ValueError("no measurement to summarise")
        p10, median, p90 = np.percentile(np.asarray(values, dtype=np.float64), (10, 50, 90))
        return cls(len(values), float(median), float(p10), float(p90))
