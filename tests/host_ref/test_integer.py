"""The integer model against loops in plain Python, against the float model, and at its extremes."""

import tracemalloc

import numpy as np
import pytest

from host_ref import network as net
from host_ref.floating import FloatModel
from host_ref.integer import IntegerModel, known_answer
from host_ref.network import Network
from host_ref.parameters import VALUES, LayerParameters, Parameters, known_answer_picture
from host_ref.random_networks import random_network, random_parameters


def build(layers, height, width):
    """A network of (kind, outputs, padding, pool) tuples."""
    entries = []
    for number, (kind, outputs, *conv) in enumerate(layers):
        entry = {"name": f"l{number}", "kind": kind, "outputs": outputs}
        entry.update(zip(("padding", "pool"), conv))
        entries.append(entry)
    return Network.from_description({"height": height, "width": width, "layers": entries})


def parametrize(network, weight_bit):
    """Parameters whose weights are all alike; k = 1, h = 0."""
    layers = tuple(
        LayerParameters(np.full(layer.weight_shape, weight_bit, dtype=np.uint8),
                        np.ones(layer.out_channels, np.float32),
                        np.zeros(layer.out_channels, np.float32)) for layer in network.layers)
    return Parameters(network, layers, [str(n) for n in range(network.classes)], "test",
                      {"size": [network.height, network.width], "crop": "centre",
                       "values": VALUES})


def pictures(rng, count, network):
    return rng.integers(0, 256, (count, network.height, network.width, 3), dtype=np.uint8)


# ---- a second opinion: the contract's sentences as loops over Python integers


def loop_sum(layer, weights, image, y, x):
    """One sum of one image; `weights` (3, 3, C) or (inputs,), `image` nested lists of values."""
    if not layer.is_conv:
        flat = [value for row in image for pixel in row for value in pixel]
        return sum(w * v for w, v in zip(weights, flat))
    shift = 0 if layer.padding == "none" else 1
    total = 0
    for ky in range(3):
        for kx in range(3):
            row, column = y + ky - shift, x + kx - shift
            inside = 0 <= row < layer.in_height and 0 <= column < layer.in_width
            for c in range(layer.in_channels):
                if inside:
                    total += weights[ky][kx][c] * image[row][column][c]
                elif layer.padding == "one":
                    total += weights[ky][kx][c]
    return total


def loop_bits(layer, k, h, sums):
    """2x2 maximum, then k·s + h, then sign (Python floats are float64: exact), of nested lists."""
    if layer.pool:
        sums = [[max(sums[2 * y][2 * x], sums[2 * y][2 * x + 1], sums[2 * y + 1][2 * x],
                     sums[2 * y + 1][2 * x + 1]) for x in range(layer.out_width)]
                for y in range(layer.out_height)]
    return [[0 if k * s + h >= 0 else 1 for s in row] for row in sums]


def assert_like_loops(parameters, images, rng):
    """Every layer of the model, some output channels of each, against the loops."""
    model = IntegerModel(parameters)
    x = images
    for index, (layer, own) in enumerate(zip(parameters.network.layers, parameters.layers)):
        values = (2 * x.astype(int) - 255 if index == 0 else 1 - 2 * x.astype(int)).tolist()
        weights = (1 - 2 * own.weights.astype(int)).tolist()
        sums, output = model.layer_sums(index, x), model.layer_output(index, x)
        for o in rng.choice(layer.out_channels, min(4, layer.out_channels), replace=False):
            for n, image in enumerate(values):
                expected = [[loop_sum(layer, weights[o], image, row, column)
                             for column in range(layer.sum_width)]
                            for row in range(layer.sum_height)]
                assert sums[n, :, :, o].tolist() == expected, (layer.name, o)
                if layer.kind == net.LAST:
                    assert output[n, o] == expected[0][0]
                else:
                    bits = loop_bits(layer, float(own.k[o]), float(own.h[o]), expected)
                    assert output[n, :, :, o].tolist() == bits, (layer.name, o)
        x = output


@pytest.mark.parametrize("second", ["zero", "one", "none"])
@pytest.mark.parametrize("first, pool, height, width", [
    ("zero", False, 6, 4), ("zero", True, 12, 8), ("none", False, 8, 6), ("none", True, 14, 10)])
def test_like_plain_loops(first, pool, height, width, second):
    rng = np.random.default_rng(1)
    network = build([("fp_conv", 64, first, pool), ("bin_conv", 128, second, pool),
                     ("bin_fc", 64), ("bin_fc", 128), ("last", 5)], height, width)
    parameters = random_parameters(network, rng)
    assert_like_loops(parameters, pictures(rng, 2, network), rng)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 9), (7, 1), (3, 5)])
def test_odd_maps_like_plain_loops(height, width):
    rng = np.random.default_rng(2)
    network = build([("fp_conv", 64, "zero", False), ("bin_conv", 64, "one", False),
                     ("bin_conv", 64, "zero", False), ("last", 2)], height, width)
    assert_like_loops(random_parameters(network, rng), pictures(rng, 2, network), rng)


@pytest.mark.parametrize("seed", range(25))
def test_random_networks_like_the_float_model(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    parameters = random_parameters(network, rng)
    images = pictures(rng, 2, network)
    integer = IntegerModel(parameters).run(images)
    floating = FloatModel(parameters).run(images)
    for layer, one, other in zip(network.layers, integer, floating):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        differing = np.argwhere(one != other)
        assert not len(differing), f"layer {layer.name} first differs at {differing[0]}"


# ---- extremes and edges


@pytest.mark.parametrize("pixel, bit, extreme", [(255, 0, 6885), (255, 1, -6885), (0, 0, -6885),
                                                 (0, 1, 6885)])
def test_the_first_layers_extremes(pixel, bit, extreme):
    network = build([("fp_conv", 64, "zero", False), ("last", 2)], 3, 3)
    model = IntegerModel(parametrize(network, bit))
    sums = model.layer_sums(0, np.full((1, 3, 3, 3), pixel, np.uint8))
    assert sums.dtype == np.int32
    assert (sums[0, 1, 1] == extreme).all()
    assert (sums[0, 0, 0] == extreme * 12 // 27).all()  # a corner has 4 of 9 taps
    assert (sums[0, 0, 1] == extreme * 18 // 27).all()


@pytest.mark.parametrize("padding, corner", [("zero", 4 * 512), ("one", (4 - 5) * 512)])
def test_what_a_tap_outside_adds(padding, corner):
    """All weights -1 on a map of all -1: taps inside add +1, taps outside 0 or w·(+1) = -1."""
    network = build([("fp_conv", 512, "zero", False), ("bin_conv", 64, padding, False),
                     ("last", 2)], 3, 3)
    sums = IntegerModel(parametrize(network, 1)).layer_sums(1, np.ones((1, 3, 3, 512), np.uint8))
    assert (sums[0, 1, 1] == 9 * 512).all()
    assert (sums[0, 2, 2] == corner).all()


def test_the_largest_fc():
    """8,192 inputs, and enough outputs that the model takes them in more than one go."""
    rng = np.random.default_rng(3)
    network = build([("fp_conv", 512, "zero", False), ("bin_fc", 2112), ("last", 64)], 4, 4)
    parameters = random_parameters(network, rng)
    parameters.layers[1].weights[0] = 0
    x = rng.integers(0, 2, (3, 4, 4, 512), dtype=np.uint8)
    x[0] = 1
    sums = IntegerModel(parameters).layer_sums(1, x)
    assert sums.shape == (3, 1, 1, 2112)
    assert sums[0, 0, 0, 0] == -8192
    flat = 1 - 2 * x.reshape(3, 8192).astype(np.int32)
    weights = 1 - 2 * parameters.layers[1].weights.astype(np.int32)
    assert (sums[:, 0, 0] == np.einsum("ni,oi->no", flat, weights)).all()


def test_fc_inputs_go_row_column_channel():
    network = build([("fp_conv", 64, "zero", False), ("last", 3)], 2, 3)
    parameters = parametrize(network, 0)
    last = parameters.layers[1].weights  # one -1 weight at row 1, column 2, channel 5
    last[1, (1 * 3 + 2) * 64 + 5] = 1
    x = np.zeros((2, 2, 3, 64), np.uint8)
    x[1, 1, 2, 5] = 1
    assert IntegerModel(parameters).layer_output(1, x).tolist() == [
        [384, 382, 384], [382, 384, 382]]


def test_a_batch_is_its_pictures_one_by_one():
    """Large maps, so that the batch goes through in several chunks."""
    rng = np.random.default_rng(4)
    network = build([("fp_conv", 128, "zero", False), ("bin_conv", 64, "zero", True),
                     ("bin_conv", 64, "one", True), ("last", 10)], 32, 32)
    model = IntegerModel(random_parameters(network, rng))
    images = pictures(rng, 7, network)
    together = model.run(images)
    for n in range(len(images)):
        for whole, single in zip(together, model.run(images[n:n + 1])):
            assert (whole[n] == single[0]).all()
    assert (model.sums(images) == together[-1]).all()


def test_more_pictures_than_a_chunk_keep_their_order():
    rng = np.random.default_rng(5)
    network = build([("fp_conv", 64, "zero", True), ("last", 10)], 4, 4)
    model = IntegerModel(random_parameters(network, rng))
    images = pictures(rng, 150, network)
    sums = model.sums(images)
    assert sums.shape == (150, 10)
    assert (sums[[0, 63, 64, 149]] == model.sums(images[[0, 63, 64, 149]])).all()
    assert (sums == model.run(images)[-1]).all()


def test_no_pictures():
    network = build([("fp_conv", 64, "zero", True), ("bin_fc", 64), ("last", 10)], 4, 4)
    model = IntegerModel(random_parameters(network, np.random.default_rng(6)))
    none = np.empty((0, 4, 4, 3), np.uint8)
    assert [output.shape for output in model.run(none)] == [(0, 2, 2, 64), (0, 1, 1, 64), (0, 10)]
    assert model.classify(none).shape == (0,)


def test_working_memory_does_not_grow_with_the_batch():
    rng = np.random.default_rng(7)
    model = IntegerModel(random_parameters(net.CNV, rng))
    images = pictures(rng, 80, net.CNV)
    tracemalloc.start()
    try:
        model.sums(images)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 << 20


@pytest.mark.parametrize("index, x, complaint", [
    (0, np.zeros((1, 4, 4, 3), np.float32), "'l0'.*float32"),
    (0, np.zeros((4, 4, 3), np.uint8), "'l0'.*uint8 .N, 4, 4, 3"),
    (0, np.zeros((1, 4, 5, 3), np.uint8), "'l0'"),
    (1, np.zeros((1, 4, 4, 32), np.uint8), "'l1'.*4, 4, 64"),
    (1, np.full((1, 4, 4, 64), 2, np.uint8), "'l1'.*holds 2"),
])
def test_input_that_a_layer_does_not_take(index, x, complaint):
    network = build([("fp_conv", 64, "zero", False), ("last", 10)], 4, 4)
    with pytest.raises(ValueError, match=complaint):
        IntegerModel(parametrize(network, 0)).layer_output(index, x)


def test_scores_and_class():
    network = build([("fp_conv", 64, "zero", False), ("last", 3)], 1, 1)
    parameters = parametrize(network, 0)
    parameters.layers[-1].k[:] = [1, -2, 0.5]
    parameters.layers[-1].h[:] = [0, 1, 7]
    model = IntegerModel(parameters)
    scores = model.scores(np.array([[10, 10, 10], [-6, -6, 2]], np.int32))
    assert scores.dtype == np.float32
    assert scores.tolist() == [[10, -19, 12], [-6, 13, 8]]
    parameters.layers[-1].k[:] = 0
    parameters.layers[-1].h[:] = [1, 4, 4]
    assert model.classify(np.zeros((2, 1, 1, 3), np.uint8)).tolist() == [1, 1]  # first maximum


def test_the_known_answer_is_that_of_its_picture():
    rng = np.random.default_rng(8)
    network = build([("fp_conv", 64, "zero", True), ("last", 10)], 6, 4)
    parameters = random_parameters(network, rng)
    answer = known_answer(parameters)
    assert all(type(total) is int for total in answer)
    assert answer == FloatModel(parameters).run(known_answer_picture(6, 4)[None])[-1][0].tolist()
