"""Runs that do the next one's first layer: whatever comes between, no answer is another's."""

import gc

import numpy as np
import pytest

from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_parameters
from pynq_bnn import registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver import packing, program
from pynq_bnn.driver.accelerator import Accelerator
from pynq_bnn.errors import DeviceError, PictureError
from tests.pynq_bnn.driver.test_sharing import at_once, interrupt_at

BATCH = 2
EVEN = net.Network.from_description({"height": 4, "width": 6, "layers": [
    {"name": "conv1", "kind": net.FP_CONV, "outputs": 64},
    {"name": "conv2", "kind": net.BIN_CONV, "outputs": 128, "pool": True},
    {"name": "fc1", "kind": net.BIN_FC, "outputs": 576},
    {"name": "fc2", "kind": net.BIN_FC, "outputs": 64},
    {"name": "last", "kind": net.LAST, "outputs": 5}]})


@pytest.fixture
def device():
    return ModelDevice(batch=BATCH, dram=Dram(4 << 20))


@pytest.fixture
def parameters():
    return random_parameters(EVEN, np.random.default_rng(1))


@pytest.fixture
def batches(rng):
    return rng.integers(0, 256, (6, BATCH, 4, 6, 3)).astype(np.uint8)


@pytest.fixture
def expect(accelerator, parameters, batches):
    """A function that starts a batch, says whether it was prepared, and checks its sums."""
    model = IntegerModel(parameters)

    def expect(number, following, prepared):
        started = accelerator.start(
            batches[number], None if following is None else batches[following])
        assert started.program.prepared == prepared
        assert (started.program.following is not None) == (following is not None)
        assert np.array_equal(accelerator.finish(started).sums, model.sums(batches[number]))

    return expect


def test_a_chain(expect, device):
    for number in range(5):
        expect(number, number + 1, prepared=number > 0)
    expect(5, None, prepared=True)
    expect(5, None, prepared=False)


def test_it_takes_as_few_register_accesses(expect, device):
    expect(0, 1, prepared=False)
    before = device.mmio.accesses
    expect(1, 2, prepared=True)
    assert device.mmio.accesses - before <= 12


def test_others_in_between_cost_only_time(expect, accelerator, device, parameters, batches):
    def run():
        accelerator.run(batches[4])

    def walk():
        for _ in accelerator.step_through(batches[4]):
            pass

    def leave_a_walk():
        walk = accelerator.step_through(batches[4])
        next(walk)
        walk.close()

    def forget():
        accelerator.start(batches[4])
        gc.collect()

    def another():
        with Accelerator(device, timeout_s=1.0) as other:
            other.load(parameters)
            other.run(batches[3])

    def load():
        accelerator.load(parameters)

    def reset():
        with device.turn.lock:
            accelerator.control.reset()
            device.turn.forget()

    opened = []

    def open_another():
        opened.append(Accelerator(device, timeout_s=1.0))

    for between in (run, walk, leave_a_walk, forget, another, load, reset, open_another):
        expect(0, 1, prepared=False)
        between()
        expect(1, 2, prepared=False)
        expect(2, None, prepared=True)


def test_pictures_that_were_changed_meanwhile(expect, batches):
    expect(0, 1, prepared=False)
    batches[1, 0, 3, 5, 2] ^= 1
    expect(1, 2, prepared=False)
    batches[2] = batches[3]
    expect(3, 2, prepared=False)
    expect(3, None, prepared=True)  # they are the same


def test_who_vouches_for_the_pictures_names_what_announced_them(
        accelerator, parameters, batches):
    """Of another run than the last one it says nothing: they are compared."""
    model = IntegerModel(parameters)
    first = accelerator.start(batches[0], batches[1])
    second = accelerator.start(batches[1], batches[2], first)
    assert second.program.prepared
    third = accelerator.start(batches[3], batches[4], first)
    assert not third.program.prepared
    accelerator.run(batches[5])
    fourth = accelerator.start(batches[4], None, third)
    assert not fourth.program.prepared
    fifth = accelerator.start(batches[0], batches[1])
    accelerator.load(random_parameters(EVEN, np.random.default_rng(9)))  # another network
    sixth = accelerator.start(batches[1], None, fifth)
    assert not sixth.program.prepared
    assert np.array_equal(accelerator.finish(sixth).sums,
                          IntegerModel(accelerator.parameters).sums(batches[1]))
    for started, number in ((first, 0), (second, 1), (third, 3), (fourth, 4), (fifth, 0)):
        assert np.array_equal(accelerator.finish(started).sums, model.sums(batches[number]))


def test_others_than_were_announced(expect):
    expect(0, 1, prepared=False)
    expect(2, 1, prepared=False)
    expect(1, None, prepared=True)


def test_only_full_batches_and_networks_that_fit(accelerator, device, parameters, batches):
    assert accelerator.start(batches[0][:1], batches[1]).program.following is None
    assert accelerator.start(batches[0], batches[1][:1]).program.following is None
    odd = net.Network.from_description({"height": 4, "width": 4, "layers": [
        {"name": "conv1", "kind": net.FP_CONV, "outputs": 64},
        {"name": "last", "kind": net.LAST, "outputs": 5}]})
    accelerator.load(random_parameters(odd, np.random.default_rng(2)))
    some = np.zeros((BATCH, 4, 4, 3), np.uint8)
    assert accelerator.start(some, some).program.following is None
    wide = ModelDevice(batch=60, dram=Dram(4 << 20), overrides={"CAP_FMAP_ROWS": 408})
    with Accelerator(wide, 1.0) as accelerator:
        accelerator.load(parameters)
        some = np.zeros((accelerator.batch, 4, 6, 3), np.uint8)
        assert accelerator.start(some, some).program.following is None, "fc1's maps need a quarter"


def test_bad_pictures_that_follow_are_refused_before_anything_starts(expect, accelerator, batches):
    with pytest.raises(PictureError):
        accelerator.start(batches[0], batches[1][:, :3])
    expect(0, 1, prepared=False)


def test_a_run_that_fails_leaves_nothing_prepared(expect, accelerator, device, batches):
    started = accelerator.start(batches[0], batches[1])
    accelerator.finish(started)
    device.hang()
    failing = accelerator.start(batches[1], batches[2])
    with pytest.raises(DeviceError):
        accelerator.finish(failing)
    expect(2, 3, prepared=False)
    expect(3, None, prepared=True)


def test_the_next_batch_after_a_run_that_fails_is_not_prepared(
        accelerator, device, parameters, batches):
    """It is started before anybody knows that its first layer was not computed."""
    device.hang()
    first = accelerator.start(batches[0], batches[1])
    second = accelerator.start(batches[1], batches[2])
    assert not second.program.prepared
    assert np.array_equal(accelerator.finish(second).sums,
                          IntegerModel(parameters).sums(batches[1]))
    with pytest.raises(DeviceError):
        accelerator.finish(first)


def test_an_interrupt_while_pictures_are_written_leaves_nothing_prepared(
        expect, accelerator, batches, monkeypatch):
    expect(0, 1, prepared=False)
    memory = type(accelerator._loaded.memory)
    write = memory.write_pictures

    def interrupted(self, slot, pictures):
        write(self, slot, pictures)
        raise KeyboardInterrupt

    # it takes the slot in which batch 1 waits, perhaps
    monkeypatch.setattr(memory, "write_pictures", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            accelerator.start(batches[4])
    monkeypatch.undo()
    expect(1, 2, prepared=False)


def test_a_dropped_network_gives_its_memory_back_though_a_batch_was_prepared(
        device, parameters, batches):
    free = device.free_bytes()
    accelerator = Accelerator(device, 1.0)
    accelerator.load(parameters)
    accelerator.finish(accelerator.start(batches[0], batches[1]))
    assert device.free_bytes() < free
    del accelerator
    gc.collect()
    assert device.free_bytes() == free


def test_sums_of_runs_under_way_and_of_those_not_yet_read(accelerator, parameters, batches):
    """Three slots: one read late, one running, one prepared."""
    model = IntegerModel(parameters)
    started = [accelerator.start(batches[n], batches[n + 1]) for n in range(5)]
    started.append(accelerator.start(batches[5]))
    for number, each in reversed(list(enumerate(started))):
        assert np.array_equal(accelerator.finish(each).sums, model.sums(batches[number])), number


def test_the_program_is_the_same_stages_in_another_order():
    stream = packing.pack_parameters(random_parameters(EVEN, np.random.default_rng(0)))

    def kinds(pictures, following):
        steps = program.network_program(EVEN, stream, program.Addresses(
            pictures, 0x2000, 0x3000, following), BATCH)
        return [step.value for step in steps if step.register == "STAGE"]

    load, fp, conv, fc, last, store = (registers.LOAD, registers.FP_CONV, registers.BIN_CONV,
                                       registers.BIN_FC, registers.LAST, registers.STORE)
    end = [fc, fc, last, store]
    assert kinds(0, None) == [load, load, fp, conv, *end]
    assert kinds(None, None) == [load, conv, *end]
    assert kinds(None, 0x1000) == [load, load, conv, load, fp, load, *end]
    assert kinds(0, 0x1000) == [load, load, fp, load, load, conv, load, fp, load, *end]


def test_after_an_interrupt_at_any_line_of_a_start_the_chain_is_right(
        accelerator, parameters, batches):
    expected = [IntegerModel(parameters).sums(batch) for batch in batches]

    def right(number, *following):
        run = accelerator.finish(accelerator.start(batches[number], *following))
        assert np.array_equal(run.sums, expected[number]), line

    line = 0
    for action in (lambda: accelerator.start(batches[1], batches[2]),  # prepared
                   lambda: accelerator.start(batches[4], batches[5])):  # another's
        line = 0
        while True:
            right(0, batches[1])
            interrupted = interrupt_at(line + 1, action)
            right(1, batches[2])
            right(2)
            if not interrupted:
                break
            line += 1
        assert line > 50


def test_two_threads_stream_beside_each_other(accelerator, parameters, batches):
    expected = [IntegerModel(parameters).sums(batch) for batch in batches]

    def stream(order):
        for _ in range(10):
            for number, following in zip(order, order[1:]):
                run = accelerator.finish(accelerator.start(batches[number], batches[following]))
                assert np.array_equal(run.sums, expected[number])

    assert at_once(lambda: stream([0, 1, 2, 3, 4, 5]), lambda: stream([5, 3, 1, 0, 2, 4])) == []
