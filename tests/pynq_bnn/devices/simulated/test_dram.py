import numpy as np
import pytest

from pynq_bnn.devices.simulated.dram import PAGE_BYTES, AxiFault, Dram
from pynq_bnn.errors import MemoryExhausted

BASE = 0x10000000


@pytest.fixture
def dram():
    return Dram(8 * PAGE_BYTES, BASE)


def burst(*words):
    return np.array([*words] + [0] * (16 - len(words)), "<u8")


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
    dram.write_words(BASE + 128, burst(0x0102030405060708, 9))
    assert bytes(dram.memory[128:136]) == bytes([8, 7, 6, 5, 4, 3, 2, 1])
    assert dram.read_words(BASE, 32).tolist() == [0] * 16 + [0x0102030405060708, 9] + [0] * 14
    assert (dram.bytes_written, dram.bytes_read) == (128, 256)


def test_a_read_is_a_copy(dram):
    words = dram.read_words(BASE, 16)
    dram.write_words(BASE, burst(5))
    assert words[0] == 0


@pytest.mark.parametrize("address, count, at", [
    (BASE - 128, 16, BASE - 128), (BASE - 128, 160, BASE - 128), (0, 16, 0),
    (BASE + 8 * PAGE_BYTES, 16, BASE + 8 * PAGE_BYTES),
    (BASE + 8 * PAGE_BYTES - 128, 32, BASE + 8 * PAGE_BYTES),
    (BASE, 1 << 29, BASE + 8 * PAGE_BYTES)])
def test_outside_the_memory_is_a_decode_error(dram, address, count, at):
    with pytest.raises(AxiFault) as read:
        dram.read_words(address, count)
    assert (read.value.address, read.value.response) == (at, "DECERR")


def test_a_write_over_the_end_writes_what_is_inside(dram):
    end = BASE + 8 * PAGE_BYTES
    with pytest.raises(AxiFault) as write:
        dram.write_words(end - 128, np.arange(1, 33, dtype="<u8"))
    assert write.value.address == end
    assert dram.read_words(end - 128, 16)[15] == 16
    assert dram.bytes_written == 128


def test_injected_faults_hit_their_bursts_and_direction_alone(dram):
    dram.fail(BASE + 256 - 8, count=2, on="read", response="DECERR")  # in two bursts
    dram.fail(BASE + 512 + 120, on="write")
    for start, count, at in ((BASE, 64, 128), (BASE + 128, 16, 128), (BASE + 256, 16, 256)):
        with pytest.raises(AxiFault) as fault:
            dram.read_words(start, count)
        assert (fault.value.address, fault.value.response) == (BASE + at, "DECERR")
    assert len(dram.read_words(BASE, 16)) == 16
    assert len(dram.read_words(BASE + 384, 160)) == 160
    with pytest.raises(AxiFault) as fault:
        dram.write_words(BASE + 384, np.ones(48, "<u8"))
    assert (fault.value.address, fault.value.response) == (BASE + 512, "SLVERR")
    assert dram.read_words(BASE + 384, 48).tolist() == [1] * 16 + [0] * 32
    dram.clear_faults()
    assert len(dram.read_words(BASE, 64)) == 64


def test_the_first_of_several_faults_counts(dram):
    dram.fail(BASE + 512)
    dram.fail(BASE + 128)
    with pytest.raises(AxiFault) as fault:
        dram.read_words(BASE, 1 << 20)
    assert fault.value.address == BASE + 128


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
    assert dram.read_words(BASE, 16).tolist() == [0, 1 << 63] + [0] * 14
    dram.flip_bit(BASE + 8, 63)
    assert not dram.read_words(BASE, 16).any()


def test_only_whole_pages_and_bursts(dram):
    with pytest.raises(ValueError, match="not whole pages"):
        Dram(1000)
    for address, count in ((BASE + 64, 16), (BASE + 4, 16), (BASE, 8), (BASE, 17)):
        with pytest.raises(ValueError, match="not whole bursts"):
            dram.read_words(address, count)
        with pytest.raises(ValueError, match="not whole bursts"):
            dram.write_words(address, np.zeros(count, "<u8"))
