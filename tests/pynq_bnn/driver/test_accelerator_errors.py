"""What goes wrong at run time: one clear error each, and the next run is right."""

import pytest

from pynq_bnn.driver import packing
from pynq_bnn.errors import DeviceError, DeviceTimeout


def test_a_device_that_never_ends(accelerator, device, pictures, right):
    device.hang()
    with pytest.raises(DeviceTimeout, match=r"within 0.05 s.*STATUS=0x0000000\d \(BUSY=1"):
        accelerator.run(pictures[:2])
    right()


def test_a_stage_that_never_ends(accelerator, device, pictures, right):
    stages = accelerator.step_through(pictures[:2])
    next(stages)
    device.hang()
    with pytest.raises(DeviceTimeout, match="BUSY=1"):
        next(stages)
    right()
    assert len(list(accelerator.step_through(pictures[:2]))) == 5


def test_an_interrupt_during_a_run_that_hangs(accelerator, device, pictures, right, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    device.hang()
    with monkeypatch.context() as patch:
        patch.setattr("pynq_bnn.driver.control.time.sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            accelerator.run(pictures[:2])
    right()


@pytest.mark.parametrize("response", ["SLVERR", "DECERR"])
def test_pictures_that_cannot_be_read(accelerator, device, pictures, right, in_dram, response):
    accelerator.run(pictures[:2])
    address = in_dram(device, packing.pack_pictures(pictures[:2])) + 128 * 3
    device.dram.fail(address + 8 * 5, on="read", response=response)
    with pytest.raises(DeviceError) as caught:
        accelerator.run(pictures[:2])
    for part in ("error READ", "in LOAD", "program step 3 (load pictures)", f"0x{address:08X}"):
        assert part in str(caught.value)
    device.clear_faults()
    right()


def test_parameters_that_cannot_be_read(accelerator, device, parameters, pictures, right, in_dram):
    stream = packing.pack_parameters(parameters)
    address = in_dram(device, stream.words) + 8 * stream.spans[2].start
    device.dram.fail(address, on="read", response="DECERR")
    with pytest.raises(DeviceError, match=rf"READ.*LOAD.*\(load parameters\).*0x{address:08X}"):
        accelerator.run(pictures[:2])
    stages = accelerator.step_through(pictures[:2])
    assert [next(stages)[0].name for _ in range(2)] == ["conv1", "conv2"]
    with pytest.raises(DeviceError, match=rf"READ.*LOAD \(conv3\).*0x{address:08X}"):
        next(stages)
    device.clear_faults()
    right()


@pytest.mark.parametrize("response", ["SLVERR", "DECERR"])
def test_sums_that_cannot_be_written(accelerator, device, pictures, right, response):
    accelerator.run(pictures[:2])
    address = device.registers.get("DMA_ADDRESS")  # STORE is a program's last stage
    device.dram.fail(address + 128 + 8, on="write", response=response)
    with pytest.raises(DeviceError) as caught:
        accelerator.run(pictures[:2])
    for part in ("error WRITE", "in STORE", "(store SUMS)", f"0x{address + 128:08X}"):
        assert part in str(caught.value)
    device.clear_faults()
    right()


def test_a_program_that_cannot_be_read(accelerator, device, pictures, right):
    right()
    address = device.registers.get("PROGRAM_ADDRESS") + 128
    device.dram.fail(address + 8 * 3, on="read")
    with pytest.raises(DeviceError, match=f"READ.*in the sequencer, program step 0.*{address:08X}"):
        accelerator.run(pictures[:2])
    device.clear_faults()
    right()


def test_a_map_that_cannot_be_written_in_stepped_mode(accelerator, device, pictures, right):
    device.dram.fail(device.dram.base, device.dram.size_bytes // 8, on="write")
    with pytest.raises(DeviceError, match=r"WRITE.*in STORE \(store FMAP_A\)"):
        next(accelerator.step_through(pictures[:2]))
    device.clear_faults()
    right()
