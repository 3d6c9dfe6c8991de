import json

import numpy as np
import pytest

from pynq_bnn import Classifier
from pynq_bnn.measure import latency
from pynq_bnn.timing import Timing, parts


@pytest.fixture(scope="module")
def classifier():
    with Classifier(device="model") as classifier:
        yield classifier


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def test_the_parts_add_up_and_nothing_is_made_up(classifier, picture):
    report = latency(classifier, picture, repeat=3, warm_up=1)
    wall = report.wall_clock_ms
    assert set(wall) == {name for name, _ in parts(classifier.device.name)}
    assert wall["total"].n == 3
    assert 0 < wall["run"].median < wall["total"].median
    assert report.device_ms is None
    assert report.layers is None
    assert "not measured: this device counts no cycles" in str(report)
    assert report.reference_ms is not None
    assert report.reference_ms.median > 0


def test_every_figure_says_what_it_was_measured_on(classifier, picture):
    report = latency(classifier, picture, repeat=1, warm_up=0, reference=False)
    text = str(report)
    for fact in ("device model", classifier.parameters.checksum[:16], "numpy " + np.__version__,
                 "1 picture a call, 1 calls after 0"):
        assert fact in text
    assert json.loads(json.dumps(report.to_dict()))["provenance"]["device"] == "model"


def test_calls_are_counted_and_medians_are_theirs(classifier, picture, monkeypatch):
    """Planted times: each call takes a millisecond more than the one before."""
    calls = []

    class Planted:
        @property
        def timing(self):
            n = len(calls)
            return Timing("rtl", 1, 0.0, 0.0, n * 1e-3, 0.0, n * 1e-3, n * 100, 100.0)

    monkeypatch.setattr(classifier, "classify", lambda images: (calls.append(1), Planted())[1])
    report = latency(classifier, picture, repeat=5, warm_up=2, reference=False)
    assert len(calls) == 7
    assert report.wall_clock_ms["run"].median == pytest.approx(5.0)
    assert report.device_ms.median == pytest.approx(500 / 100e3)
    assert report.is_predicted
    assert "predicted, simulated" in str(report)


def test_figure(classifier, picture, tmp_path):
    pytest.importorskip("matplotlib")
    latency(classifier, [picture] * 2, repeat=2).save(tmp_path / "latency.png")
    assert (tmp_path / "latency.png").stat().st_size > 10_000


def test_what_it_can_t_measure_is_refused(classifier, picture):
    with pytest.raises(ValueError, match="at most .* go through the device together"):
        latency(classifier, [picture] * (classifier.batch + 1))
    with pytest.raises(ValueError, match="repeat 0"):
        latency(classifier, picture, repeat=0)
