import numpy as np
import pytest

from pynq_bnn.power import PowerError, Trace


def trace(seconds, watts):
    return Trace(np.array(seconds, float), np.array(watts, float), "a meter")


def test_energy_under_straight_lines():
    some = trace([0, 1, 2], [0, 2, 2])
    assert some.joules(0, 2) == 3
    assert some.joules(0.5, 1.5) == pytest.approx(0.75 + 1)
    assert some.mean(1, 2) == 2
    assert some.moved(10).joules(10, 12) == 3


def test_thinned_keeps_the_mean():
    times = np.arange(0, 10, 0.001)
    some = trace(times, np.sin(times))
    thin = some.thinned(0.1)
    assert len(thin.seconds) == 100
    assert thin.watts.mean() == pytest.approx(some.watts.mean(), rel=1e-3)
    assert some.thinned(0.001) is some


def test_what_is_not_covered_is_refused():
    some = trace([0, 1, 2, 3, 4], [1] * 5)
    with pytest.raises(PowerError, match="from 0.0 to 4.0 s, but 3.0 to 9.0 s are wanted"):
        some.joules(3, 9)
    with pytest.raises(PowerError, match="no reading for 18.0 s"):
        trace([0, 1, 2, 20, 21, 22, 23], [1] * 7).joules(0, 23)


@pytest.mark.parametrize("seconds, watts, message", [
    ([0, 1], [1], "not two rows"), ([0], [1], "two at least"),
    ([0, 0], [1, 1], "do not increase"), ([0, 1], [1, float("nan")], "finite")])
def test_what_is_no_trace(seconds, watts, message):
    with pytest.raises(PowerError, match=message):
        trace(seconds, watts)
