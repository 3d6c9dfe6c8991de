"""How feature maps and their weights are stored: pixels of a stored width, images on rows.

The driver says the same once more (pynq_bnn/driver/packing.py), on purpose: model and driver share
no layout, so that a mistake in one of them shows as a difference.
"""

from __future__ import annotations

import numpy as np

ROW_BYTES = 64
"""A row of a feature-map buffer: 512 bits. Every image starts at one."""
GROUP_BYTES = 256
"""Of outputs whose weights of a tap stand together."""


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


def ungrouped(stored: np.ndarray, channels: int) -> np.ndarray:
    """A binary convolution's weights, output after output.

    Parameters
    ----------
    stored : numpy.ndarray
        (bytes,) uint8: of 256 bytes of outputs the first tap, their second, and so on to the
        ninth; then the next outputs.

    Returns
    -------
    numpy.ndarray
        (outputs, 9 * bytes of a pixel) uint8.
    """
    each = pixel_bytes(channels)
    by_group = stored.reshape(-1, 9, GROUP_BYTES // each, each)
    return by_group.transpose(0, 2, 1, 3).reshape(-1, 9 * each)


def untwined(stored: np.ndarray, rows: int, outputs: int) -> np.ndarray:
    """A fully connected layer's weights, output after output.

    Parameters
    ----------
    stored : numpy.ndarray
        (bytes,) uint8: row after row, first the rows of outputs 0 and 1 by turns, then of 2 and
        3, and so on; the last output's may alternate with rows of no meaning.
    rows : int
        Of an output.

    Returns
    -------
    numpy.ndarray
        (outputs, 64 * rows) uint8.
    """
    by_row = stored.reshape(-1, rows, 2, ROW_BYTES)
    return by_row.transpose(0, 2, 1, 3).reshape(-1, rows * ROW_BYTES)[:outputs]
