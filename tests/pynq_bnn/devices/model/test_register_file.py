import numpy as np
import pytest

from pynq_bnn import registers
from pynq_bnn.devices.model.register_file import IDENTIFICATION, Mmio, RegisterFile
from pynq_bnn.errors import DeviceError


@pytest.fixture
def written():
    return []


@pytest.fixture
def file(written):
    return RegisterFile({"VERSION": 0x20003}, lambda name, value: written.append((name, value)))


def test_every_register_starts_at_its_reset(file):
    for offset, register, _ in registers.words():
        expected = 0x20003 if register.name == "VERSION" else register.reset
        if register.access != registers.WRITE_ONLY:
            assert file.read(offset) == expected, register.name


def test_identification_outlives_a_reset(file):
    file.set("BATCH", 7)
    file.set("VERSION", 0)
    file.reset()
    assert file.get("BATCH") == 1
    assert file.get("VERSION") == 0x20003


def test_identification_ends_where_control_begins():
    assert IDENTIFICATION[0] == "MAGIC"
    assert IDENTIFICATION[-1] == "CAP_PROGRAM"
    for wrong in ("STATUS", "NONSENSE"):
        with pytest.raises(ValueError, match=wrong):
            RegisterFile({wrong: 1}, lambda name, value: None)
    with pytest.raises(ValueError, match="32 bits"):
        RegisterFile({"MAGIC": 1 << 32}, lambda name, value: None)


def test_a_write_is_reported_and_stored_by_the_device_alone(file, written):
    file.write(registers.offset("BATCH"), 5)
    assert written == [("BATCH", 5)]
    assert file.read(registers.offset("BATCH")) == 1


def test_a_write_to_a_register_that_can_only_be_read_does_nothing(file, written):
    file.write(registers.offset("MAGIC"), 1)
    file.write(registers.offset("LOG_KIND", 31), 1)
    assert written == []
    assert file.read(0) == registers.MAGIC


def test_a_register_that_can_only_be_written_reads_0(file, written):
    file.write(registers.offset("CONTROL"), 3)
    file.set("CONTROL", 3)
    assert written == [("CONTROL", 3)]
    assert file.read(registers.offset("CONTROL")) == 0


def test_repeated_registers(file):
    file.set("LOG_KIND", 4, 31)
    assert file.read(0x200 + 31 * 16) == 4
    assert file.read(0x200 + 30 * 16) == 0


@pytest.mark.parametrize("offset", [0x02C, 0x400, 0xFFC])
def test_a_hole_in_the_table_reads_0(file, written, offset):
    file.write(offset, 7)
    assert file.read(offset) == 0
    assert written == []


@pytest.mark.parametrize("offset, why", [(0x1000, "outside"), (-4, "outside"),
                                         (0x046, "multiple of 4")])
def test_outside_the_window_the_bus_faults(file, written, offset, why):
    with pytest.raises(DeviceError, match=why):
        file.read(offset)
    with pytest.raises(DeviceError, match=why):
        file.write(offset, 0)
    assert written == []


@pytest.mark.parametrize("value", [-1, 1 << 32, 1.0, np.uint32(1), b"\0\0\0\1"])
def test_a_value_is_an_int_of_32_bits(file, written, value):
    with pytest.raises(ValueError, match="BATCH"):
        file.write(registers.offset("BATCH"), value)
    assert written == []


def test_the_device_keeps_32_bits(file):
    file.set("ERROR_ADDRESS", 0x1_0000_0004)
    assert file.get("ERROR_ADDRESS") == 4


def test_mmio_counts(file, written):
    mmio = Mmio(file)
    mmio.write(registers.offset("BATCH"), 2)
    assert mmio.read(registers.offset("MAGIC")) == registers.MAGIC
    assert mmio.read(registers.offset("VERSION")) == 0x20003
    assert (mmio.reads, mmio.writes, mmio.accesses) == (2, 1, 3)
    assert written == [("BATCH", 2)]
