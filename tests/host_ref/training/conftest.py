import numpy as np
import pytest

from host_ref import network as net

pytest.importorskip("torch", reason="the training tests need PyTorch: make test-training")


@pytest.fixture
def tiny():
    """A network small enough to train in a blink."""
    return net.Network.from_description({"height": 8, "width": 8, "layers": [
        {"name": "conv1", "kind": "fp_conv", "outputs": 64, "padding": "zero", "pool": False},
        {"name": "conv2", "kind": "bin_conv", "outputs": 64, "padding": "one", "pool": True},
        {"name": "fc1", "kind": "bin_fc", "outputs": 64},
        {"name": "fc2", "kind": "last", "outputs": 10}]})


@pytest.fixture
def pictures():
    """Pictures whose brightness tells their class, so that there is something to learn."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 10, 240).astype(np.uint8)
    noise = rng.integers(0, 25, (240, 8, 8, 3))
    return (noise + 23 * labels[:, None, None, None]).astype(np.uint8), labels
