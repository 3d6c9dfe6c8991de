"""How feature maps and their weights are stored: pixels of a stored width, images on rows.

The driver says the same once more (pynq_bnn/driver/packing.py), on purpose: model and driver share
no layout, so that a mistake in one of them shows as a difference.
"""

from __future__ import annotations

import numpy as np

ROW_BYTES = 64
"""A row of a feature-map buffer: 512 bits. Every image starts at one."""


def pixel_bytes(channels: int) -> int:
    """Bytes of a pixel as stored: 16, 32 or 64, or whole rows for a pixel of more channels."""
    if channels > 512:
        return -(-channels // 512) * ROW_BYTES
    return 16 if channels <= 128 else 32 if channels <= 256 else 64


def map_rows(pixels: int, channels: int) -> int:
    """Rows of one image's map."""
    return -(-pixels * pixel_bytes(channels) // ROW_BYTES)


def owned(stored: np.ndarray, pixels: int, channels: int) -> np.ndarray:
    """The bits that channels own, and no others.

    Parameters
    ----------
    stored : numpy.ndarray
        (n, bytes) uint8, each n at least `pixels` pixels as stored.

    Returns
    -------
    numpy.ndarray
        (n, pixels, channels // 8) uint8, a view.
    """
    each = pixel_bytes(channels)
    return stored[:, :pixels * each].reshape(len(stored), pixels, each)[:, :, :channels // 8]
