"""Folding y = k·s + h and its sign into an integer threshold and a flip bit, exactly.

An output is +1 iff (s >= t) XOR flip (docs/contract.md, "Arithmetic").  Comparing an integer sum
with a batch-norm threshold is FINN's idea (Umuroglu et al., FPGA'17, section 4.2.2); the flip bit
takes negative k.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np

T_MIN, T_MAX = -(1 << 15), (1 << 15) - 1


def fold(k: np.ndarray, h: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The threshold and flip of every output, so that (s >= t) XOR flip iff k·s + h >= 0.

    Parameters
    ----------
    k, h : float32 (O,)
        Finite.

    Returns
    -------
    thresholds : int16 (O,)
        An output that is constant over all reachable sums has its threshold beyond them.  Clipping
        to int16 changes nothing: every reachable ``|s|`` is at most 8,192, so all thresholds beyond
        that compare alike.
    flips : bool (O,)
    """
    pairs = [_fold_one(float(k_one), float(h_one)) for k_one, h_one in zip(k, h)]
    thresholds = np.array([min(max(t, T_MIN), T_MAX) for t, _ in pairs], dtype=np.int16)
    return thresholds, np.array([flip for _, flip in pairs], dtype=bool)


def _fold_one(k: float, h: float) -> Tuple[int, bool]:
    """Threshold (of any size) and flip of one output."""
    if k == 0:
        return T_MIN, h < 0
    # A float is a fraction, and Python's integers are unbounded: no division here rounds.
    h_top, h_bottom = h.as_integer_ratio()
    k_top, k_bottom = k.as_integer_ratio()
    if k > 0:  # s >= -h/k, and ceil(-x) = -floor(x)
        return -((h_top * k_bottom) // (h_bottom * k_top)), False
    # s <= h/-k, which is: not s >= floor(h/-k) + 1
    return (h_top * k_bottom) // (h_bottom * -k_top) + 1, True


def apply(sums: np.ndarray, thresholds: np.ndarray, flips: np.ndarray) -> np.ndarray:
    """Bits (uint8, 1 is -1) of integer `sums` (..., O)."""
    plus = (sums >= thresholds) ^ flips
    return (~plus).astype(np.uint8)
