import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from host_ref.cifar10 import CLASSES
from host_ref.converters import convert
from host_ref.network import Network
from host_ref.parameters import ParameterError, load, save


@pytest.fixture
def net(small, make, rng):
    return make(small, rng)


@pytest.fixture
def binarynet(net, write_npz):
    parts = ("W", "b", "beta", "gamma", "mean", "inv_std")
    return write_npz([own[part] for own in net.layers for part in parts])


@pytest.fixture
def zhao(net, write_zip):
    return write_zip([own[part] for own in net.layers for part in ("W", "k", "h")])


def test_both_formats_are_told_apart_and_agree(small, binarynet, zhao):
    converted = [convert(path, network=small) for path in (binarynet, zhao)]
    assert [each.training["converted_from"] for each in converted] == [
        "BinaryNet .npz", "Zhao et al.'s w, k, h"]
    for one, other in zip(converted[0].layers, converted[1].layers):
        assert np.array_equal(one.weights, other.weights)
        np.testing.assert_allclose(one.k, other.k, rtol=1e-6)


def test_what_the_file_says_of_itself(small, binarynet, tmp_path):
    parameters = convert(binarynet, network=small)
    assert parameters.name == "source"
    assert tuple(parameters.classes) == CLASSES
    assert parameters.accuracy == {}
    assert len(parameters.known_answer) == 10
    assert parameters.training["source"] == "source.npz"
    assert parameters.training["sha256"] == hashlib.sha256(binarynet.read_bytes()).hexdigest()
    assumed = "\n".join(parameters.training["assumed"])
    for part in ("8 x 12", "padding zero", "normalization of conv2", "flip", "2p/255", "CIFAR-10"):
        assert part in assumed
    save(tmp_path / "out.npz", parameters)
    assert load(tmp_path / "out.npz").checksum == parameters.checksum


def test_names_can_be_given(small, binarynet):
    classes = [f"breed {number}" for number in range(10)]
    parameters = convert(binarynet, network=small, classes=classes, name="dogs")
    assert (parameters.name, parameters.classes) == ("dogs", classes)
    assert "CIFAR" not in "".join(parameters.training["assumed"])


def test_classes_that_nobody_named(small, make, write_npz, rng):
    description = small.description()
    description["layers"][-1]["outputs"] = 43
    network = Network.from_description(description)
    arrays = [own[part] for own in make(network, rng).layers
              for part in ("W", "beta", "gamma", "mean", "inv_std")]
    with pytest.raises(ParameterError, match="doesn't name its 43 classes"):
        convert(write_npz(arrays), network=network)
    with pytest.raises(ParameterError, match="43 outputs, but 2 classes"):
        convert(write_npz(arrays), network=network, classes=["stop", "go"])


@pytest.mark.parametrize("wrong,complaint", [("zhao", "36 arrays, must have 18"),
                                             ("binarynet", "followed by 2 vectors")])
def test_a_format_that_it_is_not(small, net, binarynet, write_npz, wrong, complaint):
    arrays = [own[part] for own in net.layers for part in ("W", "k", "h")]
    path = binarynet if wrong == "zhao" else write_npz(arrays, "zhao.npz")
    with pytest.raises(ParameterError, match=complaint):
        convert(path, wrong, small)


def test_our_own_file_is_no_source(tmp_path, parameters):
    save(tmp_path / "ours.npz", parameters)
    with pytest.raises(ParameterError, match=r"ours.npz: holds .*where arr_0"):
        convert(tmp_path / "ours.npz")


def test_the_docs_example_of_a_network():
    page = Path(__file__).parents[3] / "docs" / "converters.md"
    example = page.read_text(encoding="utf-8").split("```json")[1].split("```")[0]
    network = Network.from_description(json.loads(example))
    assert [layer.in_channels for layer in network.layers][-3:] == [4096, 1024, 1024]
