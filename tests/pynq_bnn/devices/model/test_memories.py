import numpy as np
import pytest

from pynq_bnn.devices.model.memories import Memories
from pynq_bnn.devices.model.stages import Limits
from pynq_bnn.registers import FMAP_A, FMAP_B, INPUT, SUMS


@pytest.fixture
def memories():
    return Memories(Limits(side=32, classes=64, channels=512, inputs=8192, batch=3, fmap_rows=12))


def words(*values):
    return np.array(values, "<u8")


def maps(images, pixels, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (images, pixels, channels // 8), np.uint8)


def test_pictures_stand_end_to_end(memories):
    memories.write_input(np.arange(3 * 512, dtype="<u8"))
    assert memories.read_input(2, 3).view("<u8").tolist() == [[0, 1, 2], [3, 4, 5]]
    memories.write_input(words(9))
    assert memories.read_input(3, 1).view("<u8").tolist() == [[9], [1], [2]]
    assert memories.read_input(3, 512).view("<u8")[2, 511] == 3 * 512 - 1


@pytest.mark.parametrize("images, pixels, channels", [
    (1, 1, 64), (3, 5, 64), (3, 16, 128), (2, 7, 192), (1, 12, 320), (2, 1, 1536)])
def test_maps_come_back(memories, images, pixels, channels):
    written = maps(images, pixels, channels)
    memories.write_maps(FMAP_A, written)
    assert np.array_equal(memories.read_maps(FMAP_A, images, pixels, channels), written)


def test_each_image_starts_at_a_row(memories, loops):
    written = maps(3, 5, 64)
    memories.write_maps(FMAP_B, written)
    stored = memories.read_words(FMAP_B, 3 * 16).tolist()
    for image in range(3):
        # five pixels of 128 bits are two rows
        fmap = loops.read_fmap(stored[16 * image:], 1, 5, 64)[0]
        bits = np.unpackbits(written[image], axis=-1, bitorder="little").astype(int)
        assert fmap == (1 - 2 * bits).tolist()


def test_each_image_has_a_burst_of_sums(memories):
    sums = np.array([[-3, 5, 8192], [7, -8192, 0]], np.int16)
    memories.write_sums(sums)
    stored = memories.read_words(SUMS, 2 * 16).view("<i2").reshape(2, 64)
    assert np.array_equal(stored[:, :3], sums)


def test_buffers_are_separate(memories):
    for buffer in (FMAP_A, FMAP_B):
        memories.write_maps(buffer, maps(3, 16, 128, buffer))
    for buffer in (FMAP_A, FMAP_B):
        assert np.array_equal(memories.read_maps(buffer, 3, 16, 128), maps(3, 16, 128, buffer))


@pytest.mark.parametrize("buffer, count", [(FMAP_A, 96), (FMAP_B, 96), (SUMS, 48)])
def test_what_was_never_written_is_random(memories, buffer, count):
    for _ in range(2):
        before = memories.read_words(buffer, count).copy()
        assert len(set(before.tolist())) == count
        memories.reset()
        assert not (memories.read_words(buffer, count) == before).any(), "a reset keeps nothing"
    assert len(set(memories.read_input(3, 512).view("<u8").reshape(-1).tolist())) == 3 * 512


def test_what_no_channel_owns_is_random_after_each_write(memories):
    seen = []
    for _ in range(2):
        memories.write_maps(FMAP_A, np.zeros((2, 5, 8), np.uint8))
        memories.write_sums(np.zeros((2, 4), np.int16))
        stored = memories.read_words(FMAP_A, 32).copy()
        # of the two words of a pixel the first is owned, and 3 pixels of each image aren't there
        own = [word for image in (0, 16) for word in range(image, image + 10, 2)]
        assert not stored[own].any()
        seen += np.delete(stored, own).tolist()
        sums = memories.read_words(SUMS, 32).copy()
        assert not sums[[0, 16]].any()
        seen += np.delete(sums, [0, 16]).tolist()
    assert len(set(seen)) == len(seen)
    assert 0 not in seen


def test_parameters_are_taken_in_order(memories):
    assert memories.parameter_words == 0
    memories.append_parameters(words(1, 2))
    memories.append_parameters(words(3))
    assert memories.take_parameters(2).tolist() == [1, 2]
    assert memories.take_parameters(2) is None
    assert memories.parameter_words == 1
    assert memories.take_parameters(1).tolist() == [3]
    memories.append_parameters(words(4))
    memories.reset()
    assert memories.take_parameters(1) is None


def test_a_stuck_bit_shows_whenever_its_buffer_is_written(memories):
    zeros, ones = np.zeros((3, 4, 16), np.uint8), np.full((3, 4, 16), 255, np.uint8)

    def differing(written, buffer):
        memories.write_maps(buffer, written)
        return np.argwhere(memories.read_maps(buffer, 3, 4, 128) != written).tolist()

    memories.stick(FMAP_A, 0, 3 * 128 + 9, 1)  # pixel 3 of image 0, byte 1
    memories.stick(FMAP_A, 2, 511, 0)
    for _ in range(2):
        assert differing(zeros, FMAP_A) == [[0, 3, 1]]
        assert memories.read_maps(FMAP_A, 3, 4, 128)[0, 3, 1] == 2
        assert differing(ones, FMAP_A) == [[2, 3, 15]]
        assert memories.read_maps(FMAP_A, 3, 4, 128)[2, 3, 15] == 127
        assert differing(zeros, FMAP_B) == differing(ones, FMAP_B) == []
    memories.unstick()
    assert differing(zeros, FMAP_A) == differing(ones, FMAP_A) == []


@pytest.mark.parametrize("place", [(INPUT, 0, 0, 0), (SUMS, 0, 0, 0), (FMAP_A, 12, 0, 0),
                                   (FMAP_A, 0, 512, 0), (FMAP_A, 0, 0, 2), (FMAP_A, -1, 0, 0)])
def test_a_bit_that_is_not_there_cannot_stick(memories, place):
    with pytest.raises(ValueError, match=r"not a feature-map buffer|no bit"):
        memories.stick(*place)
