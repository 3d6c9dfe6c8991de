"""The compute stages' arithmetic: packed words of maps and parameters in, packed words out.

All sums are float32 matrix products: they are small integers (|s| <= 8,192 < 2**24), so every
partial sum is exact, and BLAS makes them fast. Nothing is remembered between calls: decoding
CIFAR-10's 14 Mbit of weights anew costs a few milliseconds an image in a batch.
"""

from __future__ import annotations

from typing import Callable, Tuple

import numpy as np

from pynq_bnn.devices.dram import WORD
from pynq_bnn.devices.stages import PICTURE_CHANNELS, SUMS_BYTES, Stage
from pynq_bnn.registers import FP_CONV, LAST, PAD_NONE, PAD_ONE

FC_OUTPUTS_AT_ONCE = 512
"""8,192 inputs of so many outputs are 16 MiB of float32 weights."""

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
        (batch, stage.in_words) uint64: pictures for FP_CONV, else feature maps.
    parameters : numpy.ndarray
        (stage.parameter_words,) uint64, as they come off the stream.

    Returns
    -------
    numpy.ndarray
        (batch, words) uint64: feature maps, or for LAST the sums.
    """
    thresholds = parameters[:stage.threshold_words]
    weights = parameters[stage.threshold_words:stage.threshold_words + stage.weight_words]
    if stage.is_conv:
        sums = _convolve(stage, source, weights)
    else:
        sums = _dense(_signs(source), weights.reshape(stage.outputs, -1))
    if stage.kind == LAST:
        return _pack_sums(sums)
    if stage.pool:
        rows = np.maximum(sums[:, 0::2], sums[:, 1::2])
        # any of four sums reaches t exactly when their largest does
        sums = np.maximum(rows[:, :, 0::2], rows[:, :, 1::2])
    t, flip = _decode_thresholds(thresholds)
    # a bit 1 is -1: not ((s >= t) xor flip)
    bits = np.packbits((sums >= t) == flip, axis=-1, bitorder="little")
    return bits.reshape(len(source), -1).view(WORD)


def _convolve(stage: Stage, source: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums (batch, rows, columns, outputs) float32, one matrix product a tap."""
    shape = (len(source), stage.height, stage.width, stage.channels)
    if stage.kind == FP_CONV:
        fmap, tap_weights = _pixels(source, shape), _picture_taps(weights)
    else:
        fmap, tap_weights = _signs(source).reshape(shape), _binary_taps(weights, stage)
    if stage.padding != PAD_NONE:
        padded = np.full((shape[0], shape[1] + 2, shape[2] + 2, shape[3]),
                         1 if stage.padding == PAD_ONE else 0, np.float32)
        padded[:, 1:-1, 1:-1] = fmap
        fmap = padded
    rows, columns = stage.sum_height, stage.sum_width
    sums = np.zeros((shape[0] * rows * columns, stage.outputs), np.float32)
    products = np.empty_like(sums)
    for tap in range(9):
        ky, kx = divmod(tap, 3)
        shifted = fmap[:, ky:ky + rows, kx:kx + columns].reshape(-1, stage.channels)
        np.matmul(shifted, tap_weights(tap).T, out=products)
        sums += products
    return sums.reshape(shape[0], rows, columns, stage.outputs)


def _dense(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums (batch, outputs) float32 of inputs (batch, n) and weight words (outputs, n / 64)."""
    sums = np.empty((len(inputs), len(weights)), np.float32)
    for first in range(0, len(weights), FC_OUTPUTS_AT_ONCE):
        some = slice(first, first + FC_OUTPUTS_AT_ONCE)
        sums[:, some] = inputs @ _signs(weights[some]).T
    return sums


def _signs(words: np.ndarray) -> np.ndarray:
    """Words (n, words) as float32 +1 and -1 (n, 64 * words), bit 0 of word 0 first."""
    packed = np.ascontiguousarray(words).view(np.uint8)
    return _SIGNS[packed].reshape(len(words), -1)


def _pixels(source: np.ndarray, shape: Tuple[int, ...]) -> np.ndarray:
    """Picture words as v = 2p - 255, float32 of `shape` (batch, height, width, 3)."""
    batch, height, width, channels = shape
    packed = np.ascontiguousarray(source).view(np.uint8).reshape(batch, -1, 4)
    pixels = packed[:, :height * width, :channels].reshape(shape)
    return 2 * pixels.astype(np.float32) - 255


def _picture_taps(weights: np.ndarray) -> Callable[[int], np.ndarray]:
    """FP_CONV's weights, by tap: (outputs, 3) float32."""
    signs = _SIGNS[weights.view(np.uint8)].reshape(-1, 32)
    taps = signs[:, :9 * PICTURE_CHANNELS].reshape(-1, 9, PICTURE_CHANNELS)
    return lambda tap: taps[:, tap]


def _binary_taps(weights: np.ndarray, stage: Stage) -> Callable[[int], np.ndarray]:
    """BIN_CONV's weights, by tap: (outputs, channels) float32."""
    taps = weights.reshape(stage.outputs, 9, -1)
    return lambda tap: _signs(taps[:, tap])


def _decode_thresholds(words: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """t (outputs,) int16 and flip (outputs,) bool."""
    packed = words.view("<u4")
    return packed.astype(np.uint16).view(np.int16), (packed >> 16 & 1).astype(bool)


def _pack_sums(sums: np.ndarray) -> np.ndarray:
    """Sums (batch, classes) as int16, four to a word, zeros behind them."""
    packed = np.zeros((len(sums), SUMS_BYTES // 2), "<i2")
    packed[:, :sums.shape[1]] = sums
    return packed.view(WORD)
