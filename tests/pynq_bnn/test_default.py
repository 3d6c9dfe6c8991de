import numpy as np
import pytest

import pynq_bnn
from host_ref.integer import IntegerModel
from pynq_bnn import Classifier, default
from pynq_bnn.errors import DeviceError, ParameterError, PictureError


@pytest.fixture
def made(weights, monkeypatch):
    """Every classifier that is made, on a small network in place of the shipped one."""
    made = []

    def making(*arguments):
        made.append(Classifier(*arguments))
        return made[-1]

    monkeypatch.setattr(default, "Classifier", making)
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "model")
    yield made
    pynq_bnn.close()


@pytest.fixture
def large(rng):
    return rng.integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)


def test_classify_gives_what_the_reference_gives(made, large, cifar_sized):
    expected = IntegerModel(cifar_sized).sums(large)
    assert np.array_equal(pynq_bnn.classify(large[0]).sums, expected[0])
    assert np.array_equal([each.sums for each in pynq_bnn.classify(large)], expected)
    assert np.array_equal([each.sums for each in pynq_bnn.classify(list(large))], expected)


def test_one_classifier_serves_all_until_it_is_closed(made, large):
    first = pynq_bnn.classify(large[0])
    pynq_bnn.classify(large[1])
    assert len(made) == 1
    pynq_bnn.close()
    pynq_bnn.close()
    assert "closed" in repr(made[0])
    assert np.array_equal(pynq_bnn.classify(large[0]).sums, first.sums)
    assert len(made) == 2


def test_a_bad_picture_costs_no_new_classifier(made, large):
    expected = pynq_bnn.classify(large[0]).sums
    for bad in (None, "no such file.png", large.astype(int)):
        with pytest.raises(PictureError):
            pynq_bnn.classify(bad)
    assert np.array_equal(pynq_bnn.classify(large[0]).sums, expected)
    assert len(made) == 1


def test_a_device_that_cannot_be_opened_may_be_tried_again(made, large, monkeypatch):
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "board")
    with pytest.raises(DeviceError, match="board"):
        pynq_bnn.classify(large[0])
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "model")
    pynq_bnn.classify(large[0])


def test_without_weights_the_message_says_so(made, weights, large):
    (weights / "cifar10.npz").unlink()
    with pytest.raises(ParameterError, match="no network 'cifar10'"):
        pynq_bnn.classify(large[0])
