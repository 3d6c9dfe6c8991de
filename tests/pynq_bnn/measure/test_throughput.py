import importlib

import numpy as np
import pytest

from pynq_bnn import Classifier
from pynq_bnn.measure import throughput


@pytest.fixture(scope="module")
def classifier():
    with Classifier(device="model") as classifier:
        yield classifier


@pytest.fixture
def pictures():
    return np.random.default_rng(5).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)


def test_full_batches_are_streamed(classifier, pictures):
    report = throughput(classifier, pictures, seconds=1.0)
    assert report.pictures % report.batch == 0
    assert report.pictures > 0
    assert report.rate.p10 <= report.rate.median <= report.rate.p90
    assert report.device_rate is None
    assert "device model" in str(report)


def test_nothing_to_stream(classifier):
    with pytest.raises(ValueError, match="no picture"):
        throughput(classifier, [])
    with pytest.raises(ValueError, match="seconds 0"):
        throughput(classifier, np.zeros((32, 32, 3), np.uint8), seconds=0)


def test_the_rate_is_that_of_the_clock(classifier, pictures, monkeypatch):
    """A planted clock: every look at it takes a tenth of a second."""
    now = [0.0]

    def tick():
        now[0] += 0.1
        return now[0]

    class Answer:
        timing = type("Timing", (), {"device_ms": 4.0, "count": classifier.batch})

    monkeypatch.setattr(classifier, "stream", lambda source: (Answer() for _ in source))
    module = importlib.import_module("pynq_bnn.measure.throughput")  # the package has the function
    monkeypatch.setattr(module.time, "perf_counter", tick)
    report = throughput(classifier, pictures, seconds=10.0)
    assert report.rate.median == pytest.approx(classifier.batch / 0.2)  # two looks a batch
    assert report.device_rate == pytest.approx(classifier.batch / 4e-3)
