import numpy as np

from host_ref.folding import fold
from host_ref.integer import IntegerModel
from host_ref.network import BIN_FC, FP_CONV, Network
from host_ref.random_networks import random_network, random_parameters


def networks(count):
    rng = np.random.default_rng(1)
    return [random_network(rng) for _ in range(count)]


def test_the_limits_judge_accepts_them():
    for network in networks(100):
        assert Network.from_description(network.description()) == network


def test_they_cover_the_limits():
    many = networks(400)
    convs = [layer for network in many for layer in network.layers if layer.is_conv]
    fcs = [layer for network in many for layer in network.layers if layer.kind == BIN_FC]
    assert {layer.padding for layer in convs if layer.kind == FP_CONV} == {"zero", "none"}
    binary = [layer for layer in convs if layer.kind != FP_CONV]
    assert {(layer.padding, layer.pool) for layer in binary} == {
        (padding, pool) for padding in ("zero", "one", "none") for pool in (False, True)}
    assert {layer.out_channels for layer in convs} == set(range(64, 513, 64))
    assert {sum(layer.is_conv for layer in network.layers) for network in many} == {
        1, 2, 3, 4, 5, 6}
    assert {sum(layer.kind == BIN_FC for layer in network.layers) for network in many} == {
        0, 1, 2, 3}
    sides = {network.height for network in many} | {network.width for network in many}
    assert sides == set(range(1, 33))
    assert min(layer.in_height for layer in convs) == 1
    assert max(layer.in_channels for layer in fcs) > 7000
    assert max(layer.out_channels for layer in fcs) > 4000
    assert {network.classes for network in many} >= {2, 63, 64}


def test_most_are_quick():
    assert np.mean([network.macs <= 20_000_000 for network in networks(200)]) > 0.8


def test_the_same_seed_gives_the_same_network_and_parameters():
    def draw():
        rng = np.random.default_rng(2)
        return random_parameters(random_network(rng), rng)

    assert draw().checksum == draw().checksum


def test_k_and_h_are_awkward():
    rng = np.random.default_rng(3)
    for network in networks(300):
        if network.layers[0].out_channels == 512:
            break
    layer, own = network.layers[0], random_parameters(network, rng).layers[0]
    magnitude = np.abs(own.k)
    assert (own.k < 0).any()
    assert (own.k > 0).any()
    assert (own.k == 0).any()
    assert ((magnitude > 0) & (magnitude < 2.0 ** -126)).any()  # denormal
    assert (magnitude > 1e29).any()
    assert (np.abs(own.h) > 1e29).any()
    thresholds, _ = fold(own.k, own.h)
    assert (np.abs(thresholds.astype(int)) > layer.max_sum).any()  # constant outputs
    assert np.mean(np.abs(thresholds.astype(int)) < layer.max_sum) > 0.7
    on_a_sum = own.k.astype(float) * np.rint(-own.h / np.where(own.k, own.k, 1)) + own.h == 0
    assert (on_a_sum & (own.k != 0) & (own.h != 0)).sum() > 50


def test_maps_are_not_constant():
    """Else a broken device could pass."""
    rng = np.random.default_rng(4)
    for _ in range(10):
        network = random_network(rng)
        images = rng.integers(0, 256, (2, network.height, network.width, 3), dtype=np.uint8)
        for bits in IntegerModel(random_parameters(network, rng)).run(images)[:-1]:
            assert 0.2 < bits.mean() < 0.8
