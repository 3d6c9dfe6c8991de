"""docs/site/browser/network.js against host_ref: every layer, bit for bit."""

import json
from pathlib import Path

import numpy as np
import pytest

from host_ref import parameters as files
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_network, random_parameters
from pynq_bnn import load_parameters

py_mini_racer = pytest.importorskip("py_mini_racer", reason="JavaScript needs mini-racer")
SCRIPT = Path(__file__).parents[2] / "docs" / "site" / "browser" / "network.js"
LOAD = """
var bytes = new Uint8Array(hex.length / 2);
for (let n = 0; n < bytes.length; n++) bytes[n] = parseInt(hex.substr(2 * n, 2), 16);
var network = Network.load(bytes.buffer);
"""


@pytest.fixture
def outputs_of(tmp_path):
    """A function: parameters and pictures to each picture's outputs and scores, in JavaScript."""
    def run(parameters, pictures):
        context = py_mini_racer.MiniRacer()
        files.save(tmp_path / "network.npz", parameters)
        data = (tmp_path / "network.npz").read_bytes().hex()
        context.eval(SCRIPT.read_text().replace("const Network", "var Network", 1))
        context.eval(f"var hex = '{data}'; {LOAD}")
        return [json.loads(context.eval(
            f"var outputs = Network.run(network, Uint8Array.from({picture.ravel().tolist()}));"
            "JSON.stringify({outputs: outputs.map(each => Array.from(each)), scores: "
            "Network.scores(network, outputs[outputs.length - 1])})")) for picture in pictures]
    return run


def require_equal(parameters, pictures, made):
    model = IntegerModel(parameters)
    expected = model.run(pictures)
    for number, picture in enumerate(made):
        for layer, output, layer_expected in zip(parameters.network.layers, picture["outputs"],
                                                 expected):
            got = np.array(output, np.int64)
            if layer.kind != "last":
                got = np.unpackbits(got.astype(">u4").view(np.uint8))
            assert np.array_equal(got, layer_expected[number].ravel()), layer.name
        assert np.array_equal(np.array(picture["scores"], np.float32),
                              model.scores(expected[-1])[number])


def test_the_shipped_network(outputs_of, rng):
    parameters = load_parameters()
    pictures = rng.integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    pictures = np.concatenate([pictures, files.known_answer_picture(32, 32)[np.newaxis]])
    made = outputs_of(parameters, pictures)
    require_equal(parameters, pictures, made)
    assert made[2]["outputs"][-1] == list(parameters.known_answer)


@pytest.mark.parametrize("seed", range(8))
def test_random_networks(outputs_of, seed):
    """All paddings, poolings and widths; negative and zero k."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    parameters = random_parameters(network, rng)
    pictures = rng.integers(0, 256, (2, network.height, network.width, 3)).astype(np.uint8)
    require_equal(parameters, pictures, outputs_of(parameters, pictures))


def test_a_planted_fault_is_seen(outputs_of, rng):
    parameters = load_parameters()
    picture = rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    made = outputs_of(parameters, picture)
    made[0]["outputs"][3][100] ^= 1 << 7
    with pytest.raises(AssertionError, match="conv4"):
        require_equal(parameters, picture, made)
