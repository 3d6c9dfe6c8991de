import pytest

from pynq_bnn.measure.summary import Summary


def test_middle_and_spread():
    assert Summary.of(range(101)) == Summary(101, 50.0, 10.0, 90.0)
    assert Summary.of([3.0]) == Summary(1, 3.0, 3.0, 3.0)


def test_one_outlier_moves_neither():
    assert Summary.of([1.0] * 30 + [1000.0]) == Summary(31, 1.0, 1.0, 1.0)


def test_nothing_is_not_summarised():
    with pytest.raises(ValueError, match="no measurement"):
        Summary.of([])
