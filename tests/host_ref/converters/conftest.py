"""The sources' own arithmetic, written plainly from their code, and files as they write them.

Nothing of the converters or of host_ref.integer is used: maps are (pictures, channels, rows,
columns) floats, weights in Lasagne's order, a convolution the textbook's sum.
"""

import zipfile
from dataclasses import dataclass

import numpy as np
import pytest

from host_ref.integer import IntegerModel
from host_ref.network import BIN_CONV, BIN_FC, FP_CONV, LAST, NONE, ZERO, Network


@dataclass
class SourceNet:
    """One dict a layer: W, k, h of y = k·s + h, and what these were made of."""

    network: Network
    layers: list
    flipped: bool = True

    def forward(self, pictures):
        """Every layer's signs, the last one's y; uint8 (N, H, W, 3) pictures."""
        x = 2 * pictures.transpose(0, 3, 1, 2).astype(np.float64) / 255 - 1
        outputs = []
        for layer, own in zip(self.network.layers, self.layers):
            signs = np.where(own["W"] < 0, -1.0, 1.0)
            if layer.is_conv:
                sums = convolve(x, signs, layer.padding == ZERO, self.flipped)
                if layer.pool:
                    n, channels, height, width = sums.shape
                    sums = sums.reshape(n, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))
                y = sums * own["k"][:, None, None] + own["h"][:, None, None]
            else:
                y = x.reshape(len(x), -1) @ signs * own["k"] + own["h"]
            x = np.where(y >= 0, 1.0, -1.0)
            outputs.append(y if layer.kind == LAST else x)
        return outputs

    def assert_same(self, parameters, pictures):
        """Every layer of the converted parameters gives these bits, and the last these scores."""
        model = IntegerModel(parameters)
        converted = model.run(pictures)
        for layer, ours, theirs in zip(self.network.layers, converted, self.forward(pictures)):
            if layer.kind == LAST:
                np.testing.assert_allclose(model.scores(ours), theirs, rtol=1e-5, atol=1e-4)
            else:
                signs = 1 - 2.0 * ours.transpose(0, 3, 1, 2).reshape(theirs.shape)
                assert np.array_equal(signs, theirs), layer.name
                assert 0.05 < ours.mean() < 0.95, "neither all +1 nor all -1"


def convolve(x, weights, padded, flipped):
    """Σ x[c, y + 1 - a, x + 1 - b] · w[c, 1 + a, 1 + b] if flipped, as Theano's; else + a, + b."""
    if padded:
        x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = x.shape[2] - 2, x.shape[3] - 2
    sums = np.zeros((len(x), len(weights), height, width))
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            top, left = (1 - a, 1 - b) if flipped else (1 + a, 1 + b)
            tap = x[:, :, top:top + height, left:left + width]
            sums += np.einsum("nchw,oc->nohw", tap, weights[:, :, 1 + a, 1 + b], optimize=True)
    return sums


def small_network(padding=ZERO):
    """Its maps have more columns than rows, so that swapping them shows."""
    return Network.from_description({"height": 8, "width": 12, "layers": [
        {"name": "conv1", "kind": FP_CONV, "outputs": 64, "padding": ZERO, "pool": False},
        {"name": "conv2", "kind": BIN_CONV, "outputs": 128, "padding": ZERO, "pool": True},
        {"name": "conv3", "kind": BIN_CONV, "outputs": 64, "padding": padding, "pool": False},
        {"name": "fc1", "kind": BIN_FC, "outputs": 128},
        {"name": "fc2", "kind": BIN_FC, "outputs": 64},
        {"name": "fc3", "kind": LAST, "outputs": 10}]})


def random_net(network, rng, flipped=True, count=None):
    """A source's network with gammas of either sign and thresholds among the sums that occur.

    Only its first `count` layers, if given.
    """
    layers = []
    for layer in network.layers[:count]:
        shape = ((layer.out_channels, layer.in_channels, 3, 3) if layer.is_conv
                 else (layer.in_channels, layer.out_channels))
        vector = layer.out_channels
        spread = layer.taps ** 0.5
        own = {"W": rng.uniform(-1, 1, shape).astype(np.float32),
               "b": rng.normal(0, 1, vector).astype(np.float32),
               "beta": rng.normal(0, 0.3, vector).astype(np.float32),
               "gamma": (rng.choice([-1, 1], vector) * rng.uniform(0.5, 2, vector)).astype("f4"),
               "mean": rng.normal(0, 0.3 * spread, vector).astype(np.float32),
               "inv_std": (rng.uniform(0.7, 1.5, vector) / spread).astype(np.float32)}
        double = {name: array.astype(np.float64) for name, array in own.items()}
        own["k"] = double["gamma"] * double["inv_std"]
        own["h"] = (double["b"] - double["mean"]) * own["k"] + double["beta"]
        layers.append(own)
    return SourceNet(network, layers, flipped)


@pytest.fixture
def small():
    """A small network whose last convolution is padded."""
    return small_network()


@pytest.fixture(params=[ZERO, NONE])
def either(request):
    """A small network of either padding."""
    return small_network(request.param)


@pytest.fixture
def make():
    return random_net


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (3, 8, 12, 3)).astype(np.uint8)


@pytest.fixture
def write_npz(tmp_path):
    """A function that writes arrays as np.savez(path, *get_all_param_values(model)) does."""

    def write(arrays, name="source.npz"):
        np.savez(tmp_path / name, *arrays)
        return tmp_path / name

    return write


@pytest.fixture
def write_zip(tmp_path):
    """A function that writes arrays as npz2zip.py does: flat float32, deflated, by number."""

    def write(arrays, name="source.zip"):
        with zipfile.ZipFile(str(tmp_path / name), "w", zipfile.ZIP_DEFLATED) as archive:
            for number, array in enumerate(arrays):
                archive.writestr(f"arr_{number}", np.asarray(array, "<f4").tobytes())
        return tmp_path / name

    return write
