"""The integer model: what every device must give, bit for bit (docs/contract.md, "Arithmetic").

Sums are float32 matrix products: every partial sum is an integer below 2**24, which float32 holds
exactly in whatever order BLAS adds.  On one core BLAS and numpy 2's popcount over packed bits take
about the same time, and BLAS can use more cores; numpy 1 has no popcount, and there packed bits
take over ten times as long (benchmarks/host_ref_throughput.py).
"""

from __future__ import annotations

from typing import Iterator, List

import numpy as np

from host_ref.floating import FloatModel
from host_ref.folding import apply, fold
from host_ref.network import FP_CONV, LAST, NONE, ONE, PICTURE_CHANNELS, Layer
from host_ref.parameters import Parameters, known_answer_picture

_CHUNK_BYTES = 32 << 20
_CHUNK_IMAGES = 64


class IntegerModel:
    """Runs a network layer by layer in exact integers.

    Working memory stays below 200 MB for any batch (what is returned comes on top).

    Parameters
    ----------
    parameters : Parameters
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.network = parameters.network
        self.thresholds = [fold(own.k, own.h) for own in parameters.layers[:-1]]

    def layer_sums(self, index: int, x: np.ndarray) -> np.ndarray:
        """A layer's sums before pooling and threshold.

        Parameters
        ----------
        index : int
            Which layer, from 0.
        x : uint8 (N, H, W, C)
            Pictures for layer 0, else the bits (1 is -1) that the layer before put out.

        Returns
        -------
        int32 (N, H', W', outputs)
            FC layers: (N, 1, 1, outputs).

        Raises
        ------
        ValueError
            If `x` isn't what the layer takes.
        """
        layer = self.network.layers[index]
        self._check_input(index, x)
        bits = self.parameters.layers[index].weights.reshape(layer.out_channels, layer.taps)
        sums = np.empty((len(x), layer.sum_height, layer.sum_width, layer.out_channels), np.int32)
        for outputs in _slices(layer.out_channels, 4 * layer.taps):
            weights = _signs(bits[outputs]).T
            for part in _slices(len(x), _bytes_per_image(layer)):
                products = _windows(layer, x[part]) @ weights
                sums[part, ..., outputs] = products.reshape(
                    -1, layer.sum_height, layer.sum_width, weights.shape[1])
        return sums

    def layer_output(self, index: int, x: np.ndarray) -> np.ndarray:
        """A layer's output for the same `x` as in :meth:`layer_sums`.

        Returns
        -------
        uint8 (N, H', W', C')
            Bits, 1 is -1; FC layers: (N, 1, 1, outputs).  The last layer: its sums, int32
            (N, classes).
        """
        layer = self.network.layers[index]
        if layer.kind == LAST:
            return self.layer_sums(index, x).reshape(len(x), layer.out_channels)
        bits = np.empty((len(x), layer.out_height, layer.out_width, layer.out_channels), np.uint8)
        for part in _slices(len(x), _bytes_per_image(layer)):
            sums = self.layer_sums(index, x[part])
            if layer.pool:
                sums = np.maximum(sums[:, 0::2], sums[:, 1::2])
                sums = np.maximum(sums[:, :, 0::2], sums[:, :, 1::2])
            bits[part] = apply(sums, *self.thresholds[index])
        return bits

    def run(self, images: np.ndarray) -> List[np.ndarray]:
        """Every layer's output for uint8 pictures (N, H, W, 3)."""
        outputs: List[np.ndarray] = []
        for index in range(len(self.network.layers)):
            outputs.append(self.layer_output(index, outputs[-1] if outputs else images))
        return outputs

    def sums(self, images: np.ndarray) -> np.ndarray:
        """The last layer's sums, int32 (N, classes), for uint8 pictures (N, H, W, 3)."""
        parts = [np.empty((0, self.network.classes), np.int32)]
        for start in range(0, len(images), _CHUNK_IMAGES):
            x = images[start:start + _CHUNK_IMAGES]
            for index in range(len(self.network.layers)):
                x = self.layer_output(index, x)
            parts.append(x)
        return np.concatenate(parts)

    def scores(self, sums: np.ndarray) -> np.ndarray:
        """float32 k·s + h of the last layer's sums (N, classes)."""
        last = self.parameters.layers[-1]
        return last.k * sums.astype(np.float32) + last.h

    def classify(self, images: np.ndarray) -> np.ndarray:
        """The class of each picture, int64 (N,): the first maximum of its scores."""
        return self.scores(self.sums(images)).argmax(axis=1)

    def _check_input(self, index: int, x: np.ndarray) -> None:
        """Refuse an array of another shape or dtype, or one that isn't bits where bits belong."""
        if index == 0:
            shape = (self.network.height, self.network.width, PICTURE_CHANNELS)
        else:
            before = self.network.layers[index - 1]
            shape = (before.out_height, before.out_width, before.out_channels)
        name = self.network.layers[index].name
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[1:] != shape:
            raise ValueError(f"layer {name!r} takes uint8 (N, {', '.join(map(str, shape))}), "
                             f"not {x.dtype} {x.shape}")
        if index and x.size and x.max() > 1:
            raise ValueError(f"layer {name!r} takes bits, but its input holds {x.max()}")


def known_answer(parameters: Parameters) -> List[int]:
    """The last layer's sums for the known-answer picture, as a parameter file holds them.

    By k·s + h itself: a fault of the folding must not get into what is compared with it.
    """
    picture = known_answer_picture(parameters.network.height, parameters.network.width)
    return FloatModel(parameters).sums(picture[np.newaxis])[0].tolist()


def _slices(count: int, bytes_each: int) -> Iterator[slice]:
    """Cover `count` things in runs of at most about _CHUNK_BYTES."""
    step = max(1, _CHUNK_BYTES // bytes_each)
    for start in range(0, count, step):
        yield slice(start, start + step)


def _bytes_per_image(layer: Layer) -> int:
    """What one picture's windows, products and sums take, 4 bytes each."""
    return 4 * layer.sum_height * layer.sum_width * (layer.taps + 2 * layer.out_channels)


def _signs(bits: np.ndarray) -> np.ndarray:
    """float32 +1 and -1 of bits 0 and 1."""
    signs = bits.astype(np.float32)
    signs *= -2  # in place: half the passes over a large layer's weights
    signs += 1
    return signs


def _windows(layer: Layer, x: np.ndarray) -> np.ndarray:
    """float32 (N · H' · W', taps): what each sum multiplies, in the order of its weights."""
    if layer.kind == FP_CONV:
        values = np.float32(2) * x - np.float32(255)
    else:
        values = _signs(x)
    if not layer.is_conv:
        return values.reshape(len(x), layer.taps)
    if layer.padding != NONE:
        fill = 1 if layer.padding == ONE else 0
        values = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=fill)
    height, width = layer.sum_height, layer.sum_width
    windows = np.empty((len(x), height, width, 3, 3, layer.in_channels), np.float32)
    for ky in range(3):
        for kx in range(3):
            windows[:, :, :, ky, kx] = values[:, ky:ky + height, kx:kx + width]
    return windows.reshape(len(x) * height * width, layer.taps)
