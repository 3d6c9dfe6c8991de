import gc
import json
import pickle
import time
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.parameters import save
from host_ref.random_networks import random_parameters
from pynq_bnn import Classifier
from pynq_bnn import classifier as classifier_module
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver import accelerator as accelerator_module
from pynq_bnn.driver import run as run_module
from pynq_bnn.driver.chain import BATCHES_MAX
from pynq_bnn.driver.control import Control
from pynq_bnn.driver.memory import DeviceMemory
from pynq_bnn.errors import (
    ClosedError,
    DeviceError,
    IdentificationError,
    MemoryExhausted,
    NetworkError,
    ParameterError,
    PictureError,
)
from pynq_bnn.registers import VERSION_MAJOR, VERSION_MINOR
from pynq_bnn.result import Result, Results


@pytest.fixture
def model(parameters):
    return IntegerModel(parameters)


# Answers.

def test_one_picture_gives_one_result(classifier, model, pictures):
    result = classifier.classify(pictures[0])
    sums = model.sums(pictures[:1])
    assert isinstance(result, Result)
    assert np.array_equal(result.sums, sums[0])
    assert np.array_equal(result.scores, model.scores(sums)[0])
    assert result.scores.dtype == np.float32
    assert result.index == model.classify(pictures[:1])[0]
    assert result.label == classifier.classes[result.index]
    assert np.array_equal(result.picture, pictures[0])


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9])
def test_a_batch_keeps_its_order(classifier, model, pictures, count):
    results = classifier.classify(pictures[:count])
    assert isinstance(results, Results)
    assert np.array_equal(results.indices, model.classify(pictures[:count]))
    assert np.array_equal(results.scores, model.scores(model.sums(pictures[:count])))
    assert np.array_equal(results.pictures, pictures[:count])
    assert (results.timing.count, results.timing.batch) == (count, min(count, 4))
    assert results[0].timing is results.timing


def test_a_batch_is_what_the_feature_map_buffers_hold(parameters, model, pictures):
    device = ModelDevice(batch=8, overrides={"CAP_FMAP_ROWS": 44})
    with Classifier(parameters, device) as classifier:
        assert classifier.batch == classifier.info()["batch"] == 2
        results = classifier.classify(pictures[:5])
        assert np.array_equal(classifier.scores(pictures), model.scores(model.sums(pictures)))
        assert classifier.check(pictures[:3]).passed
        assert classifier.selftest().passed
    assert np.array_equal(results.indices, model.classify(pictures[:5]))
    assert (results.timing.count, results.timing.batch) == (5, 2)


def test_a_list_of_all_kinds_of_pictures(classifier, model, pictures, tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(pictures[0]).save(str(path))
    results = classifier.classify([path, str(path), pictures[1], Image.fromarray(pictures[2])])
    assert np.array_equal([result.sums for result in results],
                          model.sums(pictures[[0, 0, 1, 2]]))


def test_pictures_of_another_size_are_fitted(classifier, rng):
    large = rng.integers(0, 256, (200, 300, 3)).astype(np.uint8)
    assert classifier.classify(large).picture.shape == (8, 10, 3)


def test_the_same_picture_again_and_a_thousand_between(device, rng):
    parameters = random_parameters(net.Network.from_description({
        "height": 4, "width": 4, "layers": [
            {"name": "conv", "kind": net.FP_CONV, "outputs": 64, "pool": True},
            {"name": "last", "kind": net.LAST, "outputs": 10}]}), rng)
    model = IntegerModel(parameters)
    many = rng.integers(0, 256, (1000, 4, 4, 3)).astype(np.uint8)
    with Classifier(parameters, device) as classifier:
        first = classifier.classify(many[0]).sums
        assert np.array_equal(classifier.scores(many), model.scores(model.sums(many)))
        assert np.array_equal(classifier.classify(many[0]).sums, first)
    assert np.array_equal(first, model.sums(many[:1])[0])


def test_scores_of_prepared_pictures(classifier, model, pictures):
    assert np.array_equal(classifier.scores(pictures), model.scores(model.sums(pictures)))
    for bad in (pictures[0], pictures[:0], pictures.astype(float), pictures[:, :, :9]):
        with pytest.raises(PictureError):
            classifier.scores(bad)


def test_a_classification_takes_few_register_accesses(classifier, device, pictures):
    for picture in pictures[:3]:
        before = device.mmio.accesses
        classifier.classify(picture)
        assert device.mmio.accesses - before <= 12


def test_timing_says_where_it_comes_from(parameters, pictures):
    device = ModelDevice(batch=4, overrides={"BUILD": 0xBEEF})
    with Classifier(parameters, device) as classifier:
        timing = classifier.classify(pictures[:3])[0].timing
    assert (timing.device, timing.batch, timing.build) == ("model", 3, "0000beef")
    assert timing.parameters == parameters.checksum
    assert (timing.cycles, timing.clock_mhz, timing.device_ms) == (None, None, None)
    for part in (timing.prepare_s, timing.copy_s, timing.run_s, timing.read_s, timing.other_s):
        assert part > 0


class Clock:
    """Stands in for the module `time`: only what says so takes time."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def slow(self, seconds, function):
        def slower(*arguments):
            self.now += seconds
            return function(*arguments)

        return slower


@pytest.mark.parametrize("count", [None, 4, 9])
def test_the_total_is_the_whole_call_and_each_part_its_own(classifier, pictures, monkeypatch,
                                                           count):
    clock = Clock()
    for module in (classifier_module, accelerator_module, run_module):
        monkeypatch.setattr(module, "time", clock, raising=True)
    clock.monotonic = time.monotonic
    monkeypatch.setattr(classifier_module, "to_pictures",
                        clock.slow(1.0, classifier_module.to_pictures))
    monkeypatch.setattr(DeviceMemory, "write_pictures", clock.slow(
        10.0, DeviceMemory.write_pictures))
    monkeypatch.setattr(Control, "wait", clock.slow(100.0, Control.wait))
    monkeypatch.setattr(DeviceMemory, "read_sums", clock.slow(1000.0, DeviceMemory.read_sums))
    monkeypatch.setattr(classifier, "_score", clock.slow(10000.0, classifier._score))
    monkeypatch.setattr(classifier, "_require_open", clock.slow(
        100000.0, classifier._require_open))
    timing = classifier.classify(pictures[0] if count is None else pictures[:count]).timing
    runs = 2 if count == 9 else 1  # full batches, and the rest
    assert timing.prepare_s == pytest.approx(runs)
    assert timing.copy_s == pytest.approx(10 * runs)
    assert timing.run_s == pytest.approx(100 * runs)
    assert timing.read_s == pytest.approx(1000 * runs + 10000)
    assert timing.other_s == pytest.approx(100000), "found in no part"
    assert timing.total_s == pytest.approx(clock.now)


# Streams.

def test_a_stream_gives_every_picture_in_order(classifier, model, pictures):
    expected = model.sums(pictures)
    for source in (pictures, list(pictures), iter(list(pictures)), (p for p in pictures),
                   np.concatenate([pictures])):
        got = list(classifier.stream(source))
        assert np.array_equal([each.sums for each in got], expected)
        assert np.array_equal([each.picture for each in got], pictures)
    assert list(classifier.stream([])) == []
    (only,) = classifier.stream(pictures[0])
    assert np.array_equal(only.sums, expected[0])


def test_a_stream_prepares_the_next_batch_while_the_device_works(parameters, device, pictures,
                                                                 monkeypatch):
    events = []

    def noted(name, function):
        def noting(*arguments, **options):
            events.append(name)
            return function(*arguments, **options)

        return noting

    with Classifier(parameters, device) as classifier:
        for owner, name in ((DeviceMemory, "write_pictures"), (Control, "start_program"),
                            (Control, "wait"), (DeviceMemory, "read_sums")):
            monkeypatch.setattr(owner, name, noted(name, getattr(owner, name)))
        list(classifier.stream(iter(pictures)))
    first, later, end = (["write_pictures", "start_program"],
                         ["write_pictures", "wait", "start_program", "read_sums"],
                         ["wait", "read_sums"])
    assert events == first + later + later + end


@pytest.fixture
def started(classifier, monkeypatch):
    """How many pictures each run of the classifier takes, as they are started."""
    counts, start = [], classifier.accelerator.start

    def counted(given, *more):
        counts.append(len(given))
        return start(given, *more)

    monkeypatch.setattr(classifier.accelerator, "start", counted)
    return counts


def test_full_batches_whose_number_is_known_make_one_run(classifier, model, pictures, started):
    assert (classifier.batch, classifier.run_size) == (4, 4 * BATCHES_MAX)
    expected = model.sums(pictures)
    for call in (lambda: classifier.classify(pictures).sums,
                 lambda: classifier.classify(list(pictures)).sums,
                 lambda: classifier.sums(pictures),
                 lambda: [each.sums for each in classifier.stream(pictures)]):
        del started[:]
        assert np.array_equal(call(), expected)
        assert started == [8, 1]
    assert classifier.classify(pictures).timing.batch == 4, "so many went through together"
    for source in (iter(pictures), list(pictures)):  # an answer waits for no camera
        del started[:]
        assert np.array_equal([each.sums for each in classifier.stream(source)], expected)
        assert started == [4, 4, 1]


def test_more_than_a_run_takes(classifier, model, pictures, started):
    size = classifier.run_size + 11
    many = np.concatenate([pictures] * (size // len(pictures) + 1))[:size]
    assert np.array_equal(classifier.sums(many), model.sums(many))
    assert started == [8, classifier.run_size, 3], "the short one first: nothing waits for it"
    del started[:]
    assert np.array_equal(classifier.sums(many[3:]), model.sums(many[3:]))
    assert started == [8, classifier.run_size]


def test_a_stream_takes_no_more_than_it_needs_and_may_be_left(classifier, device, model, pictures):
    taken = []

    def endless():
        while True:
            taken.append(len(taken) % 9)
            yield pictures[taken[-1]]

    stream = classifier.stream(endless())
    expected = model.sums(pictures)
    for number in range(100):
        assert np.array_equal(next(stream).sums, expected[number % 9])
        assert len(taken) <= number + 1 + 3 * classifier.batch
        if number % 10 == 0:  # others may use the device meanwhile
            assert np.array_equal(classifier.classify(pictures[3]).sums, expected[3])
    stream.close()
    assert np.array_equal(classifier.classify(pictures).indices, model.classify(pictures))


def test_a_bad_picture_in_a_stream_is_named_by_its_place(classifier, model, pictures):
    source = [*pictures[:6], "no such file.png"]
    stream = classifier.stream(source)
    with pytest.raises(PictureError, match=r"picture \[6\].*no such file"):
        list(stream)
    with pytest.raises(PictureError, match=r"picture \[6\]"):
        classifier.classify(source)
    assert np.array_equal(classifier.classify(pictures).indices, model.classify(pictures))


def test_streams_beside_each_other(classifier, model, pictures):
    expected = model.sums(pictures)
    both = zip(classifier.stream(pictures), classifier.stream(pictures[::-1]))
    for number, (one, other) in enumerate(both):
        assert np.array_equal(one.sums, expected[number])
        assert np.array_equal(other.sums, expected[8 - number])


def test_a_stream_of_a_closed_classifier(classifier, pictures):
    stream = classifier.stream(iter(pictures))
    next(stream)
    classifier.close()
    with pytest.raises(ClosedError):
        list(stream)
    with pytest.raises(ClosedError):
        classifier.stream(pictures)


def test_results_are_plain_arrays_that_outlive_the_classifier(parameters, pictures, model):
    device = ModelDevice(batch=4, dram=Dram(4 << 20))
    with Classifier(parameters, device) as classifier:
        results = classifier.classify(pictures)
        scores = classifier.scores(pictures)
    device.dram.memory[:] = 0xFF
    assert np.array_equal(scores, model.scores(model.sums(pictures)))
    for result, sums, picture in zip(results, model.sums(pictures), pictures):
        for array, expected in ((result.sums, sums), (result.picture, picture),
                                (result.scores, model.scores(sums[np.newaxis])[0])):
            assert type(array) is np.ndarray
            assert np.array_equal(array, expected)


def test_info_holds_what_a_report_needs(classifier, parameters):
    info = json.loads(json.dumps(classifier.info()))
    assert info["interface"] == f"{VERSION_MAJOR}.{VERSION_MINOR}"
    assert info["device"]["device"] == "model"
    assert info["capabilities"]["batch"] == info["batch"] == 4
    assert info["network"]["checksum"] == parameters.checksum
    classifier.info()["capabilities"]["batch"] = 1
    assert classifier.batch == 4, "info is a copy"


def test_repr(classifier):
    assert repr(classifier) == "<Classifier small, 10 classes, on model>"
    classifier.close()
    assert repr(classifier) == "<Classifier small, 10 classes, closed>"


def test_check_and_selftest(classifier, pictures):
    report = classifier.check(list(pictures[:2]))
    assert (report.passed, report.images) == (True, 2)
    assert classifier.selftest().passed


def test_a_model_has_no_profile(classifier, pictures):
    with pytest.raises(DeviceError, match='counts no cycles.*"rtl"'):
        classifier.profile(pictures[0])


# Opening and closing.

@pytest.mark.parametrize("bad", [7, np.zeros(3), object(), ["model"], b"model"])
def test_what_is_no_device_is_told_what_would_be(parameters, bad):
    with pytest.raises(TypeError, match="not a device: give one of 'model', 'cpu', 'rtl', 'board', "
                                        "a BnnOverlay"):
        Classifier(parameters, bad)


def test_a_classifier_is_not_pickled_or_copied(classifier):
    for copy in (pickle.dumps, deepcopy):
        with pytest.raises(TypeError, match="give a worker process the parameter file's name"):
            copy(classifier)


def test_a_classifier_that_is_dropped_gives_its_memory_back(parameters, device, pictures):
    classifier = Classifier(parameters, device)
    classifier.classify(pictures)
    del classifier
    gc.collect()
    assert device.free_bytes() == device.dram.size_bytes


def test_closed(parameters, device, pictures):
    classifier = Classifier(parameters, device)
    classifier.close()
    classifier.close()
    assert device.free_bytes() == device.dram.size_bytes
    for use in (lambda: classifier.classify(pictures[0]), lambda: classifier.scores(pictures),
                lambda: classifier.check(pictures[0]), classifier.selftest, classifier.info):
        with pytest.raises(ClosedError, match="this classifier was closed"):
            use()


class Watched(ModelDevice):
    closed = 0

    def close(self):
        self.closed += 1


def test_a_device_given_stays_open_and_one_opened_here_is_closed(parameters, monkeypatch):
    device = Watched()
    with Classifier(parameters, device):
        pass
    assert device.closed == 0
    monkeypatch.setattr(classifier_module, "open_device", lambda name: device)
    with Classifier(parameters, "model") as classifier:
        classifier.close()
    assert device.closed == 1


def test_a_parameter_file_and_a_device_by_name(parameters, pictures, model, tmp_path):
    save(tmp_path / "some.npz", parameters)
    with Classifier(tmp_path / "some.npz", "model") as classifier:
        assert classifier.classify(pictures[0]).index == model.classify(pictures[:1])[0]


@pytest.mark.parametrize("broken,error,complaint", [
    (lambda: Watched(overrides={"MAGIC": 1}), IdentificationError, "MAGIC"),
    (lambda: Watched(overrides={"VERSION": VERSION_MAJOR + 1 << 16}), IdentificationError,
     rf"{VERSION_MAJOR + 1}\.0.*{VERSION_MAJOR}\.{VERSION_MINOR}"),
    (lambda: Watched(overrides={"CAP_FMAP_ROWS": 18}), NetworkError, "'conv1'.*at most 18"),
    (lambda: Watched(dram=Dram(3 * 4096)), MemoryExhausted, r"asked for, \d+ of 12288 free")])
def test_what_fails_while_opening_leaves_nothing_behind(parameters, monkeypatch, broken, error,
                                                        complaint):
    device = broken()
    monkeypatch.setattr(classifier_module, "open_device", lambda name: device)
    with pytest.raises(error, match=complaint):
        Classifier(parameters)
    assert device.closed == 1
    assert device.free_bytes() == device.dram.size_bytes


def test_bad_parameters_are_refused_before_a_device_is_opened(monkeypatch):
    monkeypatch.setattr(classifier_module, "open_device", lambda name: pytest.fail("opened"))
    with pytest.raises(ParameterError, match="no network 'nowhere.npz'"):
        Classifier("nowhere.npz")


def test_a_timeout_that_would_never_end_is_refused(parameters, device):
    with pytest.raises(ValueError, match="timeout of nan s"):
        Classifier(parameters, device, timeout_s=float("nan"))
    assert device.free_bytes() == device.dram.size_bytes


def test_the_known_answer_is_tested_while_opening(parameters, device, pictures):
    wrong = [parameters.known_answer[0] + 2, *parameters.known_answer[1:]]
    bad = replace(parameters, known_answer=wrong)
    with pytest.raises(DeviceError, match="known-answer test failed.*pynq_bnn check names"):
        Classifier(bad, device)
    assert device.free_bytes() == device.dram.size_bytes
    with Classifier(bad, device, known_answer=False) as classifier:
        assert classifier.check(pictures).passed
        assert not classifier.selftest().passed
