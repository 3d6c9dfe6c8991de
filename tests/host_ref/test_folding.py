"""Folding against the unfolded arithmetic over every reachable sum."""

from fractions import Fraction

import numpy as np
import pytest

from host_ref.folding import apply, fold

EVERY_SUM = np.arange(-8192, 8193)
SMALLEST = np.float32(2.0 ** -149)


def float32(values):
    return np.array(values, dtype=np.float32)


def exact_plus(k, h, s):
    """Is k·s + h >= 0, by exact fractions."""
    return Fraction(float(k)) * int(s) + Fraction(float(h)) >= 0


def unfolded_plus(k, h, sums):
    """The same for arrays, sums (S, 1), in float64: exact, as the test below proves."""
    return k.astype(np.float64) * sums + h.astype(np.float64) >= 0


def assert_folds(k, h):
    thresholds, flips = fold(k, h)
    assert thresholds.dtype == np.int16
    assert flips.dtype == bool
    assert thresholds.shape == flips.shape == k.shape
    sums = EVERY_SUM[:, np.newaxis]
    for start in range(0, len(k), 256):
        part = slice(start, start + 256)
        folded = (sums >= thresholds[part]) ^ flips[part]
        wrong = np.argwhere(folded != unfolded_plus(k[part], h[part], sums))
        assert not len(wrong), [(EVERY_SUM[s], k[part][o], h[part][o]) for s, o in wrong[:5]]


MAGNITUDES = float32([1, 0.1, 1 / 3, 3, 255, 1e-3, 1e-10, 1e-38, 1.1754944e-38, 1e-40, 3e-45,
                      SMALLEST, 1e10, 1e30, 2 ** -126, 2 ** -20, 7 * 2 ** -20, 0.99999994])
KS = np.concatenate([MAGNITUDES, -MAGNITUDES, float32([0.0, -0.0])])


def on_and_beside(k):
    """h that put the threshold on a sum, and the float32 numbers just beside them."""
    at = (-float(k) * np.array([-8193, -8192, -8191, -100, -3, -1, 0, 1, 2, 99, 8191, 8192, 8193])
          ).astype(np.float32)
    never = float32([0.0, -0.0, SMALLEST, -SMALLEST, 1e-40, -1e-40, 1, -1, 1e30, -1e30])
    up, down = np.nextafter(at, np.float32(np.inf)), np.nextafter(at, np.float32(-np.inf))
    return np.concatenate([at, up, down, never])


@pytest.mark.parametrize("k", KS)
def test_on_and_beside_the_threshold(k):
    h = on_and_beside(k)
    assert_folds(np.full(h.shape, k), h)


@pytest.mark.parametrize("k, h", [
    (1 / 3, -1), (-1 / 3, 1), (0.1, -409.6), (-0.1, 409.6), (SMALLEST, -8192 * SMALLEST),
    (-SMALLEST, 8191 * SMALLEST), (1e30, -1e30), (1e30, -1e-45), (-1e-40, 1e-45), (0.0, -0.0),
    (0.99999994, -8191.9995), (-0.99999994, 8191.9995),
])
def test_float64_and_fractions_agree_at_every_sum(k, h):
    k, h = float32([k]), float32([h])
    exact = [exact_plus(k[0], h[0], s) for s in EVERY_SUM]
    assert unfolded_plus(k, h, EVERY_SUM[:, np.newaxis])[:, 0].tolist() == exact
    bits = apply(EVERY_SUM[:, np.newaxis], *fold(k, h))
    assert bits.dtype == np.uint8
    assert (bits[:, 0] == 0).tolist() == exact


def test_random_batch_norms():
    rng = np.random.default_rng(1)
    k = (rng.choice([-1, 1], 2000) * 10.0 ** rng.uniform(-6, 3, 2000)).astype(np.float32)
    h = (-k * rng.normal(0, 1500, 2000)).astype(np.float32)
    assert_folds(k, h)


def test_random_bit_patterns():
    rng = np.random.default_rng(2)
    k, h = rng.integers(0, 1 << 32, (2, 2000), dtype=np.uint32).view(np.float32)
    fair = (np.abs(k) <= 1e30) & (np.abs(h) <= 1e30)
    assert fair.sum() > 1000
    assert_folds(k[fair], h[fair])


def test_known_thresholds():
    k = float32([1, 1, 2, -1, -2, 0, 0, -0.0, 1, 1])
    h = float32([0, -5, -5, 5, 5, 3, -3, -0.0, -1e30, 1e30])
    thresholds, flips = fold(k, h)
    #  s>=0, s>=5, s>=2.5, s<=5, s<=2.5, always, never, always, never, always
    assert thresholds.tolist() == [0, 5, 3, 6, 3, -32768, -32768, -32768, 32767, -32768]
    assert flips.tolist() == [False, False, False, True, True, False, True, False, False, False]


def test_the_threshold_is_the_first_sum_that_differs():
    """Off by one either way is wrong: the output changes exactly at t."""
    k, h = float32([0.5, -0.5]), float32([-50, 50])
    thresholds, flips = fold(k, h)
    at = apply(np.array([[99, 100], [100, 101]]), thresholds, flips)
    assert thresholds.tolist() == [100, 101]
    assert at.tolist() == [[1, 0], [0, 1]]


def test_pooling_before_the_threshold():
    """(any of four s >= t) XOR flip is the sign of k·max(s) + h."""
    rng = np.random.default_rng(3)
    k = rng.choice([-1, 0, 1], 500).astype(np.float32)
    h = rng.integers(-20, 20, 500).astype(np.float32)
    four = rng.integers(-25, 25, (4, 500))
    thresholds, flips = fold(k, h)
    folded = (four >= thresholds).any(axis=0) ^ flips
    assert (folded == (k * four.max(axis=0) + h >= 0)).all()


@pytest.mark.parametrize("k, h", [(np.nan, 0), (1, np.nan), (np.inf, 0), (1, -np.inf)])
def test_what_is_no_number_is_refused(k, h):
    with pytest.raises((ValueError, OverflowError)):
        fold(float32([k]), float32([h]))
