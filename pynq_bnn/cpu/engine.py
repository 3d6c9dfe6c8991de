"""A network made ready for engine.c or numpy: pictures in, sums out, or each layer's output."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, List, Optional

import numpy as np

from host_ref import network as net
from host_ref.folding import fold
from host_ref.network import Layer
from host_ref.parameters import LayerParameters, Parameters
from pynq_bnn.cpu.library import library
from pynq_bnn.cpu.numpy_layers import layer_output

KINDS = (net.FP_CONV, net.BIN_CONV, net.BIN_FC, net.LAST)
PADDINGS = (net.ZERO, net.ONE, net.NONE)
"""Both as engine.c numbers them."""
GROUP = 8
"""Outputs whose weights lie together in engine.c."""
LEAST_EACH = 4
"""Pictures that are worth a thread."""


class _Layer(ctypes.Structure):
    """engine.c's layer_t."""

    _fields_ = [(name, ctypes.c_int32) for name in (
        "kind", "height", "width", "words", "outputs", "padding", "pool", "unused")] + [
        (name, ctypes.c_void_p) for name in ("weights", "thresholds", "flips")]


class Engine:
    """One network on this processor.

    Parameters
    ----------
    threads : int, optional
        Most threads; without it, one for each processor that this process may use.
    compiled : bool
        False: numpy, even where there is a compiler.
    """

    def __init__(self, parameters: Parameters, threads: Optional[int] = None,
                 compiled: bool = True) -> None:
        self.parameters = parameters
        self.threads = threads or _processors()
        self._library = library() if compiled else None
        self._pool = ThreadPoolExecutor(self.threads, "bnn-cpu") if self.threads > 1 else None
        network, own = parameters.network, parameters.layers
        self._folded = [fold(each.k, each.h) for each in own]
        if self._library is None:
            self._signs = [np.float32(1) - np.float32(2) * each.weights.reshape(
                layer.out_channels, -1).T.astype(np.float32)
                for layer, each in zip(network.layers, own)]
            return
        self._kept: List[np.ndarray] = []  # what engine.c points at
        self._layers = (_Layer * len(network.layers))(*(
            self._described(layer, each, *folded)
            for layer, each, folded in zip(network.layers, own, self._folded)))
        bits = max(layer.out_height * layer.out_width * layer.out_channels
                   for layer in network.layers)
        self._map_bytes = -(-bits // 512) * 64

    @property
    def is_compiled(self) -> bool:
        """Whether engine.c computes, and not numpy."""
        return self._library is not None

    def sums(self, pictures: np.ndarray) -> np.ndarray:
        """The last layer's sums int16 (N, classes) of pictures uint8 (N, H, W, 3)."""
        parts = max(1, min(self.threads, len(pictures) // LEAST_EACH))
        places = [round(n * len(pictures) / parts) for n in range(parts + 1)]
        some = [pictures[first:last] for first, last in zip(places, places[1:])]
        made = list(self._pool.map(self._sums, some)) if self._pool and parts > 1 else [
            self._sums(part) for part in some]
        return np.concatenate(made).astype(np.int16)

    def layer_output(self, index: int, x: np.ndarray) -> np.ndarray:
        """A layer's output for uint8 pictures, or the bits that the layer before put out.

        Returns
        -------
        uint8 (N, H', W', C'), 1 is -1; of the last layer its sums int16 (N, classes)
        """
        layer = self.parameters.network.layers[index]
        if self._library is None:
            output = layer_output(layer, self._signs[index], *self._folded[index], x)
            return output.astype(np.int16) if layer.kind == net.LAST else output
        outputs = []
        for one in x:
            made = self.caller(index, one)()
            outputs.append(made.astype(np.int16) if layer.kind == net.LAST else np.unpackbits(
                made.view(np.uint8), bitorder="little").reshape(
                    layer.out_height, layer.out_width, -1))
        return np.stack(outputs)

    def caller(self, index: int, one: np.ndarray) -> Callable[[], np.ndarray]:
        """A function that has engine.c make one layer's output of one picture, as it makes it.

        For :meth:`layer_output`, and for who times a layer alone.
        """
        assert self._library is not None
        layer, work = self.parameters.network.layers[index], self._library.bnn_layer
        source = np.ascontiguousarray(one) if index == 0 else _packed(one)
        made = np.empty(layer.out_channels, np.int32) if layer.kind == net.LAST else np.empty(
            layer.out_height * layer.out_width * layer.out_channels // 8, np.uint8)
        arguments = ctypes.byref(self._layers[index]), _pointer(source), _pointer(made)

        def call() -> np.ndarray:
            work(*arguments)
            return made  # the pointers keep the arrays that they point at
        return call

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _sums(self, pictures: np.ndarray) -> np.ndarray:
        network = self.parameters.network
        if self._library is None:
            x = pictures
            for index in range(len(network.layers)):
                x = self.layer_output(index, x)
            return x
        pictures = np.ascontiguousarray(pictures)
        sums = np.empty((len(pictures), network.classes), np.int32)
        maps = np.empty(2 * self._map_bytes // 8, np.uint64)
        self._library.bnn_run(
            self._layers, len(network.layers), _pointer(pictures), len(pictures),
            ctypes.c_size_t(pictures[0].size if len(pictures) else 0), _pointer(maps),
            ctypes.c_size_t(self._map_bytes), _pointer(sums))
        return sums

    def _described(self, layer: Layer, own: LayerParameters, thresholds: np.ndarray,
                   flips: np.ndarray) -> _Layer:
        bits = own.weights.reshape(layer.out_channels, -1)
        if layer.kind == net.FP_CONV:
            weights: np.ndarray = 1 - 2 * bits.T.astype(np.int16)
        else:
            weights = _packed(bits)
            if layer.kind == net.BIN_CONV:
                weights = weights.reshape(-1, GROUP, weights.shape[1]).transpose(0, 2, 1)
        words = layer.in_channels // 64 if layer.is_conv else layer.taps // 64
        return _Layer(KINDS.index(layer.kind), layer.in_height, layer.in_width, words,
                      layer.out_channels, PADDINGS.index(layer.padding) if layer.is_conv else 0,
                      layer.pool, 0, self._keep(weights), self._keep(thresholds.astype(np.int32)),
                      self._keep(np.packbits(flips, bitorder="little")))

    def _keep(self, array: np.ndarray) -> int:
        self._kept.append(np.ascontiguousarray(array))
        return self._kept[-1].ctypes.data


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _packed(bits: np.ndarray) -> np.ndarray:
    """Bits (..., n), n a multiple of 64, as words (..., n / 64), the first in the lowest bit."""
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64, copy=False)


def _pointer(array: np.ndarray) -> Any:
    return array.ctypes.data_as(ctypes.c_void_p)
