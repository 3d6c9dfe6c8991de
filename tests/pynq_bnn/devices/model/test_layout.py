import numpy as np
import pytest

from pynq_bnn.devices.model.layout import map_rows, owned, pixel_bytes, ungrouped, untwined


@pytest.mark.parametrize("channels, bits", [
    (64, 128), (128, 128), (192, 256), (256, 256), (320, 512), (512, 512), (576, 1024),
    (1024, 1024), (1088, 1536), (8192, 8192)])
def test_the_stored_width_of_a_pixel(channels, bits):
    assert 8 * pixel_bytes(channels) == bits


@pytest.mark.parametrize("pixels, channels, rows", [
    (1, 64, 1), (4, 64, 1), (5, 64, 2), (1024, 128, 256), (3, 192, 2), (400, 320, 400), (4, 512, 4),
    (1, 576, 2), (1, 8192, 16)])
def test_an_image_takes_whole_rows(pixels, channels, rows):
    assert map_rows(pixels, channels) == rows


@pytest.mark.parametrize("pixels, channels", [(3, 64), (4, 128), (3, 192), (2, 320), (1, 576)])
def test_what_channels_own(loops, pixels, channels):
    rng = np.random.default_rng(pixels)
    fmap = [[rng.choice([1, -1], channels).tolist() for _ in range(pixels)]]
    for unowned in (0, 1):
        stored = np.array(loops.fmap(fmap, unowned), "<u8").view(np.uint8)
        assert len(stored) == 64 * map_rows(pixels, channels)
        mine = owned(np.stack([stored, ~stored]), pixels, channels)
        assert mine.shape == (2, pixels, channels // 8)
        bits = np.unpackbits(mine, axis=-1, bitorder="little")
        assert (1 - 2 * bits[0].astype(int)).tolist() == fmap[0]
        assert np.array_equal(bits[1], 1 - bits[0])


@pytest.mark.parametrize("channels", (64, 192, 512))
def test_weights_of_a_group_are_put_in_order(loops, channels):
    rng = np.random.default_rng(channels)
    weights = rng.choice([1, -1], (64, 3, 3, channels))
    stored = np.array(loops.parameters(weights.tolist()), "<u8").view(np.uint8)
    outputs = ungrouped(stored, channels)
    mine = np.unpackbits(owned(outputs, 9, channels), axis=-1, bitorder="little")
    assert np.array_equal(1 - 2 * mine.astype(int), weights.reshape(64, 9, channels))


@pytest.mark.parametrize("outputs, pixels, channels", [(2, 1, 64), (5, 3, 192), (4, 1, 1024)])
def test_rows_of_two_outputs_are_put_in_order(loops, outputs, pixels, channels):
    rng = np.random.default_rng(outputs)
    weights = rng.choice([1, -1], (outputs, pixels * channels))
    stored = np.array(loops.parameters(weights.tolist(), channels=channels), "<u8").view(np.uint8)
    rows = map_rows(pixels, channels)
    stored = stored[:(outputs + 1) // 2 * 2 * rows * 64]
    mine = owned(untwined(stored, rows, outputs), pixels, channels)
    bits = np.unpackbits(mine.reshape(outputs, -1), axis=-1, bitorder="little")
    assert np.array_equal(1 - 2 * bits.astype(int), weights)
