import numpy as np
import pytest

from host_ref import fixed_point
from host_ref.accuracy.arithmetics import ARITHMETICS, CHUNK, Answers, answer
from host_ref.integer import IntegerModel


@pytest.fixture
def many(rng):
    """More than a chunk of pictures, and not a whole number of them."""
    return rng.integers(0, 256, (CHUNK + 3, 8, 10, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", ARITHMETICS)
def test_each_arithmetic_gives_its_model_s_sums(parameters, many, name):
    changed = {"fixed": fixed_point.scaled, "paper": fixed_point.paper}.get(name)
    model = IntegerModel(changed(parameters) if changed else parameters)
    got = answer(parameters, many, name)
    assert np.array_equal(got.sums, model.sums(many))
    assert np.allclose(got.scores, model.scores(got.sums), rtol=1e-5)
    assert bool(got.vanished) == bool(got.moved) == bool(changed), "random k have many magnitudes"


def test_of_equal_scores_the_first():
    scores = np.array([[1.0, 2.0, 2.0], [3.0, 3.0, 1.0]])
    assert Answers(scores.astype(np.int32), scores, 0, {}).predicted.tolist() == [1, 0]


def test_probabilities_of_any_scores():
    scores = np.array([[0.0, 0.0], [1e30, -1e30], [np.log(3), 0.0]])
    own = Answers(np.zeros((3, 2), np.int32), scores, 0, {})
    assert np.allclose(own.probabilities, [[0.5, 0.5], [1, 0], [0.75, 0.25]])
