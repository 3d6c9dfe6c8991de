"""Pictures, weights and thresholds to the words of docs/contract.md, and maps and sums back.

Words are little-endian uint64; bit j of a word is ``(word >> j) & 1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from host_ref import network as net
from host_ref.folding import fold
from host_ref.parameters import LayerParameters, Parameters

WORD_BYTES = 8
LAYER_WORDS = 8
"""A layer's parameters fill up to a multiple of 64 bytes, whatever width the ports have."""
SUMS_PER_WORD = 4


@dataclass(frozen=True)
class Span:
    """Where a layer's parameters lie in the stream, in words."""

    start: int
    count: int


@dataclass(frozen=True)
class ParameterStream:
    """All parameters as the accelerator reads them: ``words`` (uint64) and a span a layer."""

    words: np.ndarray
    spans: Tuple[Span, ...]


def _words(data: np.ndarray) -> np.ndarray:
    """Bytes (..., 8n) as words (..., n)."""
    return np.ascontiguousarray(data).view("<u8")


def pack_bits(bits: np.ndarray) -> np.ndarray:
    """0/1 values (..., 64n) to words (..., n), the first value in bit 0 of the first word."""
    return _words(np.packbits(bits, axis=-1, bitorder="little"))


def unpack_bits(words: np.ndarray) -> np.ndarray:
    """Words (..., n) to 0/1 uint8 (..., 64n); inverse of :func:`pack_bits`."""
    return np.unpackbits(np.ascontiguousarray(words, "<u8").view(np.uint8), axis=-1,
                         bitorder="little")


def picture_words(height: int, width: int) -> int:
    """Words of one picture: two pixels to a word."""
    return (height * width + 1) // 2


def pack_pictures(pictures: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 3) to words (N, ceil(H*W/2)), a pixel's R, G, B, 0 in 32 bits."""
    count, height, width, _ = pictures.shape
    pixels = np.zeros((count, 2 * picture_words(height, width), 4), np.uint8)
    pixels[:, :height * width, :3] = pictures.reshape(count, height * width, 3)
    return _words(pixels.reshape(count, -1))


def fmap_words(layer: net.Layer) -> int:
    """Words of one image's output map of `layer`."""
    return layer.fmap_bits // 64


def unpack_fmap(words: np.ndarray, layer: net.Layer) -> np.ndarray:
    """Words (N, fmap_words) to bits uint8 (N, H, W, C), 1 is -1, of `layer`'s output map."""
    shape = (len(words), layer.out_height, layer.out_width, layer.out_channels)
    return unpack_bits(words).reshape(shape)


def sums_words(classes: int) -> int:
    """Words of one image's sums."""
    return -(-classes // SUMS_PER_WORD)


def unpack_sums(words: np.ndarray, classes: int) -> np.ndarray:
    """Words (N, sums_words) to int16 (N, classes)."""
    return np.ascontiguousarray(words, "<u8").view("<i2")[:, :classes].copy()


def pack_layer(layer: net.Layer, values: LayerParameters) -> np.ndarray:
    """One layer's thresholds and weights as words, filled up to a multiple of 64 bytes."""
    parts: List[np.ndarray] = []
    if layer.kind != net.LAST:
        thresholds, flips = fold(values.k, values.h)
        entries = thresholds.astype(np.int64) & 0xFFFF | flips.astype(np.int64) << 16
        parts.append(entries.astype("<u4").view("<u8"))
    if layer.kind == net.FP_CONV:
        # 27 bits an output: (ky, kx, c) is already the order of the bits
        taps = values.weights.reshape(layer.out_channels, layer.taps)
        entries = np.zeros((layer.out_channels, 32), np.uint8)
        entries[:, :layer.taps] = taps
        parts.append(pack_bits(entries.reshape(-1)))
    else:
        parts.append(pack_bits(values.weights.reshape(-1)))
    filled = sum(len(part) for part in parts)
    parts.append(np.zeros(-filled % LAYER_WORDS, "<u8"))
    return np.concatenate(parts)


def pack_parameters(parameters: Parameters) -> ParameterStream:
    """The whole network's parameter stream, layer after layer in the order of use."""
    blocks, spans, start = [], [], 0
    for layer, values in zip(parameters.network.layers, parameters.layers):
        block = pack_layer(layer, values)
        blocks.append(block)
        spans.append(Span(start, len(block)))
        start += len(block)
    return ParameterStream(np.concatenate(blocks), tuple(spans))
