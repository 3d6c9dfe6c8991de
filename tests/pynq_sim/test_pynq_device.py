import json

import numpy as np
import pytest

from overlays.boards import find
from pynq_bnn import registers
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver import program
from pynq_bnn.driver.capabilities import identify
from pynq_bnn.driver.control import Control
from pynq_bnn.errors import DeviceError, MemoryExhausted

pynq = pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")
pytestmark = pytest.mark.pynq

WORDS = 64


@pytest.fixture
def load(make_zynq, make_bitstream):
    """A board with our overlay loaded, its driver and its device."""
    from pynq_bnn.devices.board.overlay import BnnOverlay

    def load(**model):
        zynq = make_zynq("Pynq-Z1", **model)
        driver = BnnOverlay(make_bitstream()).bnn
        return zynq, driver, driver.as_device()

    return load


def random_words():
    return np.random.default_rng(1).integers(0, 2**64, WORDS, np.uint64)


def there_and_back(device):
    """Words to DRAM, through the accelerator's parameter stream, and back to DRAM."""
    source, target = device.allocate(WORDS, "<u8"), device.allocate((2, WORDS), "<u8")
    source[:] = random_words()
    target[:] = 0
    source.flush()
    target.flush()
    steps = [*program.load_parameters(source.device_address, WORDS),
             *program.store(registers.PARAMS, target[1].device_address, WORDS)]
    return source, target, steps


def test_the_driver_knows_the_device(load):
    zynq, _, device = load(batch=5)
    assert identify(device.mmio).batch == 5
    assert device.name == "board"


def test_stages_written_by_hand_move_words(load):
    _, _, device = load()
    _, target, steps = there_and_back(device)
    Control(device.mmio, timeout_s=5).run_stage(steps)
    assert not target.any()
    target.invalidate()
    assert np.array_equal(target, [np.zeros(WORDS), random_words()])


def test_a_program_in_memory_moves_words(load):
    zynq, _, device = load()
    _, target, steps = there_and_back(device)
    words = program.encode(steps)
    code = device.allocate(len(words), "<u8")
    code[:] = words
    code.flush()
    before = zynq.model.mmio.accesses
    control = Control(device.mmio, timeout_s=5)
    control.start_program(code.device_address, len(steps))
    control.wait(steps)
    assert zynq.model.mmio.accesses - before <= 5
    target.invalidate()
    assert np.array_equal(target[1], random_words())


def test_what_was_not_flushed_the_device_does_not_see(load):
    _, _, device = load()
    source, target, steps = there_and_back(device)
    source[:] = 7
    Control(device.mmio, timeout_s=5).run_stage(steps)
    target.invalidate()
    assert np.array_equal(target[1], random_words())


def test_an_error_of_the_accelerator_comes_through(load):
    zynq, _, device = load()
    source, _, steps = there_and_back(device)
    zynq.model.dram.fail(source.device_address + 16)
    with pytest.raises(DeviceError, match="READ.*in LOAD"):
        Control(device.mmio, timeout_s=5).run_stage(steps)


def test_registers_and_fields_by_name(load):
    zynq, driver, device = load()
    names = driver.register_map
    assert int(names.MAGIC) == registers.MAGIC
    assert names.VERSION.MAJOR == registers.VERSION_MAJOR
    assert (names.STATUS.BUSY, names.STATUS.DONE) == (0, 0)
    zynq.model.hang()
    names.STAGE = registers.STORE
    assert names.STATUS.BUSY == 1
    names.CONTROL.RESET = 1
    assert (names.STATUS.BUSY, int(names.STAGE)) == (0, 0)
    names.SHAPE.WIDTH = 8
    assert device.mmio.read(registers.offset("SHAPE")) == registers.encode("SHAPE", WIDTH=8)
    names.STAGE.KIND = 9
    assert (names.STATUS.ERROR, names.ERROR.CODE) == (1, registers.ERROR_STAGE)


def test_every_word_of_the_window_has_its_name(load):
    zynq, driver, _ = load()
    for offset, register, index in registers.words():
        name = register.name if register.count == 1 else f"{register.name}_{index}"
        entry = getattr(driver.register_map, name)
        assert (entry.address, entry.width, entry.access) == (offset, 32, register.access)
        for field in register.fields:
            if register.access != registers.WRITE_ONLY:
                zynq.model.registers.set(register.name, field.mask, index)
                assert getattr(entry, field.name) == (1 << field.width) - 1
    assert "LOG_WAIT_31" in repr(driver.register_map)


def test_descriptions_reach_the_notebook(load):
    _, driver, _ = load()
    assert "what the accelerator is doing" in type(driver.register_map).STATUS.__doc__
    assert "a program is running" in type(driver.register_map.STATUS).BUSY.__doc__


def test_memory_that_runs_out(load, monkeypatch, tmp_path):
    zynq, _, device = load(dram=Dram(1 << 20))
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemFree: 1 kB\nCmaTotal: 131072 kB\nCmaFree:  1024 kB\n")
    monkeypatch.setattr("pynq_bnn.devices.board.device.MEMINFO", meminfo)
    with pytest.raises(MemoryExhausted, match="2097152 bytes.*asked for, 1048576 bytes free"):
        device.allocate((2, 1024, 1024), np.uint8)
    device.allocate((1024, 512), np.uint8).freebuffer()
    assert zynq.model.dram.free_bytes == 1 << 20


def test_description(load):
    zynq, _, device = load()
    facts = json.loads(json.dumps(device.describe()))
    assert facts["board"] == "Pynq-Z1"
    assert facts["part"] == "xc7z020clg400-1"
    assert facts["bitstream"] == zynq.downloads[0]
    assert facts["clock_mhz"] == pytest.approx(find("Pynq-Z1").fclk0_mhz)
    assert facts["pynq"] == pynq.__version__
