import numpy as np
import pytest

from host_ref.converters import convert, zhao
from host_ref.network import CIFAR10
from host_ref.parameters import ParameterError


def arrays_of(net):
    return [np.float32(own[part]) for own in net.layers for part in ("W", "k", "h")]


@pytest.mark.parametrize("writer", ["write_zip", "write_npz"])
def test_every_layer_computes_what_the_source_does(request, either, make, rng, pictures, writer):
    net = make(either, rng)
    path = request.getfixturevalue(writer)(arrays_of(net))
    parameters = convert(path, network=either)
    net.assert_same(parameters, pictures)
    negative = sum((own["k"] < 0).sum() for own in net.layers[:-1])
    assert negative > 0
    assert any(f"({negative} of" in line for line in parameters.training["assumed"])


def test_theirs_is_the_papers_network_with_flipped_kernels():
    recognized = zhao.recognize(None, None)
    assert (recognized.network, recognized.flipped) == (CIFAR10, True)


def test_the_27_arrays_of_the_paper(make, write_zip, rng):
    net = make(CIFAR10, rng)
    parameters = convert(write_zip(arrays_of(net)))
    assert parameters.network == CIFAR10
    net.assert_same(parameters, rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8))


def test_a_weight_of_0_is_plus_1(small, make, write_zip, rng):
    net = make(small, rng)
    net.layers[3]["W"][:2, 0] = 0, -0.0
    fc1 = convert(write_zip(arrays_of(net)), network=small).layers[3].weights
    assert fc1[0, :2 * 64:64].tolist() == [0, 0], "channel 0's first two pixels"


@pytest.mark.parametrize("count", [26, 28])
def test_another_number_of_arrays(write_zip, count):
    with pytest.raises(ParameterError, match=f"{count} arrays, must have 27: w, k, h"):
        convert(write_zip(count * [np.zeros(1)]))


@pytest.mark.parametrize("number,change,complaint", [
    (3, lambda array: array[1:], r"arr_3 \(w of layer 'conv2'\) has 146304 values"),
    (4, lambda array: array[1:], r"arr_4 \(k of layer 'conv2'\) has 127 values"),
    (5, lambda array: array * np.nan, r"arr_5 \(h of layer 'conv2'\) holds NaN"),
])
def test_a_bad_array_is_told_in_one_line(write_zip, rng, make, number, change, complaint):
    arrays = 27 * [np.zeros(1)]
    arrays[:6] = arrays_of(make(CIFAR10, rng, count=2))
    arrays[number] = change(arrays[number])
    path = write_zip(arrays)
    with pytest.raises(ParameterError, match=complaint) as caught:
        convert(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
