import numpy as np
import pytest

from pynq_bnn.devices.dram import PAGE_BYTES, AxiFault, Dram
from pynq_bnn.errors import MemoryExhausted

BASE = 0x10000000


@pytest.fixture
def dram():
    return Dram(8 * PAGE_BYTES, BASE)


def test_blocks_are_whole_pages_and_first_fit(dram):
    first, second = dram.allocate(1), dram.allocate(PAGE_BYTES + 1)
    assert (first, second) == (BASE, BASE + PAGE_BYTES)
    assert dram.free_bytes == 5 * PAGE_BYTES
    dram.free(first)
    assert dram.allocate(2 * PAGE_BYTES) == BASE + 3 * PAGE_BYTES
    assert dram.allocate(PAGE_BYTES) == BASE


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_freed_neighbours_merge(dram, order):
    blocks = [dram.allocate(2 * PAGE_BYTES) for _ in range(3)]
    for index in order:
        dram.free(blocks[index])
    assert dram.free_bytes == dram.largest_free_block == 8 * PAGE_BYTES
    assert dram.allocate(8 * PAGE_BYTES) == BASE
    assert dram.largest_free_block == 0


def test_exhausted_memory_says_what_is_free_and_stays_usable(dram):
    kept = [dram.allocate(PAGE_BYTES) for _ in range(8)]
    for address in kept[::2]:
        dram.free(address)
    with pytest.raises(MemoryExhausted, match=f"{PAGE_BYTES + 1} bytes .* asked.* "
                       f"{4 * PAGE_BYTES} of {8 * PAGE_BYTES} free.* block has {PAGE_BYTES}"):
        dram.allocate(PAGE_BYTES + 1)
    assert dram.allocate(PAGE_BYTES) == kept[0]


def test_what_is_not_allocated_cannot_be_freed(dram):
    address = dram.allocate(100)
    dram.free(address)
    for wrong in (address, BASE + 8):
        with pytest.raises(ValueError, match="nothing is allocated"):
            dram.free(wrong)
    with pytest.raises(ValueError, match="can't be allocated"):
        dram.allocate(0)


def test_words_are_little_endian_and_counted(dram):
    dram.write_words(BASE + 16, np.array([0x0102030405060708, 9], "<u8"))
    assert bytes(dram.memory[16:24]) == bytes([8, 7, 6, 5, 4, 3, 2, 1])
    assert dram.read_words(BASE + 8, 3).tolist() == [0, 0x0102030405060708, 9]
    assert (dram.bytes_written, dram.bytes_read) == (16, 24)


def test_a_read_is_a_copy(dram):
    words = dram.read_words(BASE, 1)
    dram.write_words(BASE, np.array([5], "<u8"))
    assert words[0] == 0


@pytest.mark.parametrize("address, count, at", [
    (BASE - 8, 1, BASE - 8), (BASE - 8, 9, BASE - 8), (0, 1, 0),
    (BASE + 8 * PAGE_BYTES, 1, BASE + 8 * PAGE_BYTES),
    (BASE + 8 * PAGE_BYTES - 8, 2, BASE + 8 * PAGE_BYTES),
    (BASE, 1 << 29, BASE + 8 * PAGE_BYTES)])
def test_outside_the_memory_is_a_decode_error(dram, address, count, at):
    with pytest.raises(AxiFault) as read:
        dram.read_words(address, count)
    assert (read.value.address, read.value.response) == (at, "DECERR")


def test_a_write_over_the_end_writes_what_is_inside(dram):
    end = BASE + 8 * PAGE_BYTES
    with pytest.raises(AxiFault) as write:
        dram.write_words(end - 8, np.array([1, 2], "<u8"))
    assert write.value.address == end
    assert dram.read_words(end - 8, 1)[0] == 1
    assert dram.bytes_written == 8


def test_injected_faults_hit_their_words_and_direction_alone(dram):
    dram.fail(BASE + 64, count=2, on="read", response="DECERR")
    dram.fail(BASE + 256, on="write")
    for start, count, at in ((BASE, 16, 64), (BASE + 72, 1, 72)):
        with pytest.raises(AxiFault) as fault:
            dram.read_words(start, count)
        assert (fault.value.address, fault.value.response) == (BASE + at, "DECERR")
    assert len(dram.read_words(BASE, 8)) == 8
    assert len(dram.read_words(BASE + 80, 100)) == 100
    with pytest.raises(AxiFault) as fault:
        dram.write_words(BASE + 240, np.ones(4, "<u8"))
    assert (fault.value.address, fault.value.response) == (BASE + 256, "SLVERR")
    assert dram.read_words(BASE + 240, 4).tolist() == [1, 1, 0, 0]
    dram.clear_faults()
    assert len(dram.read_words(BASE, 16)) == 16


def test_the_first_of_several_faults_counts(dram):
    dram.fail(BASE + 128)
    dram.fail(BASE + 32)
    with pytest.raises(AxiFault) as fault:
        dram.read_words(BASE, 1 << 20)
    assert fault.value.address == BASE + 32


def test_faults_are_checked_when_they_are_injected(dram):
    with pytest.raises(ValueError, match="'read' or 'write'"):
        dram.fail(BASE, on="fetch")
    with pytest.raises(ValueError, match="SLVERR"):
        dram.fail(BASE, response="OKAY")
    with pytest.raises(ValueError, match="no bit 64"):
        dram.flip_bit(BASE, 64)
    with pytest.raises(ValueError, match="no bit 0"):
        dram.flip_bit(BASE - 8, 0)


def test_a_flipped_bit(dram):
    dram.flip_bit(BASE + 8, 63)
    assert dram.read_words(BASE, 3).tolist() == [0, 1 << 63, 0]
    dram.flip_bit(BASE + 8, 63)
    assert dram.read_words(BASE + 8, 1)[0] == 0


def test_only_whole_pages_and_words():
    with pytest.raises(ValueError, match="not whole pages"):
        Dram(1000)
    with pytest.raises(ValueError, match="no multiple of 8"):
        Dram(PAGE_BYTES, BASE).read_words(BASE + 4, 1)
