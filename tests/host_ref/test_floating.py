import numpy as np
import pytest

from host_ref.floating import FloatModel, ap2, batch_norm, shift_batch_norm
from host_ref.network import CIFAR10, Network
from host_ref.parameters import VALUES, LayerParameters, Parameters
from host_ref.random_networks import random_parameters


def one_pixel_network(weights, k, h):
    """One pixel, 64 channels: the first layer's sum is ±v0 ±v1 ±v2 by its centre taps."""
    network = Network.from_description({"height": 1, "width": 1, "layers": [
        {"name": "conv", "kind": "fp_conv", "outputs": 64, "padding": "zero", "pool": False},
        {"name": "last", "kind": "last", "outputs": 2}]})
    first = LayerParameters(weights, k, h)
    last = LayerParameters(np.zeros((2, 64), np.uint8), np.float32([0.5, -2]), np.float32([1, 3]))
    return Parameters(network, (first, last), ["a", "b"], "one pixel",
                      {"size": [1, 1], "crop": "centre", "values": VALUES})


def one_pixel(k, h):
    """Output bits for the pixel (128, 130, 137), v = 1, 5, 19, with weights +1, +1, -1: s = -13."""
    weights = np.zeros((64, 3, 3, 3), np.uint8)
    weights[:, 1, 1, 2] = 1
    parameters = one_pixel_network(weights, k.astype(np.float32), h.astype(np.float32))
    image = np.array([128, 130, 137], np.uint8).reshape(1, 1, 1, 3)
    bits = FloatModel(parameters).layer_output(0, image)
    assert bits.shape == (1, 1, 1, 64)
    assert bits.dtype == np.uint8
    return bits[0, 0, 0]


def test_the_sign_of_k_s_plus_h():
    """k·(-13) + h is >= 0 for bit 0, and 0 counts as +1, on the last float32 beside it too."""
    k, h = np.ones(64, np.float32), np.zeros(64, np.float32)
    h[:3] = [13, np.nextafter(np.float32(13), np.float32(0)), 14]
    k[3:6] = [-1, 0, 0]
    h[3:6] = [-13, 0, -1e-45]
    k[6:9] = np.float32(1e-45) * np.array([1, 1, -1])
    h[6:9] = np.float32(1e-45) * np.array([13, 12, -14])
    assert one_pixel(k, h)[:10].tolist() == [0, 1, 0, 0, 0, 1, 0, 1, 1, 1]


def test_the_last_layer():
    weights = np.zeros((64, 3, 3, 3), np.uint8)
    parameters = one_pixel_network(weights, np.ones(64, np.float32), np.zeros(64, np.float32))
    model = FloatModel(parameters)
    outputs = model.run(np.array([[[[255, 255, 255]]], [[[0, 0, 0]]]], np.uint8))
    assert outputs[1].dtype == np.int32
    assert outputs[1].tolist() == [[64, 64], [-64, -64]]
    assert model.scores(outputs[1]).tolist() == [[33, -125], [-31, 131]]


def test_batch_norm_is_the_papers_formula():
    rng = np.random.default_rng(1)
    gamma, beta, mean = (scale * rng.normal(size=200) for scale in (2, 1, 300))
    variance = rng.uniform(0, 1e5, 200)
    gamma[0] = variance[1] = 0
    k, h = batch_norm(gamma, beta, mean, variance, 1e-4)
    assert k.dtype == h.dtype == np.float64
    assert k[0] == 0
    assert h[0] == beta[0]
    for s in (-4608, -3, 0, 1, 777):
        y = gamma * (s - mean) / np.sqrt(variance + 1e-4) + beta
        magnitude = np.abs(k) * (abs(s) + np.abs(mean)) + np.abs(beta)
        assert (np.abs(k * s + h - y) <= 1e-14 * magnitude).all()


def test_ap2_is_the_nearest_power_of_two_on_a_log_scale():
    x = np.array([0, 1, -1, 1.4, 1.42, -3, 0.2, 1e-30, 1e30])
    expected = [0, 1, -1, 1, 2, -4, 0.25, 2.0**-100, 2.0**100]
    assert ap2(x).tolist() == expected


def test_shift_batch_norm_multiplies_by_powers_of_two_only():
    gamma, variance = np.array([1.4, -3, 0]), np.array([100.0, 0.3, 5])
    k, h = shift_batch_norm(gamma, [1, 2, 3], [10, -7, 4], variance, 0.0)
    assert k.tolist() == [0.125, -8, 0]  # 1 / 10 -> 1/8 times 1; 1.83 -> 2 times -4
    assert h.tolist() == [1 - 10 * 0.125, 2 - 7 * 8, 3]


@pytest.mark.parametrize("batch", [0, 2])
def test_every_layer_has_the_networks_shapes(batch):
    model = FloatModel(random_parameters(CIFAR10, np.random.default_rng(2)))
    outputs = model.run(np.zeros((batch, 32, 32, 3), np.uint8))
    assert [output.shape[1:] for output in outputs] == [
        (layer.out_height, layer.out_width, layer.out_channels) for layer in CIFAR10.layers[:-1]
    ] + [(10,)]
    assert {len(output) for output in outputs} == {batch}
