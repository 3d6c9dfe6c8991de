from types import SimpleNamespace

import pytest

from pynq_bnn.devices.model import threads
from pynq_bnn.devices.model.threads import PRODUCTS_ALONE, Blas


class Controller:
    """Stands in for threadpoolctl's: two threads, and what they were limited to."""

    def __init__(self, count=2):
        self.lib_controllers = [SimpleNamespace(num_threads=count)]
        self.limits, self.restored = [], 0

    def limit(self, limits):
        self.limits.append(limits)
        return SimpleNamespace(restore_original_limits=self._restore)

    def _restore(self):
        self.restored += 1


class Clock:
    wall = used = 0.0

    def perf_counter(self):
        return self.wall

    def process_time(self):
        return self.used


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(threads, "time", clock)
    return clock


@pytest.fixture
def blas():
    blas = Blas()
    blas._controller, blas._looked = Controller(), True
    return blas


def product(blas, clock, seconds, cores):
    with blas:
        clock.wall += seconds
        clock.used += seconds * cores


def test_two_threads_that_get_their_cores_stay_two(blas, clock):
    for _ in range(10):
        product(blas, clock, 0.1, 1.9)
    assert not blas.alone
    assert blas._controller.limits == []


def test_two_threads_that_share_a_core_become_one_for_a_while(blas, clock):
    product(blas, clock, 0.1, 1.1)
    assert blas.alone
    for _ in range(PRODUCTS_ALONE):
        product(blas, clock, 0.1, 0.5)
    assert blas._controller.limits == [1] * PRODUCTS_ALONE
    assert blas._controller.restored == PRODUCTS_ALONE, "others' products have what they had"
    product(blas, clock, 0.1, 1.9)
    assert len(blas._controller.limits) == PRODUCTS_ALONE, "then two are tried again"
    assert not blas.alone


def test_a_short_product_says_nothing(blas, clock):
    product(blas, clock, 0.0001, 0.1)
    assert not blas.alone


def test_products_at_the_same_time_restore_once(blas, clock):
    product(blas, clock, 0.1, 1.0)
    with blas, blas:
        assert blas._controller.limits == [1]
        assert blas._controller.restored == 0
    assert blas._controller.restored == 1


def test_an_error_inside_restores_too(blas, clock):
    product(blas, clock, 0.1, 1.0)
    with pytest.raises(ValueError), blas:
        raise ValueError
    assert blas._controller.restored == 1


def test_without_threadpoolctl_or_with_one_thread_nothing_is_done(monkeypatch, caplog):
    monkeypatch.setitem(threads.__dict__, "time", None)
    monkeypatch.setitem(__import__("sys").modules, "threadpoolctl", None)
    blas = Blas()
    with caplog.at_level("INFO"), blas:
        pass
    assert "pip install threadpoolctl" in caplog.text
    assert not blas.alone


def test_a_real_one_finds_the_library_or_leaves_it():
    blas = Blas()
    with blas:
        pass
    assert blas._looked
