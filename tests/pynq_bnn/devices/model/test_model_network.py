"""A whole network, packed by hand, as one program and step by step."""

import random

import pytest

from pynq_bnn import registers as r


def signs(rng, *shape):
    if not shape:
        return rng.choice([1, -1])
    return [signs(rng, *shape[1:]) for _ in range(shape[0])]


@pytest.fixture
def network(loops):
    """Stages, parameters, pictures; and what the loops make of them: maps, sums.

    3 x 4 x 6 picture -> conv 64 -> unpadded conv 128, pooled to 1 x 2 -> FC 64 -> 3 classes.
    """
    rng = random.Random(5)
    weights = [signs(rng, 64, 3, 3, 3), signs(rng, 128, 3, 3, 64), signs(rng, 64, 256),
               signs(rng, 3, 64)]
    t = [[rng.randint(-reach, reach) for _ in range(outputs)]
         for outputs, reach in ((64, 900), (128, 25), (64, 15))]
    flips = [[rng.randint(0, 1) for _ in each] for each in t]
    pictures = [[[[rng.randint(0, 255) for _ in range(3)] for _ in range(6)] for _ in range(4)]
                for _ in range(2)]
    maps, sums = [], []
    for picture in pictures:
        values = [[[2 * p - 255 for p in pixel] for pixel in row] for row in picture]
        one = loops.threshold(loops.conv_sums(values, weights[0], r.PAD_ZERO), t[0], flips[0])
        two = loops.threshold(loops.conv_sums(one, weights[1], r.PAD_NONE), t[1], flips[1], True)
        three = loops.threshold([[loops.fc_sums(two, weights[2])]], t[2], flips[2])
        maps.append([one, two, three])
        sums.append(loops.fc_sums(three, weights[3]))
    stages = [
        (r.FP_CONV, {"source": r.INPUT, "target": r.FMAP_B, "shape": (4, 6, 3), "OUTPUTS": 64}),
        (r.BIN_CONV, {"source": r.FMAP_B, "target": r.FMAP_A, "shape": (4, 6, 64),
                      "OUTPUTS": 128, "padding": r.PAD_NONE, "pool": 1}),
        (r.BIN_FC, {"source": r.FMAP_A, "target": r.FMAP_B, "shape": (1, 2, 128), "OUTPUTS": 64}),
        (r.LAST, {"source": r.FMAP_B, "target": r.SUMS, "shape": (1, 1, 64), "OUTPUTS": 3})]
    parameters = [loops.parameters(weights[0], t[0], flips[0]),
                  loops.parameters(weights[1], t[1], flips[1]),
                  loops.parameters(weights[2], t[2], flips[2], channels=128),
                  loops.parameters(weights[3])]
    return stages, parameters, [loops.picture(picture) for picture in pictures], maps, sums


def read_sums(words, images):
    """The three classes of each image, whose sums have 16 words."""
    halves = [[words[16 * image] >> 16 * place & 0xFFFF for place in range(3)]
              for image in range(images)]
    return [[half - (half >> 15 << 16) for half in each] for each in halves]


@pytest.mark.parametrize("images", [1, 2])
def test_as_one_program(rig, network, images):
    stages, parameters, pictures, _, sums = network
    stream = sum(parameters, [])
    source, params = rig.place(sum(pictures, [])), rig.place(stream)
    out = rig.device.allocate(16 * images, "<u8")
    words = [
        rig.stage_registers(r.LOAD, target=r.INPUT, DMA_ADDRESS=source, DMA_BYTES=256),
        rig.stage_registers(r.LOAD, target=r.PARAMS, DMA_ADDRESS=params,
                            DMA_BYTES=8 * len(stream), BATCH=images),
        *[rig.stage_registers(kind, **values) for kind, values in stages],
        rig.stage_registers(r.STORE, source=r.SUMS, DMA_ADDRESS=out.device_address,
                            DMA_BYTES=128 * images)]
    for _ in range(2):
        out[:] = 0
        out.flush()
        assert rig.run(*words) == {"BUSY": 0, "DONE": 1, "ERROR": 0, "LOADING": 0, "DRAINING": 0}
        out.invalidate()
        assert read_sums(out.tolist(), images) == sums[:images]


def test_step_by_step(rig, loops, network):
    stages, parameters, pictures, maps, sums = network
    shapes = [(4, 6, 64), (1, 2, 128), (1, 1, 64)]
    rig.load(r.INPUT, sum(pictures, []))
    for layer, (kind, values) in enumerate(stages):
        rig.load_parameters(parameters[layer])
        assert rig.stage(kind, BATCH=2, **values)["DONE"] == 1
        if kind == r.LAST:
            assert read_sums(rig.stored(r.SUMS, 32), 2) == sums
            continue
        each = len(loops.fmap(maps[0][layer]))
        words = rig.stored(values["target"], 2 * each)
        for image in range(2):
            assert loops.read_fmap(words[each * image:], *shapes[layer]) == maps[image][layer]
