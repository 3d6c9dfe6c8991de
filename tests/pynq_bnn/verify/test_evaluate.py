import json
import sys

import numpy as np
import pytest
from PIL import Image

from host_ref.cifar10 import CLASSES, DatasetError
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_parameters
from pynq_bnn import Classifier
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.errors import ParameterError
from pynq_bnn.verify.evaluate import Evaluation, evaluate

COUNT = 23


@pytest.fixture
def classifier(cifar_sized):
    with Classifier(cifar_sized, ModelDevice(batch=5)) as classifier:
        yield classifier


def test_every_picture_is_counted_where_it_belongs(classifier, cifar_sized, dataset):
    folder, pictures, labels = dataset
    evaluation = evaluate(classifier, folder)
    expected = np.zeros((10, 10), int)
    for true, predicted in zip(labels, IntegerModel(cifar_sized).classify(pictures)):
        expected[true, predicted] += 1
    assert np.array_equal(evaluation.confusion, expected)
    assert evaluation.count == COUNT
    assert evaluation.right == sum(expected[n, n] for n in range(10))
    assert evaluation.accuracy == evaluation.right / COUNT
    assert evaluation.parameters == cifar_sized.checksum


@pytest.mark.parametrize("count", [1, 5, 7, COUNT, 10 * COUNT])
def test_the_first_pictures_alone(classifier, dataset, count):
    folder, _, labels = dataset
    evaluation = evaluate(classifier, folder, count)
    assert evaluation.count == min(count, COUNT)
    assert np.array_equal(evaluation.confusion.sum(axis=1),
                          np.bincount(labels[:count], minlength=10))


def test_a_run_follows_another_while_that_works(classifier, dataset, monkeypatch):
    monkeypatch.setattr(Classifier, "run_size", 5)
    start, followed = classifier.accelerator.start, []

    def recorded(pictures, following=None, before=None):
        followed.append((len(pictures), following is not None))
        return start(pictures, following, before)

    monkeypatch.setattr(classifier.accelerator, "start", recorded)
    evaluate(classifier, dataset[0])
    assert followed == [(5, True), (5, True), (5, True), (5, False), (3, False)]


@pytest.mark.parametrize("count", [0, -3])
def test_no_pictures_are_no_accuracy(classifier, dataset, count):
    with pytest.raises(ValueError, match="at least 1 picture"):
        evaluate(classifier, dataset[0], count)


def test_a_folder_without_the_data_is_refused(classifier, tmp_path):
    with pytest.raises(DatasetError, match="test_batch.bin"):
        evaluate(classifier, tmp_path)


@pytest.mark.parametrize("folder", [None, 7, "a\0b", "x" * 5000])
def test_what_is_not_a_folder(classifier, folder):
    with pytest.raises(DatasetError, match="folder"):
        evaluate(classifier, folder)


def test_other_classes_or_sizes_are_refused(dataset, parameters, cifar_sized, rng):
    other = random_parameters(cifar_sized.network, rng)
    with Classifier(other, ModelDevice()) as classifier, \
            pytest.raises(ParameterError, match="'random' tells other classes apart"):
        evaluate(classifier, dataset[0])
    with Classifier(parameters, ModelDevice()) as classifier, \
            pytest.raises(ParameterError, match="takes pictures of 8 x 10"):
        evaluate(classifier, dataset[0])


def test_a_progress_bar_changes_nothing(classifier, dataset, monkeypatch):
    plain = evaluate(classifier, dataset[0])
    assert np.array_equal(evaluate(classifier, dataset[0], progress=True).confusion,
                          plain.confusion)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert np.array_equal(evaluate(classifier, dataset[0], progress=True).confusion,
                          plain.confusion)


@pytest.fixture
def evaluation():
    confusion = np.zeros((10, 10), np.int64)
    confusion[3, 3], confusion[3, 5], confusion[0, 0] = 30, 10, 5
    return Evaluation(CLASSES, confusion, "model", "0123456789abcdef0123")


def test_for_people_and_for_programs(evaluation):
    lines = str(evaluation).splitlines()
    assert lines[0] == "35 of 45 right: 77.78 % (device model, parameters 0123456789abcdef)"
    assert [line.split() for line in lines[1:]] == [["airplane", "100.00", "%"],
                                                    ["cat", "75.00", "%"]]
    again = json.loads(json.dumps(evaluation.to_dict()))
    assert (again["right"], again["count"]) == (35, 45)
    assert again["confusion"][3][5] == 10
    assert again["classes"] == list(CLASSES)


def test_the_confusion_matrix_as_a_picture(evaluation, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / "confusion.png"
    evaluation.save(path)
    with Image.open(str(path)) as image:
        assert min(image.size) > 400
        assert len(image.convert("RGB").getcolors(1 << 24)) > 20, "not blank"
