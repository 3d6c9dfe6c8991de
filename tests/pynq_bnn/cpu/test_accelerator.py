"""device="cpu" behind a Classifier: the same answers, checked as every device's."""

import ctypes
import os
import pickle
import threading

import numpy as np
import pytest

from host_ref.integer import IntegerModel
from pynq_bnn import Classifier
from pynq_bnn.devices.cpu import CpuDevice
from pynq_bnn.errors import BnnError, ClosedError, DeviceError, DeviceTimeout, PictureError


@pytest.fixture(params=[True, False], ids=["engine.c", "numpy"])
def classifier(request, parameters):
    with CpuDevice(2, request.param) as device, Classifier(parameters, device) as classifier:
        yield classifier


def test_answers_check_and_selftest(classifier, parameters, pictures):
    expected = IntegerModel(parameters)
    results = classifier.classify(pictures)
    assert np.array_equal(results.sums, expected.sums(pictures))
    assert results.indices.tolist() == expected.classify(pictures).tolist()
    assert classifier.classify(pictures[0]).timing.device == "cpu"
    assert [result.index for result in classifier.stream(pictures)] == results.indices.tolist()
    report = classifier.check(pictures)
    assert report.passed, report.verdict
    found = classifier.selftest()
    assert found.passed, str(found)
    assert "registers" not in {each.name for each in found.findings}


def test_info_and_times(classifier, pictures):
    info = classifier.info()
    assert info["device"]["device"] == "cpu"
    assert info["clock_mhz"] is None
    said = classifier.classify(pictures[0]).timing.describe()
    assert "on this computer's processor" in said
    assert "register" not in said


def test_a_fault_is_found_and_named(parameters, pictures):
    with Classifier(parameters, CpuDevice(1)) as classifier:
        engine = classifier.accelerator._engine
        if not engine.is_compiled:
            pytest.skip("no C compiler here")
        weights = ctypes.cast(engine._layers[1].weights, ctypes.POINTER(ctypes.c_uint64))
        for group in range(8):
            weights[group] ^= 0xFFFF_FFFF_FFFF_FFFF
        report = classifier.check(pictures)
        assert report.first_failure.layer == parameters.network.layers[1].name


def test_threads_share_it(classifier, parameters, pictures):
    expected, wrong = IntegerModel(parameters).sums(pictures), []

    def work(shift):
        for _ in range(20):
            own = np.roll(pictures, shift, axis=0)
            if not np.array_equal(classifier.classify(own).sums, np.roll(expected, shift, axis=0)):
                wrong.append(shift)

    threads = [threading.Thread(target=work, args=(shift,)) for shift in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_wait_has_an_end_and_leaves_it_usable(classifier, parameters, pictures, monkeypatch):
    accelerator, end = classifier.accelerator, threading.Event()
    engine = accelerator._engine
    right = engine.sums

    def stuck(given):
        end.wait(30)
        return right(given)

    monkeypatch.setattr(accelerator, "_timeout_s", 0.001)
    monkeypatch.setattr(engine, "sums", stuck)
    with pytest.raises(DeviceTimeout, match="no sums from this processor in 0.064 s"):
        classifier.scores(pictures)
    end.set()
    monkeypatch.undo()
    assert np.array_equal(classifier.sums(pictures[::-1]),
                          IntegerModel(parameters).sums(pictures[::-1]))


def test_bad_input_leaves_it_usable(classifier, pictures):
    accelerator = classifier.accelerator
    for bad in (pictures.astype(np.int16), pictures[:, :4], pictures[0], pictures[:0],
                np.concatenate([pictures] * 40)):
        with pytest.raises(PictureError):
            accelerator.run(bad)
    with pytest.raises(DeviceError, match="counts no cycles"):
        classifier.profile(pictures[0])
    with pytest.raises(TypeError):
        pickle.dumps(accelerator)
    assert len(classifier.classify(pictures)) == len(pictures)


def test_closed_or_not_loaded(parameters, pictures):
    device = CpuDevice()
    accelerator = device.open_accelerator(1.0)
    with pytest.raises(BnnError, match="no network is loaded"):
        accelerator.run(pictures)
    accelerator.load(parameters)
    accelerator.load(parameters)
    assert accelerator.loaded
    accelerator.close()
    accelerator.close()
    with pytest.raises(ClosedError):
        accelerator.run(pictures)
    with pytest.raises(DeviceError, match="no memory of its own"):
        device.allocate(4, np.uint8)
    with pytest.raises(ValueError, match="at least 1"):
        CpuDevice(0)


def test_an_array_that_its_owner_changes_meanwhile(classifier, parameters, pictures):
    own, expected = pictures.copy(), IntegerModel(parameters).sums(pictures)
    started = [classifier.accelerator.start(own) for _ in range(8)]
    own[:] = 255 - own
    for each in started:
        assert np.array_equal(classifier.accelerator.finish(each).sums, expected)


def test_another_network_while_runs_are_under_way(classifier, parameters, pictures):
    started = [classifier.accelerator.start(pictures) for _ in range(8)]
    classifier.accelerator.load(parameters)
    expected = IntegerModel(parameters).sums(pictures)
    for each in [*started, classifier.accelerator.start(pictures)]:
        assert np.array_equal(classifier.accelerator.finish(each).sums, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_is_told(classifier, pictures):
    classifier.classify(pictures)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            classifier.classify(pictures)
            said = "no error"
        except BaseException as error:
            said = type(error).__name__
        os.write(write, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"BusyError"
    assert len(classifier.classify(pictures)) == len(pictures)
