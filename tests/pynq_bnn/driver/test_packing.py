"""Bit by bit against docs/contract.md, with the places computed here by plain loops."""

import numpy as np
import pytest

from host_ref import network as net
from host_ref.folding import fold
from host_ref.parameters import LayerParameters
from host_ref.random_networks import random_parameters
from pynq_bnn.driver import packing


def bit(words, place):
    return int(words[place // 64]) >> int(place % 64) & 1


def layer(kind, inputs, outputs):
    return net.Layer("x", kind, 4, 4, inputs, outputs, net.ZERO)


def values(layer, rng):
    weights = rng.integers(0, 2, layer.weight_shape).astype(np.uint8)
    k = rng.normal(size=layer.out_channels).astype(np.float32)
    h = (10 * rng.normal(size=layer.out_channels)).astype(np.float32)
    return LayerParameters(weights, k, h)


def stored(channels):
    """P(C) of docs/contract.md."""
    return next((width for width in (128, 256, 512) if channels <= width),
                -(-channels // 512) * 512)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("height,width", [(1, 1), (3, 3), (4, 6), (7, 13)])
def test_pictures_two_pixels_a_word(rng, height, width):
    pictures = rng.integers(0, 256, (2, height, width, 3)).astype(np.uint8)
    words = packing.pack_pictures(pictures)
    each = -(-height * width // 2)
    assert len(words) == -(-2 * each // 16) * 16
    assert not words[2 * each:].any()
    for image in range(2):
        for n in range(2 * each):
            pixel = int(words[image * each + n // 2]) >> 32 * (n % 2) & 0xFFFFFFFF
            if n >= height * width:
                assert pixel == 0
                continue
            red, green, blue = map(int, pictures[image, n // width, n % width])
            assert pixel == red | green << 8 | blue << 16


def test_thresholds_come_first(rng):
    conv = layer(net.BIN_CONV, 64, 64)
    parameters = values(conv, rng)
    words = packing.pack_layer(conv, parameters, 64)
    thresholds, flips = fold(parameters.k, parameters.h)
    for output in range(64):
        entry = int(words[output // 2]) >> 32 * (output % 2) & 0xFFFFFFFF
        assert entry == int(thresholds[output]) % (1 << 16) | int(flips[output]) << 16


@pytest.mark.parametrize("channels", [64, 128, 192, 256, 320, 512])
def test_bin_conv_weights_by_groups_tap_after_tap(rng, channels):
    conv = layer(net.BIN_CONV, channels, 64)
    parameters = values(conv, rng)
    width = stored(channels)
    words = packing.pack_layer(conv, parameters, channels)[32:]
    assert len(words) == 64 * 9 * width // 64
    places = rng.integers(0, (64, 3, 3, width), size=(500, 4)).tolist()
    for output, ky, kx, c in [*places, (63, 2, 2, channels - 1), (0, 0, 0, width - 1)]:
        group, place_in_group = divmod(output, 2048 // width)
        place = (group * 9 + ky * 3 + kx) * 2048 + place_in_group * width + c
        expected = parameters.weights[output, ky, kx, c] if c < channels else 0
        assert bit(words, place) == expected


def test_fp_conv_weights_have_32_bits_an_output(rng):
    conv = layer(net.FP_CONV, 3, 64)
    parameters = values(conv, rng)
    words = packing.pack_layer(conv, parameters, 3)[32:]
    assert len(words) == 32
    for output in range(64):
        for n in range(32):
            expected = parameters.weights[output].reshape(-1)[n] if n < 27 else 0
            assert bit(words, 32 * output + n) == expected


def fc_place(output, place, each):
    """Where a bit of an output's `each` lies in a stream of rows of two outputs by turns."""
    row, within = divmod(place, 512)
    return (output // 2 * (each // 512) + row) * 1024 + output % 2 * 512 + within


@pytest.mark.parametrize("pixels,channels", [
    (1, 64), (3, 64), (4, 64), (5, 192), (2, 320), (1, 512), (1, 576), (1, 1024)])
def test_fc_weights_lie_as_the_source_map_does(rng, pixels, channels):
    fc = net.Layer("fc", net.BIN_FC, 1, 1, pixels * channels, 64)
    parameters = values(fc, rng)
    words = packing.pack_layer(fc, parameters, channels)[32:]
    width = stored(channels)
    each = -(-pixels * width // 512) * 512
    assert len(words) == 64 * each // 64
    for output in range(0, 64, 7):
        for place in range(each):
            pixel, c = divmod(place, width)
            own = pixel < pixels and c < channels
            expected = parameters.weights[output, pixel * channels + c] if own else 0
            assert bit(words, fc_place(output, place, each)) == expected


@pytest.mark.parametrize("outputs", [2, 5])
def test_two_outputs_of_the_last_layer_lie_row_by_row(rng, outputs):
    last = net.Layer("last", net.LAST, 1, 1, 1024, outputs)
    parameters = values(last, rng)
    words = packing.pack_layer(last, parameters, 1024)
    assert len(words) == -(-outputs // 2) * 2 * 16
    for output, place in np.ndindex(-(-outputs // 2) * 2, 1024):
        expected = parameters.weights[output, place] if output < outputs else 0
        assert bit(words, fc_place(output, place, 1024)) == expected


def test_last_layer_has_no_thresholds_and_is_filled_up(rng):
    last = net.Layer("last", net.LAST, 1, 1, 64, 5)
    parameters = values(last, rng)
    words = packing.pack_layer(last, parameters, 64)
    assert len(words) == 48
    assert not words[40:].any()
    for output in range(5):
        for n in range(512):
            expected = parameters.weights[output, n] if n < 64 else 0
            assert bit(words, 512 * output + n) == expected


def test_stream_spans_follow_one_another():
    parameters = random_parameters(net.CNV, np.random.default_rng(1))
    stream = packing.pack_parameters(parameters)
    start = 0
    for span in stream.spans:
        assert span.start == start
        assert 8 * span.count % 128 == 0
        start += span.count
    assert start == len(stream.words)
    # conv1: 32 + 32 words; conv2: 64 outputs of 9 taps of 128 bits; fc1 reads 3 x 3 x 256
    assert [span.count for span in stream.spans[:2]] == [64, 32 + 64 * 9 * 2]


def test_an_fc_layer_after_a_convolution_knows_its_pixels(rng):
    network = net.Network.from_description({"height": 2, "width": 3, "layers": [
        {"name": "conv", "kind": net.FP_CONV, "outputs": 64},
        {"name": "last", "kind": net.LAST, "outputs": 2}]})
    parameters = random_parameters(network, rng)
    stream = packing.pack_parameters(parameters)
    words = stream.words[stream.spans[1].start:]
    # six pixels of 128 bits are two rows
    assert stream.spans[1].count == 2 * 16
    for output in range(2):
        for pixel in range(6):
            for c in range(64):
                assert bit(words, fc_place(output, pixel * 128 + c, 1024)) == (
                    parameters.layers[1].weights[output, pixel * 64 + c])


@pytest.mark.parametrize("height,width,channels", [
    (3, 5, 128), (1, 1, 64), (3, 3, 64), (2, 3, 192), (1, 2, 320), (2, 2, 512), (1, 1, 1024),
    (1, 1, 576)])
def test_maps_come_back(rng, height, width, channels):
    kind = net.BIN_CONV if channels <= 512 else net.BIN_FC
    shape = net.Layer("x", kind, height, width, 64, channels, net.ZERO)
    bits = rng.integers(0, 2, (3, height, width, channels)).astype(np.uint8)
    each = -(-height * width * stored(channels) // 512) * 512
    assert packing.fmap_rows(shape) == each // 512
    assert packing.output_words(shape, 3) == -(-3 * each // 1024) * 16
    words = rng.integers(0, 1 << 64, packing.output_words(shape, 3), np.uint64)
    for image, row, column, c in np.ndindex(bits.shape):
        place = image * each + (row * width + column) * stored(channels) + c
        mask = np.uint64(1 << place % 64)
        words[place // 64] &= ~mask
        if bits[image, row, column, c]:
            words[place // 64] |= mask
    np.testing.assert_array_equal(packing.unpack_fmap(words, shape, 3), bits)


def test_sums_come_back(rng):
    last = net.Layer("last", net.LAST, 1, 1, 64, 5)
    sums = np.array([[-8192, 8192, -1, 0, 5], [1, 2, 3, 4, -5]])
    assert packing.output_words(last, 2) == 32
    halves = rng.integers(0, 1 << 16, (2, 64)).astype("<u2")
    halves[:, :5] = sums % (1 << 16)
    words = np.frombuffer(halves.tobytes(), "<u8")
    np.testing.assert_array_equal(packing.unpack_sums(words, 5, 2), sums)
