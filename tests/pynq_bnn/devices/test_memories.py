import numpy as np
import pytest

from pynq_bnn.devices.memories import Memories
from pynq_bnn.devices.stages import Limits
from pynq_bnn.registers import FMAP_A, FMAP_B, INPUT, SUMS


@pytest.fixture
def memories():
    return Memories(Limits(side=32, classes=64, channels=512, inputs=8192, batch=3,
                           fmap_bits=1024))


def words(*values):
    return np.array(values, "<u8")


def test_pictures_stand_end_to_end(memories):
    memories.write_input(np.arange(3 * 512, dtype="<u8"))
    assert memories.read_input(2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    memories.write_input(words(9))
    assert memories.read_input(3, 1).tolist() == [[9], [1], [2]]
    assert memories.read_input(3, 512)[2, 511] == 3 * 512 - 1


@pytest.mark.parametrize("buffer", [FMAP_A, FMAP_B, SUMS])
def test_each_image_has_its_slot(memories, buffer):
    memories.write(buffer, words(1, 2, 3, 4).reshape(2, 2))
    memories.write(buffer, words(5, 6).reshape(2, 1))
    assert memories.read(buffer, 3, 16).tolist() == [[5, 2] + [0] * 14, [6, 4] + [0] * 14, [0] * 16]


def test_buffers_are_separate(memories):
    for buffer in (FMAP_A, FMAP_B, SUMS):
        memories.write(buffer, words(buffer).reshape(1, 1))
    assert [int(memories.read(buffer, 1, 1)[0, 0]) for buffer in (FMAP_A, FMAP_B, SUMS)] == [
        FMAP_A, FMAP_B, SUMS]


def test_parameters_are_taken_in_order(memories):
    assert memories.parameter_words == 0
    memories.append_parameters(words(1, 2))
    memories.append_parameters(words(3))
    assert memories.take_parameters(2).tolist() == [1, 2]
    assert memories.take_parameters(2) is None
    assert memories.parameter_words == 1
    assert memories.take_parameters(1).tolist() == [3]
    memories.append_parameters(words(4))
    memories.clear_parameters()
    assert memories.take_parameters(1) is None


def test_a_stuck_bit_shows_whenever_its_buffer_is_written(memories):
    memories.write(FMAP_A, words(0, 7, 0, 7).reshape(2, 2))
    memories.stick(FMAP_A, 1, 1, 0, 0)
    memories.stick(FMAP_A, 0, 0, 63, 1)
    assert memories.read(FMAP_A, 2, 2).tolist() == [[0, 7], [0, 7]]
    for _ in range(2):
        memories.write(FMAP_A, words(0, 7, 0, 7).reshape(2, 2))
        memories.write(FMAP_B, words(0, 7, 0, 7).reshape(2, 2))
        assert memories.read(FMAP_A, 2, 2).tolist() == [[1 << 63, 7], [0, 6]]
        assert memories.read(FMAP_B, 2, 2).tolist() == [[0, 7], [0, 7]]
    memories.unstick()
    memories.write(FMAP_A, words(0, 7, 0, 7).reshape(2, 2))
    assert memories.read(FMAP_A, 2, 2).tolist() == [[0, 7], [0, 7]]


@pytest.mark.parametrize("place", [(INPUT, 0, 0, 0, 0), (SUMS, 0, 0, 0, 0), (FMAP_A, 3, 0, 0, 0),
                                   (FMAP_A, 0, 16, 0, 0), (FMAP_A, 0, 0, 64, 0),
                                   (FMAP_A, 0, 0, 0, 2)])
def test_a_bit_that_is_not_there_cannot_stick(memories, place):
    with pytest.raises(ValueError, match=r"no feature-map buffer|no bit"):
        memories.stick(*place)
