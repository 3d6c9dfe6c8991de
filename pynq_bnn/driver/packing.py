"""Pictures, weights and thresholds to the words of docs/contract.md, and maps and sums back.

Words are little-endian uint64; bit j of a word is ``(word >> j) & 1``.  The model device has a
layout of its own (devices/model/layout.py): the two share nothing, so that each finds the other's
mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np

from host_ref import network as net
from host_ref.folding import fold
from host_ref.parameters import LayerParameters, Parameters

WORD_BYTES = 8
BURST_WORDS = 16
"""DMA moves whole bursts of 128 bytes."""
ROW_BITS = 512
"""In a feature-map buffer every image starts at a row of its own."""
ROW_WORDS = ROW_BITS // 64
STORED_WIDTHS = (128, 256, 512)
GROUP_BITS = 2048
"""Of a tap of a binary convolution: as many outputs as fill them stand together."""
SUMS_WORDS = BURST_WORDS
"""Each image's sums have a burst."""
WORD, _PIXEL, _SUM = np.dtype("<u8"), np.dtype("<u4"), np.dtype("<i2")
_PIXEL_MASK, _PIXEL_STRIDES = np.uint32(0xFFFFFF), (3,)


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


def whole_bursts(words: int) -> int:
    """The least number of words, not below `words`, that is whole bursts."""
    return -(-words // BURST_WORDS) * BURST_WORDS


def fill_burst(words: np.ndarray) -> np.ndarray:
    """Words (n,) with zeros behind them up to whole bursts."""
    return np.concatenate([words, np.zeros(whole_bursts(len(words)) - len(words), "<u8")])


def _words(data: np.ndarray) -> np.ndarray:
    """Bytes (..., 8n) as words (..., n)."""
    return np.ascontiguousarray(data).view("<u8")


def pack_bits(bits: np.ndarray) -> np.ndarray:
    """0/1 values (..., 64n) to words (..., n), the first value in bit 0 of the first word."""
    return _words(np.packbits(bits, axis=-1, bitorder="little"))


def picture_words(height: int, width: int) -> int:
    """Words of one picture: two pixels to a word."""
    return (height * width + 1) // 2


def picture_burst_words(height: int, width: int, count: int) -> int:
    """Words of `count` pictures, whole bursts."""
    return whole_bursts(count * picture_words(height, width))


def pack_pictures(pictures: np.ndarray, words: Optional[np.ndarray] = None) -> np.ndarray:
    """uint8 (N, H, W, 3) to words (n,), a pixel's R, G, B, 0 in 32 bits, filled to whole bursts.

    Parameters
    ----------
    words : uint64 (n,), optional
        Where to put them, of the right length; new ones without.
    """
    count, height, width, _ = pictures.shape
    if words is None:
        words = np.empty(picture_burst_words(height, width, count), WORD)
    place_pixels(pictures, pixel_places(words, height, width, count))
    return words


def pixel_places(words: np.ndarray, height: int, width: int, count: int) -> List[np.ndarray]:
    """Where :func:`place_pixels` puts what; all of `words` that no pixel has becomes 0 here.

    Returns
    -------
    list of uint32 (n,)
        One for all pixels or, where the last word of a picture is half empty, one a picture.
    """
    used, pixels = count * picture_words(height, width), height * width
    words[used:] = 0
    places = words[:used].view(_PIXEL)
    if pixels % 2 == 0:
        return [places]
    rows = places.reshape(count, pixels + 1)
    rows[:, pixels] = 0
    return [row[:pixels] for row in rows]


def place_pixels(pictures: np.ndarray, places: List[np.ndarray]) -> None:
    """Bytes of pixels to numbers (uint32), R lowest.

    Each number is read from where its pixel begins, with the next pixel's R in its highest byte,
    which is then cleared: copying three bytes of four costs numpy ten times the instructions.
    """
    data = pictures if pictures.flags.c_contiguous else np.ascontiguousarray(pictures)
    first = 0
    for place in places:
        last = len(place) - 1
        some = place[:last]
        some[:] = np.ndarray((last,), _PIXEL, data, first, _PIXEL_STRIDES)
        np.bitwise_and(some, _PIXEL_MASK, some)
        first += 3 * last
        item = data.item  # a fourth byte of the very last pixel may not be there to be read
        place[last] = item(first) | item(first + 1) << 8 | item(first + 2) << 16
        first += 3


def stored_bits(channels: int) -> int:
    """Bits that a pixel of so many channels takes in a feature map and in its weights."""
    for width in STORED_WIDTHS:
        if channels <= width:
            return width
    return -(-channels // ROW_BITS) * ROW_BITS


def fmap_rows(layer: net.Layer) -> int:
    """Rows of one image's output map of `layer`; 0 for the last layer, whose output is sums."""
    if layer.kind == net.LAST:
        return 0
    bits = layer.out_height * layer.out_width * stored_bits(layer.out_channels)
    return -(-bits // ROW_BITS)


def output_words(layer: net.Layer, count: int) -> int:
    """Words of the output of `layer` for `count` images, as STORE writes it."""
    if layer.kind == net.LAST:
        return count * SUMS_WORDS
    return whole_bursts(count * fmap_rows(layer) * ROW_WORDS)


def unpack_fmap(words: np.ndarray, layer: net.Layer, count: int) -> np.ndarray:
    """Words of ``count`` output maps of `layer` to bits uint8 (count, H, W, C), 1 is -1."""
    height, width, channels = layer.out_height, layer.out_width, layer.out_channels
    rows, pixel_bytes = fmap_rows(layer), stored_bits(channels) // 8
    images = np.ascontiguousarray(words[:count * rows * ROW_WORDS], "<u8").view(np.uint8)
    pixels = images.reshape(count, -1)[:, :height * width * pixel_bytes]
    own = pixels.reshape(count, height, width, pixel_bytes)[..., :channels // 8]
    return np.unpackbits(own, axis=-1, bitorder="little")


def unpack_sums(words: np.ndarray, classes: int, count: int) -> np.ndarray:
    """Words of ``count`` images' sums to int16 (count, classes), a copy."""
    return sums_places(words, classes, count).copy()


def sums_places(words: np.ndarray, classes: int, count: int) -> np.ndarray:
    """Where the sums lie in their words: int16 (count, classes), a view."""
    images = np.ascontiguousarray(words[:count * SUMS_WORDS], WORD).view(_SUM)
    return images.reshape(count, -1)[:, :classes]


def _widened(bits: np.ndarray, width: int) -> np.ndarray:
    """Bits (..., n) with zeros behind each n up to a multiple of `width`."""
    missing = -bits.shape[-1] % width
    return np.pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, missing)], mode="constant")


def _grouped(taps: np.ndarray) -> np.ndarray:
    """Of weights (outputs, taps, bits) a group's outputs together: (groups, taps, each, bits)."""
    outputs, count, bits = taps.shape
    return taps.reshape(-1, GROUP_BITS // bits, count, bits).swapaxes(1, 2)


def _in_twos(rows: np.ndarray) -> np.ndarray:
    """Of weights (outputs, rows, bits) two outputs' together: (twos, rows, 2, bits).

    An odd last one stands with zeros.
    """
    outputs, count, bits = rows.shape
    whole = np.pad(rows, [(0, outputs % 2), (0, 0), (0, 0)], mode="constant")
    return whole.reshape(-1, 2, count, bits).swapaxes(1, 2)


def pack_layer(layer: net.Layer, values: LayerParameters, channels: int) -> np.ndarray:
    """One layer's thresholds and weights as words, filled up to whole bursts.

    Parameters
    ----------
    channels : int
        Of the source map's pixels; fewer than an FC layer's inputs where that map has several.
    """
    parts: List[np.ndarray] = []
    if layer.kind != net.LAST:
        thresholds, flips = fold(values.k, values.h)
        entries = thresholds.astype(np.int64) & 0xFFFF | flips.astype(np.int64) << 16
        parts.append(entries.astype("<u4").view("<u8"))
    if layer.kind == net.FP_CONV:
        # 27 bits an output: (ky, kx, c) is already the order of the bits
        weights = _widened(values.weights.reshape(layer.out_channels, layer.taps), 32)
    else:
        pixels = values.weights.reshape(layer.out_channels, -1, channels)
        stored = _widened(pixels, stored_bits(channels))
        if layer.is_conv:
            weights = _grouped(stored)
        else:
            rows = _widened(stored.reshape(layer.out_channels, -1), ROW_BITS)
            weights = _in_twos(rows.reshape(layer.out_channels, -1, ROW_BITS))
    parts.append(pack_bits(weights.reshape(-1)))
    return fill_burst(np.concatenate(parts))


def pack_parameters(parameters: Parameters) -> ParameterStream:
    """The whole network's parameter stream, layer after layer in the order of use."""
    blocks, spans, start = [], [], 0
    channels = net.PICTURE_CHANNELS
    for layer, values in zip(parameters.network.layers, parameters.layers):
        block = pack_layer(layer, values, channels)
        blocks.append(block)
        spans.append(Span(start, len(block)))
        start += len(block)
        channels = layer.out_channels
    return ParameterStream(np.concatenate(blocks), tuple(spans))
