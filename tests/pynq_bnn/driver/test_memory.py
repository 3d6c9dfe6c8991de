import numpy as np
import pytest

from host_ref import network as net
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver import packing
from pynq_bnn.driver.memory import READ_BACK_WORDS, SLOTS, DeviceMemory
from pynq_bnn.errors import MemoryExhausted

NAMES = ("parameters", "programs", "pictures", "sums", "scratch")
PARAMETERS, PROGRAM, PROGRAMS, BATCH = 48, 32, 7, 3


def words(count, seed=0):
    return np.random.default_rng(seed).integers(0, 1 << 64, count, np.uint64)


@pytest.fixture
def device():
    return ModelDevice(batch=BATCH, dram=Dram(8 << 20))


@pytest.fixture
def memory(device):
    return DeviceMemory(device, net.CIFAR10, PARAMETERS, PROGRAM, PROGRAMS, BATCH)


def test_every_buffer_starts_at_a_burst_and_none_overlap(device, memory):
    sizes = {"parameters": PARAMETERS, "programs": PROGRAMS * PROGRAM,
             "pictures": SLOTS * BATCH * 512, "sums": SLOTS * BATCH * 16,
             "scratch": max(READ_BACK_WORDS, BATCH * 2048)}
    used = []
    for name in NAMES:
        assert memory.address(name) % 128 == 0
        assert memory.address(name, 5) == memory.address(name) + 40
        used += [(memory.address(name), memory.address(name, sizes[name]))]
    used.sort()
    assert all(end <= start for (_, end), (start, _) in zip(used, used[1:]))
    assert used[0][0] >= device.dram.base


def test_the_scratch_holds_the_largest_output_of_the_largest_batch(device):
    # conv1's map has 256 rows of 8 words an image
    memory = DeviceMemory(device, net.CIFAR10, PARAMETERS, PROGRAM, PROGRAMS, 8)
    assert len(memory.read("scratch", 1 << 20)) == 8 * 256 * 8


def test_the_device_sees_what_is_written_and_the_cpu_what_is_read(device, memory):
    for name in NAMES:
        memory.write(name, words(16), 16)
        assert np.array_equal(device.dram.read_words(memory.address(name, 16), 16), words(16))
        device.dram.write_words(memory.address(name), words(16, 1))
        got = memory.read(name, 32)
        assert type(got) is np.ndarray
        assert np.array_equal(got, [*words(16, 1), *words(16)])
        device.dram.write_words(memory.address(name), words(16, 2))
        assert np.array_equal(got[:16], words(16, 1)), "a copy"


def test_each_program_has_its_place(device, memory):
    places = [memory.program_word(number) for number in range(PROGRAMS)]
    for number, word in enumerate(places):
        memory.write("programs", words(PROGRAM, number), word)
    for number, word in enumerate(places):
        address = memory.address("programs", word)
        assert address % 128 == 0
        assert np.array_equal(device.dram.read_words(address, PROGRAM), words(PROGRAM, number))


def test_the_slots_pictures_and_sums_lie_apart(device, memory, rng):
    pictures = rng.integers(0, 256, (SLOTS, BATCH, 32, 32, 3)).astype(np.uint8)
    for slot in range(SLOTS):
        memory.write_pictures(slot, pictures[slot])
        device.dram.write_words(memory.address("sums", memory.sums_word(slot)),
                                words(16 * BATCH, slot))
    for slot in range(SLOTS):
        address = memory.address("pictures", memory.pictures_word(slot))
        assert np.array_equal(device.dram.read_words(address, 512 * BATCH),
                              packing.pack_pictures(pictures[slot]))
        expected = words(16 * BATCH, slot).view("<i2").reshape(BATCH, -1)[:, :10]
        for count in (BATCH, 1):
            sums = memory.read_sums(slot, count)
            assert np.array_equal(sums, expected[:count])
            assert not np.shares_memory(sums, memory._buffers["sums"])


def test_a_dropped_memory_gives_everything_back(device):
    before = []
    memory = DeviceMemory(device, net.CIFAR10, PARAMETERS, PROGRAM, PROGRAMS, BATCH,
                          lambda: before.append(device.free_bytes()))
    memory.write_pictures(0, np.zeros((1, 32, 32, 3), np.uint8))
    held = device.free_bytes()
    del memory
    assert before == [held], "asked before anything was given back"
    assert device.free_bytes() == device.dram.size_bytes


def test_a_process_that_inherited_the_memory_leaves_it(device, monkeypatch):
    memory = DeviceMemory(device, net.CIFAR10, PARAMETERS, PROGRAM, PROGRAMS, BATCH, pytest.fail)
    held = device.free_bytes()
    monkeypatch.setattr("os.getpid", lambda: -1)
    memory.free()
    assert device.free_bytes() == held


def test_all_is_freed(device, memory):
    assert device.free_bytes() < device.dram.size_bytes
    memory.free()
    memory.free()
    assert device.free_bytes() == device.dram.size_bytes


@pytest.mark.parametrize("pages", [1, 2, 5, 20])
def test_if_not_all_fit_none_stays(pages):
    device = ModelDevice(batch=BATCH, dram=Dram(4096 * pages))
    with pytest.raises(MemoryExhausted, match="asked for"):
        DeviceMemory(device, net.CIFAR10, PARAMETERS, PROGRAM, PROGRAMS, BATCH)
    assert device.free_bytes() == device.dram.size_bytes
