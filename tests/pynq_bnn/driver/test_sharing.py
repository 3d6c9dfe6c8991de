"""Threads, several accelerators of one device, walks left open: no use gives a wrong answer."""

import gc
import linecache
import pickle
import signal
import sys
import threading
import time
from copy import deepcopy

import numpy as np
import pytest

from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_parameters
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver.accelerator import Accelerator
from pynq_bnn.errors import BnnError, BusyError, ClosedError, DeviceError

TINY = net.Network.from_description({"height": 4, "width": 4, "layers": [
    {"name": "conv", "kind": net.FP_CONV, "outputs": 64, "pool": True},
    {"name": "last", "kind": net.LAST, "outputs": 10}]})


@pytest.fixture
def often():
    """Threads change places a thousand times more often than usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def tiny(seed):
    return random_parameters(TINY, np.random.default_rng(seed))


def at_once(*actions):
    """Run these in threads of their own, all beginning together; what they raised."""
    errors, gate = [], threading.Barrier(len(actions))

    def guarded(action):
        gate.wait()
        try:
            action()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def running(accelerator, parameters, seed, times=100):
    """An action that runs random batches and counts what is wrong."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (times, 2, 4, 4, 3)).astype(np.uint8)
    expected = IntegerModel(parameters).sums(pictures.reshape(-1, 4, 4, 3)).reshape(times, 2, 10)

    def action():
        for some, wanted in zip(pictures, expected):
            assert np.array_equal(accelerator.run(some).sums, wanted)

    return action


def test_threads_share_an_accelerator(often):
    parameters = tiny(1)
    with Accelerator(ModelDevice(batch=4, dram=Dram(4 << 20))) as accelerator:
        accelerator.load(parameters)
        assert at_once(*(running(accelerator, parameters, seed) for seed in range(4))) == []


def test_accelerators_of_one_device_with_networks_of_their_own(often):
    device, several = ModelDevice(batch=4, dram=Dram(4 << 20)), [tiny(seed) for seed in range(3)]
    accelerators = [Accelerator(device) for _ in several]
    for accelerator, parameters in zip(accelerators, several):
        accelerator.load(parameters)
    assert at_once(*map(running, accelerators, several, range(3))) == []


def test_loading_walking_and_running_at_once(often):
    device, one, other = ModelDevice(batch=4, dram=Dram(4 << 20)), tiny(1), tiny(2)
    picture = np.random.default_rng(3).integers(0, 256, (1, 4, 4, 3)).astype(np.uint8)
    expected = IntegerModel(one).run(picture)
    first, second = Accelerator(device), Accelerator(device)
    first.load(one)

    def load():
        for _ in range(20):
            second.load(other)

    def walk():
        for _ in range(20):
            for (_, output), wanted in zip(first.step_through(picture), expected):
                assert np.array_equal(output, wanted)

    assert at_once(load, walk, walk, running(first, one, 4)) == []


def test_without_the_lock_they_would_be_wrong(often, monkeypatch):
    """What the tests above are worth: they fail where nobody takes turns."""
    class Nothing:
        def __enter__(self):
            pass

        def __exit__(self, *_):
            pass

    device, several = ModelDevice(batch=4, dram=Dram(4 << 20)), [tiny(seed) for seed in range(4)]
    accelerators = [Accelerator(device) for _ in several]
    for accelerator, parameters in zip(accelerators, several):
        accelerator.load(parameters)
    monkeypatch.setattr(device.turn, "lock", Nothing())
    assert at_once(*map(running, accelerators, several, range(4)))


# Walks.

@pytest.mark.parametrize("use", ["run", "start", "load", "step_through", "other"])
def test_nothing_comes_between_two_steps_of_a_walk(accelerator, device, parameters, pictures, use,
                                                   right):
    other = Accelerator(device) if use == "other" else None
    if other is not None:
        other.load(parameters)
    expected = IntegerModel(parameters).run(pictures[:2])
    walk = accelerator.step_through(pictures[:2])
    seen = [next(walk)]
    with pytest.raises(BusyError, match="step_through of this thread is under way.*close"):
        {"run": lambda: accelerator.run(pictures[:2]),
         "start": lambda: accelerator.start(pictures[:2]),
         "load": lambda: accelerator.load(parameters),
         "step_through": lambda: next(accelerator.step_through(pictures[:2])),
         "other": lambda: other.run(pictures[:2])}[use]()
    seen += walk
    for (_, output), wanted in zip(seen, expected):
        assert np.array_equal(output, wanted)
    right()


def test_another_thread_waits_for_a_walk_and_not_for_ever(device, parameters, pictures, right):
    accelerator = Accelerator(device, timeout_s=0.3)
    accelerator.load(parameters)
    walk = accelerator.step_through(pictures[:1])
    next(walk)
    (error,) = at_once(lambda: accelerator.run(pictures[:1]))
    assert "step_through of another thread" in str(error)

    def end():
        time.sleep(0.05)
        walk.close()

    assert at_once(end, lambda: accelerator.run(pictures[:1])) == []


def test_a_walk_that_is_dropped_or_fails_leaves_the_device_free(accelerator, device, pictures,
                                                                right):
    walk = accelerator.step_through(pictures[:2])
    next(walk)
    del walk
    gc.collect()
    right()
    walk = accelerator.step_through(pictures[:2])
    next(walk)
    device.dram.fail(device.dram.base, device.dram.size_bytes // 8)
    with pytest.raises(DeviceError):
        next(walk)
    device.clear_faults()
    right()


def test_a_walk_ends_with_its_accelerator(accelerator, pictures):
    walk = accelerator.step_through(pictures[:2])
    next(walk)
    accelerator.close()
    with pytest.raises(ClosedError):
        next(walk)


# Runs that were started.

def test_a_run_is_started_and_finished(accelerator, parameters, pictures):
    expected = IntegerModel(parameters).sums(pictures)
    started = accelerator.start(pictures[:3])
    run = accelerator.finish(started)
    assert np.array_equal(run.sums, expected[:3])
    assert np.array_equal(accelerator.finish(started).sums, expected[:3]), "asked again"


def test_whoever_needs_the_device_next_completes_what_runs(accelerator, device, parameters,
                                                           pictures):
    expected = IntegerModel(parameters).sums(pictures)
    other = Accelerator(device)
    other.load(parameters)
    first = accelerator.start(pictures[:2])
    second = accelerator.start(pictures[2:3])
    third = other.start(pictures[3:7])
    assert np.array_equal(accelerator.run(pictures[7:9]).sums, expected[7:9])
    assert [output.shape for _, output in accelerator.step_through(pictures[:1])]
    accelerator.load(parameters)
    for each, of, wanted in ((third, other, expected[3:7]), (first, accelerator, expected[:2]),
                             (second, accelerator, expected[2:3])):
        assert np.array_equal(of.finish(each).sums, wanted)


def test_many_started_runs_keep_their_own_sums(accelerator, parameters, pictures):
    expected = IntegerModel(parameters).sums(pictures)
    started = [accelerator.start(pictures[n:n + 1]) for n in range(9)]
    got = np.concatenate([accelerator.finish(each).sums for each in reversed(started)])
    assert np.array_equal(got[::-1], expected)


def test_the_error_of_a_started_run_is_its_own(accelerator, device, pictures, right):
    right()
    device.dram.fail(device.registers.get("PROGRAM_ADDRESS"))
    failed = accelerator.start(pictures[:2])
    device.clear_faults()
    right()
    with pytest.raises(DeviceError, match="error READ"):
        accelerator.finish(failed)
    right()


def test_a_started_run_that_nobody_finishes(accelerator, device, parameters, pictures, right):
    accelerator.start(pictures[:2])
    right()
    device.hang()
    accelerator.start(pictures[:2])
    right()
    device.hang()
    started = accelerator.start(pictures[:2])
    accelerator.close()
    assert device.registers.fields("STATUS")["BUSY"] == 0
    with pytest.raises(BnnError, match="closed before this run was finished"):
        accelerator.finish(started)


# Dropped, closed, copied.

def test_a_dropped_accelerator_gives_its_memory_back(device, parameters, pictures):
    for use in (lambda accelerator: None, lambda accelerator: accelerator.run(pictures[:1]),
                lambda accelerator: accelerator.start(pictures[:1]),
                lambda accelerator: next(accelerator.step_through(pictures[:1]))):
        accelerator = Accelerator(device)
        accelerator.load(parameters)
        use(accelerator)
        del accelerator
        gc.collect()
        assert device.free_bytes() == device.dram.size_bytes


def test_what_still_runs_is_stopped_before_its_memory_goes(device, parameters, pictures):
    accelerator = Accelerator(device)
    accelerator.load(parameters)
    device.hang()
    accelerator.start(pictures[:1])
    assert device.registers.fields("STATUS")["BUSY"] == 1
    del accelerator
    gc.collect()
    assert device.registers.fields("STATUS")["BUSY"] == 0
    assert device.free_bytes() == device.dram.size_bytes


def test_closing_one_leaves_the_run_of_another(device, parameters, pictures):
    first, second = Accelerator(device), Accelerator(device)
    first.load(parameters)
    second.load(parameters)
    started = second.start(pictures[:2])
    first.close()
    assert np.array_equal(second.finish(started).sums, IntegerModel(parameters).sums(pictures[:2]))


def test_an_accelerator_is_not_copied(accelerator):
    for copy in (pickle.dumps, deepcopy):
        with pytest.raises(TypeError, match="belongs to one process"):
            copy(accelerator)


def test_a_forked_child_leaves_the_device_alone(accelerator, device, monkeypatch):
    monkeypatch.setattr(type(device), "ours", False)
    monkeypatch.setattr("os.getpid", lambda: -1)
    accesses, free = device.mmio.accesses, device.free_bytes()
    accelerator.close()
    assert (device.mmio.accesses, device.free_bytes()) == (accesses, free)


# Interrupts.

def interrupt_at(line, action):
    """Run `action` and raise KeyboardInterrupt at that line of the package; whether it was hit.

    Python traces the line of a ``with`` once more when its block is left, and a ``try:`` before its
    block is entered; an exception from a tracer there would keep a ``with`` from being left.  No
    signal is handled there: :func:`test_after_real_interrupts_the_next_run_is_right`.
    """
    count, entered = 0, set()

    def trace(frame, event, _):
        nonlocal count
        code = frame.f_code
        if not any(part in code.co_filename for part in ("pynq_bnn/driver", "pynq_bnn/devices")) \
                or "tests" in code.co_filename or "simulated" in code.co_filename:
            return None  # simulated memory stands for the kernel's
        if event == "line":
            text = linecache.getline(code.co_filename, frame.f_lineno).strip()
            if text == "try:" or (frame, frame.f_lineno) in entered:
                return trace
            if text.startswith("with "):
                entered.add((frame, frame.f_lineno))
            count += 1
            if count == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
        entered.clear()  # frames keep what they worked on
    return count >= line


@pytest.mark.parametrize("what", ["run", "start and finish", "walk"])
def test_after_an_interrupt_at_any_line_the_next_run_is_right(what):
    parameters, device = tiny(1), ModelDevice(batch=4, dram=Dram(1 << 20))
    pictures = np.random.default_rng(2).integers(0, 256, (3, 4, 4, 3)).astype(np.uint8)
    expected = IntegerModel(parameters).sums(pictures)
    with Accelerator(device) as accelerator:
        accelerator.load(parameters)
        accelerator.run(pictures[:2])
        action = {"run": lambda: accelerator.run(pictures[:2]),
                  "start and finish": lambda: accelerator.finish(accelerator.start(pictures[:2])),
                  "walk": lambda: list(accelerator.step_through(pictures[:2]))}[what]
        line = 0
        while interrupt_at(line + 1, action):
            line += 1
            if what == "run":
                assert device.registers.fields("STATUS")["BUSY"] == 0, f"line {line} left it busy"
            assert np.array_equal(accelerator.run(pictures[1:3]).sums, expected[1:3]), line
            assert at_once(lambda: accelerator.run(pictures[:1])) == [], "another thread's turn"
        assert line > 100
    assert device.free_bytes() == device.dram.size_bytes


def test_after_real_interrupts_the_next_run_is_right():
    parameters, device = tiny(1), ModelDevice(batch=4, dram=Dram(1 << 20))
    pictures = np.random.default_rng(2).integers(0, 256, (3, 4, 4, 3)).astype(np.uint8)
    expected = IntegerModel(parameters).sums(pictures)
    before, hit = signal.signal(signal.SIGALRM, signal.default_int_handler), 0
    try:
        with Accelerator(device) as accelerator:
            accelerator.load(parameters)
            for number in range(200):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 1e-5 + number * 1e-5)
                    accelerator.run(pictures[:2])
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except KeyboardInterrupt:
                    hit += 1
                assert np.array_equal(accelerator.run(pictures[1:3]).sums, expected[1:3])
                assert at_once(lambda: accelerator.run(pictures[:1])) == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert hit > 10


def test_after_an_interrupt_at_any_line_of_a_load_another_is_right():
    parameters, device = tiny(1), ModelDevice(batch=2, dram=Dram(1 << 20))
    picture = np.random.default_rng(2).integers(0, 256, (1, 4, 4, 3)).astype(np.uint8)
    expected = IntegerModel(parameters).sums(picture)
    with Accelerator(device) as accelerator:
        line, step = 1, 1
        while interrupt_at(line, lambda: accelerator.load(parameters)):
            accelerator.load(parameters)
            assert np.array_equal(accelerator.run(picture).sums, expected), line
            line, step = line + step, step + line // 200
        assert line > 100
    gc.collect()
    assert device.free_bytes() == device.dram.size_bytes
