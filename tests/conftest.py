"""What several test files share: a network that loads in milliseconds, and a device to break."""

import os
from dataclasses import replace
from pathlib import Path

# Matrices here are small: on a busy machine BLAS threads wait for each other longer than they work.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ.get("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest

from host_ref import network as net
from host_ref.cifar10 import CLASSES
from host_ref.integer import IntegerModel, known_answer
from host_ref.parameters import VALUES, Parameters, save
from host_ref.random_networks import random_parameters
from pynq_bnn import Accelerator, Classifier, networks
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver import packing

SMALL = net.Network.from_description({"height": 8, "width": 10, "layers": [
    {"name": "conv1", "kind": net.FP_CONV, "outputs": 64, "padding": net.ZERO, "pool": False},
    {"name": "conv2", "kind": net.BIN_CONV, "outputs": 128, "padding": net.ONE, "pool": True},
    {"name": "conv3", "kind": net.BIN_CONV, "outputs": 64, "padding": net.NONE, "pool": False},
    {"name": "fc1", "kind": net.BIN_FC, "outputs": 128},
    {"name": "last", "kind": net.LAST, "outputs": 10}]})

CIFAR_SIZED = net.Network.from_description({"height": 32, "width": 32, "layers": [
    {"name": "conv1", "kind": net.FP_CONV, "outputs": 64, "padding": net.ZERO, "pool": True},
    {"name": "conv2", "kind": net.BIN_CONV, "outputs": 64, "padding": net.ZERO, "pool": True},
    {"name": "last", "kind": net.LAST, "outputs": 10}]})


def _named(network, seed, name):
    """Random parameters for CIFAR-10's classes, with a known answer."""
    size = [network.height, network.width]
    bare = Parameters(network, random_parameters(network, np.random.default_rng(seed)).layers,
                      CLASSES, name, {"size": size, "crop": "centre", "values": VALUES})
    return replace(bare, known_answer=known_answer(bare))


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def parameters():
    """Random parameters of a small network with every kind of layer and every padding."""
    return _named(SMALL, 5, "small")


@pytest.fixture
def pictures(rng):
    """Nine different pictures of the small network's size: more than two batches."""
    return rng.integers(0, 256, (9, 8, 10, 3)).astype(np.uint8)


@pytest.fixture
def device():
    return ModelDevice(batch=4, dram=Dram(4 << 20))


@pytest.fixture
def accelerator(device, parameters):
    with Accelerator(device, timeout_s=0.05) as accelerator:
        accelerator.load(parameters)
        yield accelerator


@pytest.fixture
def right(accelerator, parameters, pictures):
    """A function that asserts that the accelerator gives the reference's sums."""
    expected = IntegerModel(parameters).sums(pictures)

    def check(first=0, count=2):
        got = accelerator.run(pictures[first:first + count]).sums
        assert np.array_equal(got, expected[first:first + count])

    return check


@pytest.fixture
def classifier(parameters, device):
    with Classifier(parameters, device) as classifier:
        yield classifier


@pytest.fixture
def in_dram():
    """A function that finds words in a device's memory: the address of the first such place.

    Of parameters a second copy may lie behind: what the driver last read back.
    """

    def find(device, words):
        place = device.dram.memory.tobytes().find(np.ascontiguousarray(words).tobytes())
        assert place >= 0, "not in memory"
        return device.dram.base + place

    return find


@pytest.fixture
def flip_weight(in_dram):
    """A function that flips one weight of a loaded network in the device's memory.

    `place` is (output, ky, kx, input) of a convolution, (output, input) of an FC layer.
    """

    def flip(device, parameters, index, place):
        layer = parameters.network.layers[index]
        stream = packing.pack_parameters(parameters)
        bit = 0 if layer.kind == net.LAST else 32 * layer.out_channels
        if layer.kind == net.FP_CONV:
            bit += 32 * place[0] + int(np.ravel_multi_index(place[1:], (3, 3, 3)))
        else:
            channels = parameters.network.layers[index - 1].out_channels
            width = 128 if channels <= 128 else 256 if channels <= 256 else 512
            if layer.is_conv:
                group, within = divmod(place[0], 2048 // width)
                tap = 3 * place[1] + place[2]
                bit += (9 * group + tap) * 2048 + within * width + place[3]
            else:
                rows = -(-(layer.in_channels // channels) * width // 512)
                row, within = divmod(place[1] // channels * width + place[1] % channels, 512)
                two, second = divmod(place[0], 2)
                bit += ((two * rows + row) * 2 + second) * 512 + within
        address = in_dram(device, stream.words) + 8 * (stream.spans[index].start + bit // 64)
        device.dram.flip_bit(address, bit % 64)

    return flip


@pytest.fixture(scope="session")
def cifar_sized():
    """Random parameters of a small network for CIFAR-10's pictures and classes."""
    return _named(CIFAR_SIZED, 6, "cifar-sized")


@pytest.fixture
def weights(cifar_sized, tmp_path, monkeypatch):
    """The package's folder of weights, with that network in place of the shipped one."""
    folder = tmp_path / "weights"
    folder.mkdir()
    save(folder / "cifar10.npz", cifar_sized)
    monkeypatch.setattr(networks, "FOLDER", folder)
    return folder


@pytest.fixture(scope="session")
def cifar10():
    """The folder of CIFAR-10's binary version, from the environment."""
    folder = os.environ.get("PYNQ_BNN_CIFAR10")
    if not folder:
        pytest.skip("set PYNQ_BNN_CIFAR10 to the folder of CIFAR-10's binary version")
    return Path(folder)


@pytest.fixture
def dataset(rng, tmp_path):
    """A folder laid out as CIFAR-10's binary version, its 23 test pictures and labels."""
    pictures = rng.integers(0, 256, (23, 32, 32, 3)).astype(np.uint8)
    labels = rng.integers(0, 10, 23).astype(np.uint8)
    planes = pictures.transpose(0, 3, 1, 2).reshape(23, -1)
    records = np.concatenate([labels[:, np.newaxis], planes], axis=1)
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    return tmp_path, pictures, labels
