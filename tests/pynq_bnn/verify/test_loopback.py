import numpy as np
import pytest

from pynq_bnn import Accelerator, registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.errors import DeviceError
from pynq_bnn.verify import loopback as module
from pynq_bnn.verify.loopback import loopback


@pytest.fixture
def device():
    return ModelDevice(batch=2, overrides={"CAP_FMAP_ROWS": 512})


@pytest.fixture
def accelerator(device):
    with Accelerator(device, 5) as accelerator:
        yield accelerator


def test_it_wants_no_network_and_leaves_nothing(accelerator, device):
    free = device.free_bytes()
    assert loopback(accelerator) == ("16384 words through 2 read ports and the write port, "
                                     "8192 in each feature-map buffer")
    assert device.free_bytes() == free


def test_what_is_loaded_stays_loaded(accelerator, parameters, pictures):
    accelerator.load(parameters)
    before = accelerator.run(pictures[:2]).sums
    loopback(accelerator)
    np.testing.assert_array_equal(accelerator.run(pictures[:2]).sums, before)


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("buffer, name", [(registers.FMAP_A, "FMAP_A"),
                                          (registers.FMAP_B, "FMAP_B")])
@pytest.mark.parametrize("row", [0, 511])
def test_any_stuck_bit_of_a_map_is_seen(accelerator, device, buffer, name, row, value):
    device.stick(buffer, row, 313, value)
    with pytest.raises(DeviceError, match=f"loopback through {name}: word {8 * row + 4} "):
        loopback(accelerator)
    device.clear_faults()
    loopback(accelerator)


@pytest.mark.parametrize("stuck", [0, 1])
def test_a_bit_that_a_port_loses_is_seen(accelerator, device, monkeypatch, stuck):
    right = device.dram.read_words

    def wrong(address, count):
        words = right(address, count).copy()
        mask = np.uint64(1 << 44)
        words[16::32] = words[16::32] | mask if stuck else words[16::32] & ~mask
        return words

    monkeypatch.setattr(device.dram, "read_words", wrong)
    with pytest.raises(DeviceError, match="loopback through the parameter stream: word"):
        loopback(accelerator)


def test_after_a_failure_the_accelerator_runs(accelerator, device, parameters, pictures):
    accelerator.load(parameters)
    before = accelerator.run(pictures[:2]).sums
    device.stick(registers.FMAP_A, 3, 0, 1)
    free = device.free_bytes()
    with pytest.raises(DeviceError):
        loopback(accelerator)
    device.clear_faults()
    assert device.free_bytes() == free
    np.testing.assert_array_equal(accelerator.run(pictures[:2]).sums, before)
    assert module.STREAM_WORDS % registers.BURST_WORDS == 0
