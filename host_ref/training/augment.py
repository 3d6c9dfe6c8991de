"""Flips and shifted crops: what a photographed object survives."""

from __future__ import annotations

import numpy as np

SHIFT = 4


def augment(images: np.ndarray, rng: np.random.Generator, mirror: bool = True) -> np.ndarray:
    """Mirror half of the pictures, if wanted, and shift each by up to 4 pixels, edges reflected.

    Parameters
    ----------
    images : uint8 (N, H, W, 3)

    Returns
    -------
    uint8 (N, H, W, 3), a new array
    """
    count, height, width, _ = images.shape
    border = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    padded = np.pad(images, border, mode="reflect")
    rows, columns = rng.integers(0, 2 * SHIFT + 1, size=(2, count))
    mirrored = rng.random(count) < (0.5 if mirror else 0)
    result = np.empty_like(images)
    for n in range(count):
        crop = padded[n, rows[n]:rows[n] + height, columns[n]:columns[n] + width]
        result[n] = crop[:, ::-1] if mirrored[n] else crop
    return result
