import numpy as np
import pytest

from host_ref.accuracy.arithmetics import Answers
from host_ref.accuracy.report import Report
from host_ref.cifar10 import CLASSES


def answers(scores, moved=0, vanished=None):
    """Sums that are the scores times ten."""
    padded = np.full((len(scores), 10), -5.0)
    padded[:, :3] = scores
    return Answers((10 * padded).astype(np.int32), padded, moved, vanished or {})


@pytest.fixture
def report():
    """Five pictures: two automobiles, two airplanes, a bird; the integers are wrong of three."""
    labels = np.array([1, 1, 0, 0, 2], np.uint8)
    integer = [[0, 3, 0], [4, 0, 0], [2, 1, 0], [0, 1, 0], [0, 6, 1]]
    fixed = [[0, 3, 0], [4, 0, 0], [2, 1, 1], [1, 0, 0], [0, 6, 1]]
    return Report("made up", "0123456789abcdef0123", CLASSES, labels,
                  {"fixed": answers(fixed, 1234, {"conv5": 1}), "integer": answers(integer)})
