import random

import numpy as np
import pytest

from pynq_bnn.devices.model.datapath import compute
from pynq_bnn.devices.model.stages import Stage
from pynq_bnn.registers import (
    BIN_CONV,
    BIN_FC,
    FP_CONV,
    LAST,
    PAD_NONE,
    PAD_ONE,
    PAD_ZERO,
)


def signs(rng, *shape):
    """Nested lists of +1 and -1."""
    if not shape:
        return rng.choice([1, -1])
    return [signs(rng, *shape[1:]) for _ in range(shape[0])]


def thresholds(rng, outputs, reach):
    """Thresholds within reach, the constants among them, and flips of both kinds."""
    t = [rng.randint(-reach, reach) for _ in range(outputs)]
    t[:4] = [-32768, -32768, 32767, 32767]
    return t, [o % 2 for o in range(outputs)]


def run(stage, sources, parameters):
    """What the stage gives, image by image, from words of pictures or bytes of maps."""
    assert len(parameters) == stage.parameter_words
    if stage.kind == FP_CONV:
        source = np.array(sources, "<u8").view(np.uint8)
        assert source.shape == (stage.batch, 8 * stage.picture_words)
    else:
        source = np.array(sources, np.uint8)
        assert source.shape == (stage.batch, stage.pixels, stage.channels // 8)
    return compute(stage, source, np.array(parameters, "<u8")).tolist()


@pytest.mark.parametrize("height, width, padding, pool, batch", [
    (1, 1, PAD_ZERO, False, 1), (3, 3, PAD_NONE, False, 2), (5, 3, PAD_ZERO, False, 3),
    (4, 6, PAD_NONE, True, 2), (2, 4, PAD_ZERO, True, 1), (3, 7, PAD_NONE, False, 1)])
def test_fp_conv(loops, height, width, padding, pool, batch):
    rng = random.Random(height * width)
    pictures = [[[[rng.randint(0, 255) for _ in range(3)] for _ in range(width)]
                 for _ in range(height)] for _ in range(batch)]
    pictures[0][0][0] = [0, 255, 255]
    weights = signs(rng, 64, 3, 3, 3)
    t, flips = thresholds(rng, 64, 1500)
    stage = Stage(FP_CONV, height=height, width=width, channels=3, outputs=64, padding=padding,
                  pool=pool, batch=batch)
    result = run(stage, [loops.picture(picture) for picture in pictures],
                 loops.parameters(weights, t, flips))
    for output, picture in zip(result, pictures):
        values = [[[2 * p - 255 for p in pixel] for pixel in row] for row in picture]
        sums = loops.conv_sums(values, weights, padding)
        assert output == loops.channel_bytes(loops.threshold(sums, t, flips, pool))


@pytest.mark.parametrize("height, width, channels, outputs, padding, pool, batch", [
    (1, 1, 64, 64, PAD_ZERO, False, 2), (1, 1, 64, 64, PAD_ONE, False, 1),
    (3, 3, 128, 64, PAD_NONE, False, 1), (2, 3, 64, 192, PAD_ZERO, False, 1),
    (3, 2, 64, 64, PAD_ONE, False, 3), (2, 2, 128, 128, PAD_ONE, True, 2),
    (4, 2, 64, 64, PAD_ZERO, True, 1), (4, 6, 64, 64, PAD_NONE, True, 2),
    (1, 5, 64, 64, PAD_ZERO, False, 1), (2, 2, 192, 64, PAD_ZERO, False, 1),
    (1, 2, 320, 64, PAD_ONE, False, 1)])
def test_bin_conv(loops, height, width, channels, outputs, padding, pool, batch):
    rng = random.Random(height * width + padding)
    maps = signs(rng, batch, height, width, channels)
    weights = signs(rng, outputs, 3, 3, channels)
    t, flips = thresholds(rng, outputs, 30)
    stage = Stage(BIN_CONV, height=height, width=width, channels=channels, outputs=outputs,
                  padding=padding, pool=pool, batch=batch)
    result = run(stage, [loops.channel_bytes(fmap) for fmap in maps],
                 loops.parameters(weights, t, flips))
    for output, fmap in zip(result, maps):
        sums = loops.conv_sums(fmap, weights, padding)
        assert output == loops.channel_bytes(loops.threshold(sums, t, flips, pool))


def test_the_kernel_is_not_flipped_and_rows_come_before_columns(loops):
    # one tap of -1, right of the centre, on a map with one -1: the sums fall or rise by 2 there
    weights = [[[[1] * 64 for _ in range(3)] for _ in range(3)] for _ in range(64)]
    weights[5][1][2][7] = -1
    fmap = [[[1] * 64 for _ in range(4)] for _ in range(3)]
    fmap[1][2][7] = -1
    stage = Stage(BIN_CONV, height=3, width=4, channels=64, outputs=64, padding=PAD_ONE)
    # every sum of output 5 that has the -1 under a +1 is 572, under the -1 576, elsewhere 574
    output = run(stage, [loops.channel_bytes(fmap)],
                 loops.parameters(weights, [575] * 64, [0] * 64))[0]
    high = [place for place, pixel in enumerate(output) if not pixel[0] >> 5 & 1]
    assert high == [1 * 4 + 1]


@pytest.mark.parametrize("s_above_t, flip, bit", [(0, 0, 0), (-2, 0, 1), (0, 1, 1), (-2, 1, 0)])
def test_a_sum_that_equals_its_threshold_is_plus_one(loops, s_above_t, flip, bit):
    weights, fmap = [[1] * 64 for _ in range(64)], [[[1] * 64]]
    parameters = loops.parameters(weights, [64 - s_above_t] * 64, [flip] * 64)
    stage = Stage(BIN_FC, height=1, width=1, channels=64, outputs=64)
    assert run(stage, [loops.channel_bytes(fmap)], parameters) == [[[bit * 255] * 8]]


@pytest.mark.parametrize("height, width, channels, outputs, batch", [
    (1, 1, 64, 64, 1), (1, 1, 192, 128, 3), (1, 1, 1024, 64, 2), (1, 1, 576, 64, 1),
    (2, 3, 64, 64, 2), (3, 1, 192, 64, 1), (1, 2, 320, 64, 2), (2, 2, 128, 64, 1)])
def test_bin_fc(loops, height, width, channels, outputs, batch):
    rng = random.Random(channels)
    maps = signs(rng, batch, height, width, channels)
    weights = signs(rng, outputs, height * width * channels)
    t, flips = thresholds(rng, outputs, 20)
    stage = Stage(BIN_FC, height=height, width=width, channels=channels, outputs=outputs,
                  batch=batch)
    result = run(stage, [loops.channel_bytes(fmap) for fmap in maps],
                 loops.parameters(weights, t, flips, channels))
    for output, fmap in zip(result, maps):
        sums = [[loops.fc_sums(fmap, weights)]]
        assert output == loops.channel_bytes(loops.threshold(sums, t, flips))


def test_more_outputs_than_are_decoded_at_once(loops):
    rng = random.Random(1)
    fmap, weights = signs(rng, 1, 1, 64), signs(rng, 2112, 64)
    t, flips = [0] * 2112, [0] * 2112
    stage = Stage(BIN_FC, height=1, width=1, channels=64, outputs=2112)
    output = run(stage, [loops.channel_bytes(fmap)], loops.parameters(weights, t, flips))[0]
    sums = [[loops.fc_sums(fmap, weights)]]
    assert output == loops.channel_bytes(loops.threshold(sums, t, flips))


@pytest.mark.parametrize("classes", [2, 10, 64])
def test_last(loops, classes):
    rng = random.Random(classes)
    maps, weights = signs(rng, 2, 1, 1, 128), signs(rng, classes, 128)
    stage = Stage(LAST, height=1, width=1, channels=128, outputs=classes, batch=2)
    result = run(stage, [loops.channel_bytes(fmap) for fmap in maps], loops.parameters(weights))
    assert result == [loops.fc_sums(fmap, weights) for fmap in maps]


def test_the_largest_sums_are_exact(loops):
    stage = Stage(LAST, height=1, width=1, channels=8192, outputs=2)
    weights = [[1] * 8192, [-1] * 8192]
    assert run(stage, [[[0] * 1024]], loops.parameters(weights)) == [[8192, -8192]]


def test_reserved_bits_are_ignored(loops):
    rng = random.Random(3)
    picture = [[[rng.randint(0, 255) for _ in range(3)] for _ in range(3)] for _ in range(1)]
    parameters = loops.parameters(signs(rng, 64, 3, 3, 3), *thresholds(rng, 64, 500))
    source = loops.picture(picture)
    stage = Stage(FP_CONV, height=1, width=3, channels=3, outputs=64)
    expected = run(stage, [source], parameters)
    dirty = [word | 0xFFFE0000_FFFE0000 for word in parameters[:32]]
    dirty += [word | 0xF8000000_F8000000 for word in parameters[32:]]
    assert run(stage, [[source[0] | 0xFF << 24, source[1] | 0xFFFFFFFF << 32]], dirty) == expected
