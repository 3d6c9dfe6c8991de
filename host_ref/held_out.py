"""Which training pictures a run holds out, to choose by and to calibrate with; needs no PyTorch."""

from __future__ import annotations

from typing import Tuple

import numpy as np


def held_out(count: int, seed: int, validation: int) -> Tuple[np.ndarray, np.ndarray]:
    """Indices of `validation` of `count` pictures, and of the others; the same for a seed."""
    order = np.random.default_rng(seed).permutation(count)
    return order[:validation], order[validation:]
