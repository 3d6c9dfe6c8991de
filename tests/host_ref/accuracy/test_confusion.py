import numpy as np
import pytest

from host_ref.accuracy import confusion
from host_ref.accuracy.confusion import confusion_matrix, precision, recall


def test_each_picture_is_counted_once_where_it_belongs():
    labels = np.array([0, 0, 0, 2], np.uint8)
    assert confusion_matrix(labels, np.array([0, 1, 1, 2]), 3).tolist() == [
        [1, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_recall_and_precision():
    matrix = np.array([[1, 3, 0], [0, 2, 0], [0, 0, 0]])
    assert np.array_equal(recall(matrix), [0.25, 1, np.nan], equal_nan=True)
    assert np.array_equal(precision(matrix), [1, 0.4, np.nan], equal_nan=True)


@pytest.mark.parametrize("matrix", [np.zeros((3, 3), int), np.diag([3, 0, 2]),
                                    np.array([[0, 9, 1], [0, 0, 0], [4, 0, 1]])])
def test_any_matrix_can_be_drawn(matrix, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / "confusion.png"
    confusion.save(matrix, ["one", "two", "three"], "made up", path)
    assert path.stat().st_size > 1000
