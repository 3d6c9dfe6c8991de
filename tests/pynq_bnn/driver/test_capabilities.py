import pytest

from host_ref import network as net
from pynq_bnn import registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.driver import packing
from pynq_bnn.driver.capabilities import identify
from pynq_bnn.errors import IdentificationError, NetworkError

STEPS = 66


def version(major, minor):
    return registers.encode("VERSION", MAJOR=major, MINOR=minor)


def test_every_capability_is_read():
    capabilities = identify(ModelDevice(batch=3, overrides={
        "BUILD": 0xC0FFEE,
        "CAP_COMPUTE": registers.encode("CAP_COMPUTE", LANES=9216, PORTS=4, COUNTERS=1),
        "CAP_LIMITS": registers.encode("CAP_LIMITS", SIDE=16, CLASSES=11, CHANNELS=256),
        "CAP_FC": registers.encode("CAP_FC", INPUTS=4096, BATCH=5),
        "CAP_FMAP_ROWS": 1024,
        "CAP_PROGRAM": registers.encode("CAP_PROGRAM", STEPS=100, LOG=12)}).mmio)
    assert vars(capabilities) == {
        "version": "4.1", "build": 0xC0FFEE, "lanes": 9216, "ports": 4, "counters": True,
        "side": 16, "classes": 11, "channels": 256, "fc_inputs": 4096, "batch": 5,
        "fmap_rows": 1024, "program_steps": 100, "log_entries": 12}


def test_a_wrong_magic_is_refused_before_anything_else_is_read():
    device = ModelDevice(overrides={"MAGIC": 0xDEADBEEF})
    with pytest.raises(IdentificationError, match="0xDEADBEEF, not 0x314E4E42.*Download"):
        identify(device.mmio)
    assert (device.mmio.reads, device.mmio.writes) == (1, 0)


@pytest.mark.parametrize("major,minor", [(3, 9), (5, 0)])
def test_another_major_version_is_refused_naming_both(major, minor):
    device = ModelDevice(overrides={"VERSION": version(major, minor)})
    with pytest.raises(IdentificationError, match=rf"version {major}\.{minor}, this driver 4\.1"):
        identify(device.mmio)
    assert device.mmio.writes == 0


@pytest.mark.parametrize("minor,chains", [(0, False), (1, True), (2, True), (10, True)])
def test_any_minor_version_is_taken_for_what_it_has(minor, chains):
    capabilities = identify(ModelDevice(overrides={"VERSION": version(4, minor)}).mmio)
    assert (capabilities.version, capabilities.chains) == (f"4.{minor}", chains)


def test_what_every_device_takes_fits():
    identify(ModelDevice().mmio).refuse_unfit(net.CIFAR10, STEPS)
    identify(ModelDevice().mmio).refuse_unfit(net.CNV, STEPS)


@pytest.mark.parametrize("limit,complaint", [
    ({"CAP_LIMITS": registers.encode("CAP_LIMITS", SIDE=31, CLASSES=64, CHANNELS=512)},
     "'conv1': 32 pixels a side, .* at most 31"),
    ({"CAP_LIMITS": registers.encode("CAP_LIMITS", SIDE=32, CLASSES=9, CHANNELS=512)},
     "'fc3': 10 classes, .* at most 9"),
    ({"CAP_LIMITS": registers.encode("CAP_LIMITS", SIDE=32, CLASSES=64, CHANNELS=256)},
     "'conv5': 512 channels, .* at most 256"),
    ({"CAP_FC": registers.encode("CAP_FC", INPUTS=4096, BATCH=1)},
     "'fc1': 8192 inputs, .* at most 4096"),
    ({"CAP_FMAP_ROWS": 254}, "'conv1': 256 rows of 512 bits in its map, .* at most 254"),
    ({"CAP_PROGRAM": registers.encode("CAP_PROGRAM", STEPS=STEPS - 1, LOG=32)},
     "9 layers .* 66 steps, .* at most 65"),
])
def test_a_network_beyond_the_device_is_refused_by_name(limit, complaint):
    device = ModelDevice(overrides={"BUILD": 0xC0FFEE, **limit})
    with pytest.raises(NetworkError, match=complaint) as caught:
        identify(device.mmio).refuse_unfit(net.CIFAR10, STEPS)
    assert "00c0ffee" in str(caught.value)


@pytest.mark.parametrize("batch,rows,network,expected", [
    (8, 2048, net.CIFAR10, 8), (9, 2048, net.CIFAR10, 8), (7, 2048, net.CIFAR10, 7),
    (8, 2046, net.CIFAR10, 7), (8, 512, net.CIFAR10, 2), (8, 256, net.CIFAR10, 1),
    (8, 900, net.CNV, 4), (8, 898, net.CNV, 3)])
def test_the_largest_batch_is_what_one_buffer_holds(batch, rows, network, expected):
    device = ModelDevice(batch=batch, overrides={"CAP_FMAP_ROWS": rows})
    assert identify(device.mmio).largest_batch(network) == expected


def test_the_rows_that_every_device_has_hold_any_network():
    """What the register table promises is the largest map within host_ref's limits, as stored."""
    rows = []
    for channels in range(64, net.MAX_CHANNELS + 1, net.CHANNEL_STEP):
        for height in range(1, net.MAX_SIDE + 1):
            width = min(net.MAX_SIDE, net.MAX_FMAP_BITS // (height * channels))
            rows.append(packing.fmap_rows(
                net.Layer("conv", net.BIN_CONV, height, width, 64, channels, net.ZERO)))
    assert max(rows) == 408
    assert "at least 408" in registers.BY_NAME["CAP_FMAP_ROWS"].meaning


def test_fc_outputs_have_the_limit_of_fc_inputs():
    network = net.Network.from_description({"height": 4, "width": 4, "layers": [
        {"name": "conv1", "kind": net.FP_CONV, "outputs": 64, "pool": True},
        {"name": "fc1", "kind": net.BIN_FC, "outputs": 1024},
        {"name": "last", "kind": net.LAST, "outputs": 2}]})
    device = ModelDevice(overrides={"CAP_FC": registers.encode("CAP_FC", INPUTS=512, BATCH=1)})
    with pytest.raises(NetworkError, match="'fc1': 1024 outputs, .* at most 512"):
        identify(device.mmio).refuse_unfit(network, STEPS)
