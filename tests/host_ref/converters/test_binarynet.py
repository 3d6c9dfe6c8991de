import numpy as np
import pytest

from host_ref.converters import binarynet, convert
from host_ref.converters.archive import Source
from host_ref.network import CIFAR10, CNV, Network
from host_ref.parameters import ParameterError

PARTS = ("W", "b", "beta", "gamma", "mean", "inv_std")


def arrays_of(net, without=()):
    """As lasagne.layers.get_all_param_values orders them."""
    return [own[part] for own in net.layers for part in PARTS if part not in without]


def blank(network, **changed):
    """A source with the arrays of `network`, all zeros; `changed` replaces shapes of W."""
    arrays = []
    for layer in network.layers:
        shape = ((layer.out_channels, layer.in_channels, 3, 3) if layer.is_conv
                 else (layer.in_channels, layer.out_channels))
        arrays.append(np.zeros(changed.get(layer.name, shape), np.float32))
        arrays += [np.zeros(layer.out_channels, np.float32)] * 5
    return Source(arrays, False, "")


@pytest.mark.parametrize("flipped", [True, False])
def test_every_layer_computes_what_the_source_does(either, make, write_npz, rng, pictures, flipped):
    net = make(either, rng, flipped)
    assert any((own["gamma"] < 0).any() for own in net.layers)
    parameters = convert(write_npz(arrays_of(net)), network=either, flipped=flipped)
    net.assert_same(parameters, pictures)


def test_without_biases(small, make, write_npz, rng, pictures):
    net = make(small, rng)
    for own in net.layers:
        own["h"] = own["h"] - own["b"].astype(np.float64) * own["k"]
    net.assert_same(convert(write_npz(arrays_of(net, without="b")), network=small), pictures)


def test_a_last_layer_without_bias_normalized_by_scalars(small, make, write_npz, rng, pictures):
    """As in BNN-PYNQ's cnv.py: BatchNormLayer(axes=(0, 1)), and so arrays without dimensions."""
    net = make(small, rng)
    last = net.layers[-1]
    for part in PARTS[2:]:
        last[part] = last[part][0]
    last["k"] = np.full(10, float(last["gamma"]) * float(last["inv_std"]))
    last["h"] = float(last["beta"]) - float(last["mean"]) * last["k"]
    arrays = arrays_of(net)
    del arrays[-5]
    net.assert_same(convert(write_npz(arrays), network=small), pictures)


def test_kernels_flip_by_default(small, make, write_npz, rng, pictures):
    net = make(small, rng, flipped=False)
    path = write_npz(arrays_of(net))
    with pytest.raises(AssertionError, match="conv1"):
        net.assert_same(convert(path, network=small), pictures)


def test_cnv_is_recognized_and_not_flipped(make, write_npz, rng):
    net = make(CNV, rng, flipped=False)
    parameters = convert(write_npz(arrays_of(net)))
    assert parameters.network == CNV
    assert any("1/128" in line for line in parameters.training["assumed"])
    net.assert_same(parameters, rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8))


def test_binarynets_network_is_recognized():
    recognized = binarynet.recognize(blank(CIFAR10), None)
    assert (recognized.network, recognized.flipped) == (CIFAR10, True)


def test_a_known_network_with_other_classes():
    recognized = binarynet.recognize(blank(CNV, fc3=(512, 43)), None)
    assert recognized.network.classes == 43
    assert recognized.network.layers[:-1] == CNV.layers[:-1]


def test_a_described_network_beats_the_recognized_one():
    described = CNV.description()
    described["layers"][2]["padding"] = "one"
    described["layers"][3]["padding"] = "zero"
    network = Network.from_description(described)
    recognized = binarynet.recognize(blank(CNV), network)
    assert (recognized.network, recognized.flipped) == (network, False)


def test_weights_binarize_as_round_of_hard_sigmoid(small, make, write_npz, rng):
    """clip((W + 1) / 2) in float32 loses what is below 2**-25, and 0.5 rounds up: +1."""
    net = make(small, rng)
    tiny = np.float32([0, -0.0, -1e-9, 1e-9, -2 ** -25, -2 ** -24, -1e-3, -1, 1])
    net.layers[0]["W"].reshape(-1)[:9] = tiny
    path = write_npz(arrays_of(net))
    parameters = convert(path, network=small, flipped=False)
    bits = parameters.layers[0].weights[0, :, :, 0].reshape(-1)
    assert bits.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 0]
    assert any(line.startswith("5 weights") for line in parameters.training["assumed"])


@pytest.mark.parametrize("network,changed,number,layer", [
    (CIFAR10, {"conv3": (256, 64, 3, 3)}, 12, "conv3"), (CNV, {"fc1": (4096, 512)}, 36, "fc1")])
def test_an_unknown_network_names_the_first_weights_that_differ(network, changed, number, layer):
    with pytest.raises(ParameterError, match=f"arr_{number},.*'{layer}'.*description"):
        binarynet.recognize(blank(network, **changed), None)


def change(place, value):
    def apply(arrays):
        arrays[place] = value(arrays[place])
    return apply


def vary(array, position, value):
    array = np.array(array)
    array[position] = value
    return array


@pytest.mark.parametrize("damage,complaint", [
    (lambda arrays: arrays.pop(), "arr_30, a W, is followed by 4 vectors, arr_0 by 5"),
    (lambda arrays: arrays.pop(7), "arr_6, a W, is followed by 4 vectors"),
    (lambda arrays: arrays.pop(10), "arr_6, a W, is followed by 4 vectors"),
    (lambda arrays: arrays.pop(0), "arr_0 has shape"),
    (lambda arrays: arrays.append(arrays[1]), "arr_30, a W, is followed by 6 vectors"),
    (lambda arrays: arrays.__delitem__(slice(6, 12)), "5 layers, the network has 6"),
    (change(6, lambda a: a[:, :32]), r"arr_6 \(W of layer 'conv2'\) has shape \(128, 32, 3, 3\)"),
    (change(9, lambda a: a[1:]), r"arr_9 \(gamma of layer 'conv2'\) has shape \(127,\)"),
    (change(18, lambda a: a.T), r"arr_18 \(W of layer 'fc1'\)"),
    (change(4, lambda a: vary(a, 3, np.nan)), r"arr_4 \(mean of layer 'conv1'\) holds NaN"),
    (change(2, lambda a: vary(a, 3, np.inf)), r"arr_2 \(beta of layer 'conv1'\) holds NaN or inf"),
    (change(8, lambda a: a.astype(int)), r"arr_8 \(beta of layer 'conv2'\) holds int64"),
    (change(11, lambda a: vary(a, 0, 0)), r"arr_11 \(inv_std of layer 'conv2'\) has 0"),
    (change(5, lambda a: -a), r"arr_5 \(inv_std of layer 'conv1'\) has -"),
    (change(11, lambda a: 1 / a), "deviation or variance, not its reciprocal"),
    (change(11, lambda a: 1 / a ** 2), "deviation or variance, not its reciprocal"),
    (change(12, lambda a: a / 50), r"arr_12 \(W of layer 'conv3'\) reaches 0.02.*another H"),
    (change(12, lambda a: a * 3), r"arr_12 \(W of layer 'conv3'\) reaches .*real-valued"),
    (change(3, lambda a: a.astype(float) * 1e40), "layer 'conv1': k"),
])
def test_a_bad_source_is_told_in_one_line(small, make, write_npz, rng, damage, complaint):
    arrays = arrays_of(make(small, rng))
    damage(arrays)
    path = write_npz(arrays)
    with pytest.raises(ParameterError, match=complaint) as caught:
        convert(path, "binarynet", small)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
