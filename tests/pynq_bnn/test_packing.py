"""Bit by bit against docs/contract.md, with the places computed here by plain loops."""

import numpy as np
import pytest

from host_ref import network as net
from host_ref.folding import fold
from host_ref.parameters import LayerParameters
from host_ref.random_networks import random_parameters
from pynq_bnn import packing


def bit(words, place):
    return int(words[place // 64]) >> int(place % 64) & 1


def layer(kind, inputs, outputs):
    return net.Layer("x", kind, 4, 4, inputs, outputs, net.ZERO)


def values(layer, rng):
    weights = rng.integers(0, 2, layer.weight_shape).astype(np.uint8)
    k = rng.normal(size=layer.out_channels).astype(np.float32)
    h = (10 * rng.normal(size=layer.out_channels)).astype(np.float32)
    return LayerParameters(weights, k, h)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("height,width", [(1, 1), (3, 3), (4, 6)])
def test_pictures_two_pixels_a_word(rng, height, width):
    pictures = rng.integers(0, 256, (2, height, width, 3)).astype(np.uint8)
    words = packing.pack_pictures(pictures)
    assert words.shape == (2, -(-height * width // 2))
    for image in range(2):
        for n in range(2 * words.shape[1]):
            pixel = int(words[image, n // 2]) >> 32 * (n % 2) & 0xFFFFFFFF
            if n >= height * width:
                assert pixel == 0
                continue
            red, green, blue = map(int, pictures[image, n // width, n % width])
            assert pixel == red | green << 8 | blue << 16


def test_thresholds_come_first(rng):
    conv = layer(net.BIN_CONV, 64, 64)
    parameters = values(conv, rng)
    words = packing.pack_layer(conv, parameters)
    thresholds, flips = fold(parameters.k, parameters.h)
    for output in range(64):
        entry = int(words[output // 2]) >> 32 * (output % 2) & 0xFFFFFFFF
        assert entry == int(thresholds[output]) % (1 << 16) | int(flips[output]) << 16


def test_bin_conv_weights_tap_after_tap(rng):
    conv = layer(net.BIN_CONV, 128, 64)
    parameters = values(conv, rng)
    words = packing.pack_layer(conv, parameters)[32:]
    assert len(words) == 64 * 9 * 128 // 64
    for output, ky, kx, c in rng.integers(0, (64, 3, 3, 128), size=(500, 4)):
        place = ((output * 9 + ky * 3 + kx) * 128) + c
        assert bit(words, place) == parameters.weights[output, ky, kx, c]


def test_fp_conv_weights_have_32_bits_an_output(rng):
    conv = layer(net.FP_CONV, 3, 64)
    parameters = values(conv, rng)
    words = packing.pack_layer(conv, parameters)[32:]
    assert len(words) == 32
    for output in range(64):
        for n in range(32):
            expected = parameters.weights[output].reshape(-1)[n] if n < 27 else 0
            assert bit(words, 32 * output + n) == expected


def test_last_layer_has_no_thresholds_and_is_filled_up(rng):
    last = net.Layer("last", net.LAST, 1, 1, 64, 10)
    parameters = values(last, rng)
    words = packing.pack_layer(last, parameters)
    assert len(words) == 16
    assert not words[10:].any()
    for output in range(10):
        for n in range(64):
            assert bit(words, 64 * output + n) == parameters.weights[output, n]


def test_stream_spans_follow_one_another():
    parameters = random_parameters(net.CNV, np.random.default_rng(1))
    stream = packing.pack_parameters(parameters)
    start = 0
    for span in stream.spans:
        assert span.start == start
        assert span.count % packing.LAYER_WORDS == 0
        start += span.count
    assert start == len(stream.words)


def test_maps_and_sums_come_back(rng):
    shape = net.Layer("x", net.BIN_CONV, 3, 5, 64, 128, net.ZERO)
    bits = rng.integers(0, 2, (2, 3, 5, 128)).astype(np.uint8)
    words = np.zeros((2, packing.fmap_words(shape)), np.uint64)
    for image, row, column, c in np.argwhere(bits):
        words[image, (row * 5 + column) * 2 + c // 64] |= np.uint64(1 << int(c % 64))
    np.testing.assert_array_equal(packing.unpack_fmap(words, shape), bits)

    sums = np.array([[-8192, 8192, -1, 0, 5], [1, 2, 3, 4, -5]])
    words = np.zeros((2, packing.sums_words(5)), np.uint64)
    for image, n in np.ndindex(2, 5):
        words[image, n // 4] |= np.uint64(int(sums[image, n]) % (1 << 16) << 16 * (n % 4))
    np.testing.assert_array_equal(packing.unpack_sums(words, 5), sums)
