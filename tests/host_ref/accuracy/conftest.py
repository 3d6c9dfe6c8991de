import numpy as np
import pytest

from host_ref.accuracy.arithmetics import Answers
from host_ref.accuracy.report import Report
from host_ref.cifar10 import CLASSES

COUNT = 8


@pytest.fixture
def dataset(rng, tmp_path):
    """A folder laid out as CIFAR-10's binary version, its pictures and its labels."""
    pictures = rng.integers(0, 256, (COUNT, 32, 32, 3)).astype(np.uint8)
    labels = rng.integers(0, 10, COUNT).astype(np.uint8)
    planes = pictures.transpose(0, 3, 1, 2).reshape(COUNT, -1)
    records = np.concatenate([labels[:, np.newaxis], planes], axis=1)
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    return tmp_path, pictures, labels


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
