"""The float model: batch normalisation as y = k·s + h, nothing folded, in float64.

It is the judge of checks and self-tests.  It knows neither thresholds nor flips and convolves in
another way than the integer model, so that where both give the same bits, folding and convolution
are right.

Why float64 is exact here: s is an integer below 2**14 and k has 24 significant bits, so k·s is
exact.  k·s and h are both multiples of 2**-149, the smallest float32, so their sum is 0 or at least
that far from it, and rounding it to float64 keeps its sign.
"""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from host_ref.network import FP_CONV, LAST, NONE, ONE, Layer
from host_ref.parameters import Parameters


def batch_norm(gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray,
               epsilon: float) -> Tuple[np.ndarray, np.ndarray]:
    """k and h of a batch normalisation, for y = gamma·(s - mean) / sqrt(variance + epsilon) + beta.

    Computed in float64 (Ioffe and Szegedy 2015, algorithm 1, at inference).

    Parameters
    ----------
    gamma, beta, mean, variance : float (O,)
    epsilon : float

    Returns
    -------
    k, h : float64 (O,)
        A parameter file rounds them to float32, once.
    """
    gamma, beta, mean, variance = (
        np.asarray(values, dtype=np.float64) for values in (gamma, beta, mean, variance))
    k = gamma / np.sqrt(variance + epsilon)
    return k, beta - mean * k


def shift_batch_norm(gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray,
                     epsilon: float) -> Tuple[np.ndarray, np.ndarray]:
    """k and h of a shift-based batch normalisation, arguments and result as :func:`batch_norm`.

    y = (s - mean) shifted by AP2(1 / sqrt(variance + epsilon)) and by AP2(gamma), plus beta
    (Courbariaux et al., Binarized Neural Networks, 2016, algorithm 3): k is a power of two.
    """
    beta, mean, variance = (
        np.asarray(values, dtype=np.float64) for values in (beta, mean, variance))
    k = ap2(1 / np.sqrt(variance + epsilon)) * ap2(gamma)
    return k, beta - mean * k


def ap2(x: np.ndarray) -> np.ndarray:
    """The power of two nearest to x on a log scale, with its sign, float64; AP2(0) = 0."""
    x = np.asarray(x, dtype=np.float64)
    size = np.where(x == 0, 1, np.abs(x))
    return np.sign(x) * np.exp2(np.round(np.log2(size)))


_CHUNK_IMAGES = 8


class FloatModel:
    """Runs a network layer by layer in float64.

    Memory grows with the batch (about 3 MB a picture): give it tens of pictures at a time.

    Parameters
    ----------
    parameters : Parameters
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.network = parameters.network

    def layer_output(self, index: int, x: np.ndarray) -> np.ndarray:
        """One layer: the same arrays as :meth:`host_ref.integer.IntegerModel.layer_output`."""
        layer, own = self.network.layers[index], self.parameters.layers[index]
        weights = 1.0 - 2.0 * own.weights
        if layer.kind == FP_CONV:
            values = 2.0 * x - 255.0
        else:
            values = 1.0 - 2.0 * x
        if layer.is_conv:
            sums = _convolve(layer, weights, values)
        else:
            sums = values.reshape(len(x), layer.in_channels) @ weights.T
            if layer.kind == LAST:
                return sums.astype(np.int32)
            sums = sums.reshape(len(x), 1, 1, layer.out_channels)
        if layer.pool:
            count, height, width, outputs = sums.shape
            sums = sums.reshape(count, height // 2, 2, width // 2, 2, outputs).max(axis=(2, 4))
        y = own.k.astype(np.float64) * sums + own.h
        return (y < 0).astype(np.uint8)

    def run(self, images: np.ndarray) -> List[np.ndarray]:
        """Every layer's output for uint8 pictures (N, H, W, 3)."""
        outputs: List[np.ndarray] = []
        for index in range(len(self.network.layers)):
            outputs.append(self.layer_output(index, outputs[-1] if outputs else images))
        return outputs

    def sums(self, images: np.ndarray) -> np.ndarray:
        """The last layer's sums, int32 (N, classes), for uint8 pictures (N, H, W, 3)."""
        parts = [self.run(images[start:start + _CHUNK_IMAGES])[-1]
                 for start in range(0, len(images), _CHUNK_IMAGES)]
        return np.concatenate([np.empty((0, self.network.classes), np.int32), *parts])

    def answers(self, sums: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Scores and classes of the last layer's sums, as docs/contract.md has them.

        Returns
        -------
        scores : float32 (N, classes)
            k·s rounded to float32, plus h, rounded again.
        classes : int64 (N,)
            The first maximum.
        """
        last = self.parameters.layers[-1]
        scores = np.array([[np.float32(np.float32(k * np.float32(s)) + h)
                            for k, s, h in zip(last.k, row, last.h)] for row in sums], np.float32)
        classes = [row.tolist().index(max(row.tolist())) for row in scores]
        return scores.reshape(sums.shape), np.array(classes, np.int64)

    def scores(self, sums: np.ndarray) -> np.ndarray:
        """float64 k·s + h of the last layer's sums (N, classes)."""
        last = self.parameters.layers[-1]
        return last.k.astype(np.float64) * sums + last.h


def _convolve(layer: Layer, weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums (N, H', W', O): each of the nine taps is one product of a shifted map."""
    if layer.padding != NONE:
        fill = 1.0 if layer.padding == ONE else 0.0
        values = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=fill)
    height, width = layer.sum_height, layer.sum_width
    sums = np.zeros((len(values) * height * width, layer.out_channels))
    for ky in range(3):
        for kx in range(3):
            shifted = values[:, ky:ky + height, kx:kx + width]
            sums += shifted.reshape(len(sums), layer.in_channels) @ weights[:, ky, kx].T
    return sums.reshape(len(values), height, width, layer.out_channels)
