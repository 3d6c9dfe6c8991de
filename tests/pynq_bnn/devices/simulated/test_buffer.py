import numpy as np
import pytest

from pynq_bnn.devices.simulated.buffer import Buffer
from pynq_bnn.devices.simulated.dram import PAGE_BYTES, Dram
from pynq_bnn.errors import ClosedError, MemoryExhausted


@pytest.fixture
def dram():
    return Dram(8 * PAGE_BYTES)


def in_dram(dram, address, count, dtype):
    start = address - dram.base
    return dram.memory[start:start + count * np.dtype(dtype).itemsize].view(dtype).tolist()


@pytest.mark.parametrize("shape, dtype", [(5, "u1"), ((2, 3), np.uint32), ((2, 1, 4), "<u8"),
                                          (np.int64(3), np.int16), ((), np.float32)])
def test_an_array_of_the_shape_and_dtype_asked_for(dram, shape, dtype):
    buffer = Buffer(dram, shape, dtype)
    assert buffer.shape == np.zeros(shape).shape
    assert buffer.dtype == np.dtype(dtype)
    assert buffer.device_address % PAGE_BYTES == 0
    assert not buffer.any()


def test_the_device_sees_what_was_flushed_and_no_more(dram):
    buffer = Buffer(dram, 4, "<u4")
    buffer[:] = [1, 2, 3, 4]
    assert in_dram(dram, buffer.device_address, 4, "<u4") == [0, 0, 0, 0]
    buffer.flush()
    assert in_dram(dram, buffer.device_address, 4, "<u4") == [1, 2, 3, 4]


def test_the_cpu_sees_what_it_invalidated_and_no_more(dram):
    buffer = Buffer(dram, (2, 8), "<u8")
    dram.write_words(buffer.device_address, np.arange(16, dtype="<u8"))
    assert not buffer.any()
    buffer.invalidate()
    assert buffer.tolist() == [list(range(8)), list(range(8, 16))]


def test_a_slice_flushes_its_own_bytes(dram):
    buffer = Buffer(dram, (3, 4), "<u2")
    buffer[:] = 7
    row = buffer[1]
    assert row.device_address == buffer.device_address + 8
    row.flush()
    assert in_dram(dram, buffer.device_address, 12, "<u2") == [0] * 4 + [7] * 4 + [0] * 4
    with pytest.raises(ValueError, match="gaps"):
        buffer[:, 1].flush()


def test_a_copy_has_no_device_memory(dram):
    buffer = Buffer(dram, 4, "<u4")
    for copy in (buffer + 1, buffer.copy()):
        assert not hasattr(copy, "device_address")
        with pytest.raises(AttributeError, match="copy"):
            copy.flush()


def test_freed_memory_is_used_again_and_keeps_its_contents(dram):
    first = Buffer(dram, 2, "<u8")
    first[:] = 5
    first.flush()
    address = first.device_address
    first.freebuffer()
    first.freebuffer()
    second = Buffer(dram, 2, "<u8")
    assert second.device_address == address
    second.invalidate()
    assert second.tolist() == [5, 5]


def test_a_freed_buffer_touches_no_memory(dram):
    buffer = Buffer(dram, 2, "<u8")
    part = buffer[1:]
    buffer.freebuffer()
    for freed in (buffer, part):
        with pytest.raises(ClosedError, match="freed"):
            freed.flush()
        with pytest.raises(ClosedError, match="freed"):
            freed.invalidate()


def test_exhausted_memory_allocates_nothing(dram):
    with pytest.raises(MemoryExhausted, match=str(1 << 40)):
        Buffer(dram, 1 << 40, np.uint8)
    assert dram.free_bytes == 8 * PAGE_BYTES
