"""The compute stages' arithmetic: packed maps and parameters in, packed maps or sums out.

All sums are float32 matrix products: they are small integers (|s| <= 8,192 < 2**24), so every
partial sum is exact, and BLAS makes them fast. A convolution is one product over its windows, not
one for each tap. Nothing is remembered between calls: decoding anew costs 2 ms an image in a
batch of 8.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np

from pynq_bnn.devices.model.layout import ROW_BYTES, owned, ungrouped, untwined
from pynq_bnn.devices.model.stages import Stage
from pynq_bnn.devices.model.threads import blas
from pynq_bnn.registers import BIN_CONV, FP_CONV, LAST, PAD_NONE, PAD_ONE

OUTPUTS_AT_ONCE = 1024
"""8,192 inputs of so many outputs are 32 MiB of float32 weights."""

_SIGNS = 1 - 2 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1,
                               bitorder="little").astype(np.float32)
"""(256, 8) float32: a byte's bits as +1 (bit 0) and -1 (bit 1)."""


def compute(stage: Stage, source: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Run a compute stage.

    Parameters
    ----------
    stage : Stage
        FP_CONV, BIN_CONV, BIN_FC or LAST, within the limits.
    source : numpy.ndarray
        uint8, pictures (batch, 8 * stage.picture_words) for FP_CONV, else feature maps (batch,
        stage.pixels, stage.channels // 8).
    parameters : numpy.ndarray
        (stage.parameter_words,) uint64, as they come off the stream.

    Returns
    -------
    numpy.ndarray
        Feature maps (batch, stage.out_pixels, stage.outputs // 8) uint8, or for LAST the sums
        (batch, stage.outputs) int16.
    """
    fmap = (_pixels if stage.kind == FP_CONV else _signs)(source.reshape(len(source), -1))
    inputs = _windows(stage, fmap) if stage.is_conv else fmap
    sums = _products(inputs, _weights(stage, parameters[stage.threshold_words:]))
    if stage.kind == LAST:
        return sums.astype(np.int16)
    if stage.pool:
        sums = _pool(sums.reshape(-1, stage.sum_height, stage.sum_width, stage.outputs))
    t, flip = _decode_thresholds(parameters[:stage.threshold_words])
    # a bit 1 is -1: not ((s >= t) xor flip)
    bits = np.packbits((sums >= t) == flip, axis=-1, bitorder="little")
    return bits.reshape(len(source), stage.out_pixels, -1)


def _signs(packed: np.ndarray) -> np.ndarray:
    """Bytes (n, bytes) as float32 +1 and -1 (n, bits), bit 0 of byte 0 first."""
    return _SIGNS.take(packed, axis=0).reshape(len(packed), -1)


def _pixels(packed: np.ndarray) -> np.ndarray:
    """Bytes (batch, 4 * pixels) as v = 2p - 255 of R, G, B: (batch, pixels, 3) float32."""
    return 2 * packed.reshape(len(packed), -1, 4)[:, :, :3].astype(np.float32) - 255


def _windows(stage: Stage, fmap: np.ndarray) -> np.ndarray:
    """What each sum is over: (batch * rows * columns, 9 * channels), tap after tap."""
    # an odd picture has one more pixel, of no meaning, in its last word
    fmap = fmap.reshape(stage.batch, -1, stage.channels)[:, :stage.pixels]
    fmap = fmap.reshape(-1, stage.height, stage.width, stage.channels)
    if stage.padding != PAD_NONE:
        border = 1 if stage.padding == PAD_ONE else 0
        fmap = np.pad(fmap, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=border)
    rows, columns = stage.sum_height, stage.sum_width
    windows = np.empty((len(fmap), rows, columns, 9, stage.channels), np.float32)
    for tap in range(9):
        ky, kx = divmod(tap, 3)
        windows[:, :, :, tap] = fmap[:, ky:ky + rows, kx:kx + columns]
    return windows.reshape(-1, 9 * stage.channels)


def _weights(stage: Stage, words: np.ndarray) -> np.ndarray:
    """The weights' bits that channels own: (outputs, bytes)."""
    stored = words.view(np.uint8)
    if stage.kind == FP_CONV:
        return stored[:stage.outputs * stage.weight_bytes].reshape(stage.outputs, -1)
    if stage.kind == BIN_CONV:
        stored = ungrouped(stored[:stage.outputs * stage.weight_bytes], stage.channels)
    else:
        stored = untwined(stored, stage.weight_bytes // ROW_BYTES, stage.outputs)
    pixels = 9 if stage.is_conv else stage.pixels
    return owned(stored, pixels, stage.channels).reshape(stage.outputs, -1)


def _products(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums (n, outputs) float32 of inputs (n, taps) and weights (outputs, bytes), a bit a tap."""
    taps = inputs.shape[1]
    sums = np.empty((len(inputs), len(weights)), np.float32)
    for first in range(0, len(weights), OUTPUTS_AT_ONCE):
        some = slice(first, first + OUTPUTS_AT_ONCE)
        signs = _signs(weights[some])[:, :taps].T
        with blas:
            sums[:, some] = inputs @ signs
    return sums


def _pool(sums: np.ndarray) -> np.ndarray:
    """The largest of each 2 x 2 sums: any of four reaches t exactly when their largest does."""
    rows = np.maximum(sums[:, 0::2], sums[:, 1::2])
    return np.maximum(rows[:, :, 0::2], rows[:, :, 1::2])


def _decode_thresholds(words: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Give t (outputs,) int16 and flip (outputs,) bool."""
    packed = words.view("<u4")
    return packed.astype(np.uint16).view(np.int16), (packed >> 16 & 1).astype(bool)
