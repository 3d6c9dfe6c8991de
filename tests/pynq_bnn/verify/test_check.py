import json
from dataclasses import replace

import numpy as np
import pytest

from host_ref import network as net
from host_ref.folding import fold
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_network, random_parameters
from pynq_bnn import registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.driver import packing
from pynq_bnn.driver.accelerator import Accelerator
from pynq_bnn.verify.check import PROGRAM_RUN, CheckReport, Difference, LayerCheck, check

SEEDS = range(100, 120)


def failing(report):
    return [layer.layer for layer in report.layers if layer.differing]


def draw(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    return random_parameters(network, rng), rng


def first_difference(expected, got):
    """What the check should report, for maps (N, H, W, C)."""
    image, row, column, channel = map(int, np.argwhere(expected != got)[0])
    place = (image, row, column, channel)
    return Difference(*place, int(expected[place]), int(got[place]))


@pytest.fixture
def outputs(parameters, pictures):
    """What each layer gives for the pictures."""
    return IntegerModel(parameters).run(pictures)


# Devices that are right.

@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_differ_in_no_bit(seed):
    parameters, rng = draw(seed)
    network, model = parameters.network, IntegerModel(parameters)
    pictures = rng.integers(0, 256, (4, network.height, network.width, 3)).astype(np.uint8)
    with Accelerator(ModelDevice(batch=3)) as accelerator:
        accelerator.load(parameters)
        report = check(accelerator, pictures)
        sums = accelerator.run(pictures[:3]).sums
    assert report.passed, str(report)
    assert [layer.layer for layer in report.layers] == [
        *(layer.name for layer in network.layers), PROGRAM_RUN]
    assert [layer.compared for layer in report.layers] == [
        *(4 * layer.fmap_bits for layer in network.layers[:-1]),
        *2 * [4 * 16 * network.classes]]
    outputs = model.run(pictures)
    assert np.array_equal(sums, outputs[-1][:3])
    for layer, output in zip(network.layers, outputs):
        maps = output.reshape(4, -1)
        assert len(np.unique(maps, axis=0)) == 4, f"{layer.name} tells the pictures apart"
        if layer.kind != net.LAST:
            assert 0.2 < maps.mean() < 0.8, f"{layer.name} is nearly constant"


def test_the_random_networks_hold_what_is_awkward():
    layers, kinds, on_threshold = [], set(), 0
    for seed in SEEDS:
        parameters, rng = draw(seed)
        for layer, own in zip(parameters.network.layers, parameters.layers):
            layers.append(layer)
            thresholds, _ = fold(own.k, own.h)
            on_threshold += int((np.abs(thresholds.astype(int)) <= layer.max_sum).sum())
            kinds |= {("k < 0", bool((own.k < 0).any())), ("k = 0", bool((own.k == 0).any())),
                      ("tiny k", bool(((own.k != 0) & (np.abs(own.k) < 1e-30)).any())),
                      ("huge k", bool((np.abs(own.k) > 1e29).any())),
                      ("huge h", bool((np.abs(own.h) > 1e29).any())),
                      ("constant", bool((np.abs(thresholds.astype(int)) > layer.max_sum).any()))}
    assert {name for name, found in kinds if found} == {name for name, _ in kinds}
    bin_convs = [layer for layer in layers if layer.kind == net.BIN_CONV]
    assert {(layer.padding, layer.pool) for layer in bin_convs} == {
        (padding, pool) for padding in net.PADDINGS for pool in (False, True)}
    first = {(layer.padding, layer.pool) for layer in layers if layer.kind == net.FP_CONV}
    assert len(first) == 4
    assert {layer.kind for layer in layers} == {net.FP_CONV, net.BIN_CONV, net.BIN_FC, net.LAST}
    assert on_threshold > 1000, "thresholds that a sum can reach"


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_any_number_of_pictures(accelerator, parameters, pictures, count):
    report = check(accelerator, pictures[:count])
    assert report.passed, str(report)
    assert report.images == count
    assert [layer.compared for layer in report.layers[:-2]] == [
        count * layer.fmap_bits for layer in parameters.network.layers[:-1]]


def test_the_same_picture_twice(accelerator, pictures):
    assert check(accelerator, pictures[[0, 0, 1, 0]]).passed
    assert check(accelerator, pictures[[0]]).passed


# Devices that are wrong.

@pytest.mark.parametrize("index", range(4))
def test_one_flipped_weight_bit(accelerator, device, parameters, pictures, outputs, flip_weight,
                                index):
    layer = parameters.network.layers[index]
    given = outputs[index - 1] if index else pictures
    rng = np.random.default_rng(index)
    while True:  # a weight that shows in some output
        place = tuple(int(rng.integers(side)) for side in layer.weight_shape)
        layers = list(parameters.layers)
        weights = layers[index].weights.copy()
        weights[place] ^= 1
        layers[index] = replace(layers[index], weights=weights)
        faulty = IntegerModel(replace(parameters, layers=tuple(layers)))
        got = faulty.layer_output(index, given)
        if (got != outputs[index]).any():
            break
    flip_weight(device, parameters, index, place)
    report = check(accelerator, pictures)
    assert not report.passed
    assert [name for name in failing(report) if name != PROGRAM_RUN] == [layer.name]
    assert report.first_failure.first == first_difference(outputs[index], got)
    assert report.first_failure.first.channel == place[0]
    assert report.first_failure.differing == int((got != outputs[index]).sum())
    assert f"FAIL: {layer.name} differs first, at image" in report.verdict


def test_one_flipped_weight_bit_of_the_last_layer(accelerator, device, parameters, pictures,
                                                  outputs, flip_weight):
    flip_weight(device, parameters, 4, (3, 77))
    report = check(accelerator, pictures)
    assert failing(report) == ["last", PROGRAM_RUN]
    weight = 1 - 2 * int(parameters.layers[4].weights[3, 77])
    right = outputs[-1][:, 3]
    wrong = right - 2 * weight * (1 - 2 * outputs[3][:, 0, 0, 77].astype(int))
    assert report.first_failure.first == Difference(0, None, None, 3, int(right[0]), int(wrong[0]))
    assert f"at image 0, class 3: expected {right[0]}, got {wrong[0]}" in report.verdict
    bits = sum(bin((int(r) ^ int(w)) & 0xFFFF).count("1") for r, w in zip(right, wrong))
    assert [layer.differing for layer in report.layers[-2:]] == [bits, bits]


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("off", [1, -1])
def test_one_threshold_off_by_one(accelerator, device, parameters, pictures, outputs, in_dram,
                                  index, off):
    model, layer = IntegerModel(parameters), parameters.network.layers[index]
    sums = model.layer_sums(index, outputs[index - 1] if index else pictures)
    if layer.pool:
        count, height, width, channels = sums.shape
        sums = sums.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
    thresholds, _ = fold(parameters.layers[index].k, parameters.layers[index].h)
    # sums are s >= t already at t, or only now at t - 1
    hit = sums == (thresholds if off == 1 else thresholds.astype(int) - 1)
    channels = np.flatnonzero(hit.any(axis=(0, 1, 2)))
    assert len(channels), "no sum lies on a threshold: draw other parameters"
    channel = int(channels[-1])
    stream = packing.pack_parameters(parameters)
    base = in_dram(device, stream.words) + 8 * stream.spans[index].start - device.dram.base
    entry = device.dram.memory[base + 4 * channel:base + 4 * channel + 2].view("<i2")
    assert entry[0] == thresholds[channel]
    entry[0] += off
    got = outputs[index] ^ (hit & (np.arange(layer.out_channels) == channel))
    report = check(accelerator, pictures)
    assert [name for name in failing(report) if name != PROGRAM_RUN] == [layer.name]
    assert report.first_failure.first == first_difference(outputs[index], got)
    assert report.first_failure.differing == int(hit[..., channel].sum())


@pytest.mark.parametrize("index,buffer", [(0, registers.FMAP_A), (1, registers.FMAP_B)])
def test_one_stuck_bit_of_a_map(accelerator, device, parameters, pictures, outputs, index, buffer):
    image, row, column, channel = place = (1, 3, 2, 45)
    layer = parameters.network.layers[index]
    right = int(outputs[index][place])
    # both maps have pixels of 128 bits, four to a row
    each = layer.out_height * layer.out_width // 4
    pixel = row * layer.out_width + column
    device.stick(buffer, image * each + pixel // 4, pixel % 4 * 128 + channel, 1 - right)
    report = check(accelerator, pictures)
    assert report.first_failure.layer == layer.name
    assert report.first_failure.first == Difference(*place, right, 1 - right)
    # image 1 of each batch of 4
    later = outputs[index][image::4, row, column, channel]
    assert report.first_failure.differing == int((later == right).sum())


def test_images_are_numbered_through_all_batches(accelerator, device, pictures, outputs):
    values = outputs[0][:, 2, 5, :]
    channel = int(np.flatnonzero((values[0] == values[4]) & (values[0] != values[8]))[0])
    pixel = 2 * 10 + 5
    device.stick(registers.FMAP_A, pixel // 4, pixel % 4 * 128 + channel, int(values[0, channel]))
    first = check(accelerator, pictures).layers[0].first
    assert (first.image, first.row, first.column, first.channel) == (8, 2, 5, channel)


def test_a_program_that_is_wrong_while_every_stage_is_right(accelerator, device, pictures):
    accelerator.run(pictures[:1])
    start = device.registers.get("PROGRAM_ADDRESS") - device.dram.base
    steps = device.dram.memory[start:start + 8 * device.registers.get("PROGRAM_STEPS")].view("<u8")
    ones = np.flatnonzero(steps == (registers.offset("MODE") | registers.encode(
        "MODE", PADDING=registers.PAD_ONE, POOL=1) << 32))
    assert len(ones) == 1, "conv2's padding"
    steps[ones[0]] = registers.offset("MODE") | registers.encode(
        "MODE", PADDING=registers.PAD_ZERO, POOL=1) << 32
    report = check(accelerator, pictures[:1])
    assert failing(report) == [PROGRAM_RUN]
    assert report.verdict.startswith("FAIL: program run differs first, at image 0, class ")


# The report.

@pytest.fixture
def reports():
    good = (LayerCheck("conv<1>", 1_048_576, 0, None), LayerCheck(PROGRAM_RUN, 160, 0, None))
    bad = LayerCheck("fc", 1024, 3, Difference(2, 0, 0, 17, 0, 1))
    return CheckReport("model", 1, good), CheckReport("model", 2, (good[0], bad, good[1]))


def test_a_report_prints_a_table_and_a_verdict(reports):
    passed, failed = (str(report).splitlines() for report in reports)
    assert len(passed) == 4
    assert passed[1].split() == ["conv<1>", "1,048,576", "0", "-"]
    assert passed[-1] == ("PASS: every layer equals the reference bit for bit "
                          "(device model, 1 image, 1,048,736 bits)")
    assert failed[2].endswith("image 2, row 0, column 0, channel 17: expected 0, got 1")
    assert failed[-1].startswith("FAIL: fc differs first, at image 2, row 0")
    assert repr(reports[0]) == str(reports[0])


def test_a_report_in_a_notebook_and_as_json(reports):
    for report in reports:
        html = report._repr_html_()
        assert "conv&lt;1&gt;" in html
        assert "conv<1>" not in html
        again = json.loads(json.dumps(report.to_dict()))
        assert again["passed"] is report.passed
        assert again["verdict"] == report.verdict
        assert [layer["layer"] for layer in again["layers"]] == [
            layer.layer for layer in report.layers]
