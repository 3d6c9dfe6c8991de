import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from host_ref.calibration import (
    calibrated,
    expected_calibration_error,
    fit_temperature,
    probabilities,
)
from host_ref.integer import IntegerModel
from host_ref.parameters import ParameterError, load, save
from pynq_bnn import available


def drawn(rng, scores):
    """Labels that are drawn by the softmax of the scores: these are calibrated as they are."""
    return np.array([rng.choice(len(p), p=p) for p in probabilities(scores)])


def test_probabilities_add_up_and_keep_the_order(rng):
    scores = rng.normal(0, 300, (50, 10)).astype(np.float32)
    for temperature in (0.01, 1.0, 40.0):
        found = probabilities(scores, temperature)
        np.testing.assert_allclose(found.sum(axis=1), 1)
        assert (found.argmax(axis=1) == scores.argmax(axis=1)).all()
    np.testing.assert_allclose(probabilities([[0.0, np.log(3.0)]]), [[0.25, 0.75]])


@pytest.mark.parametrize("wrong_by", (0.2, 1.0, 5.0))
def test_a_planted_temperature_is_found(rng, wrong_by):
    scores = rng.normal(0, 2, (8000, 5))
    labels = drawn(rng, scores)
    found = fit_temperature(scores * wrong_by, labels)
    assert found == pytest.approx(wrong_by, rel=0.06)
    before, after = (expected_calibration_error(probabilities(scores * wrong_by, each), labels)
                     for each in (1.0, found))
    assert after < 0.03
    assert wrong_by == 1.0 or before > 2 * after


def test_the_error_is_the_mean_distance_of_confidence_and_accuracy():
    found = np.array([[0.9, 0.1]] * 4 + [[0.4, 0.6]] * 4)
    labels = np.array([0, 0, 1, 1] + [1, 1, 1, 1])
    assert expected_calibration_error(found, labels) == pytest.approx((0.4 + 0.4) / 2)


def test_it_travels_in_the_file(parameters, pictures, tmp_path):
    model = IntegerModel(parameters)
    labels = model.classify(pictures)
    found = calibrated(parameters, pictures, labels, "these")
    assert found.accuracy["calibration"]["on"] == "these"
    assert found.checksum != parameters.checksum
    save(tmp_path / "mine.npz", found)
    assert load(tmp_path / "mine.npz").temperature == found.temperature > 0
    assert parameters.temperature is None


@pytest.mark.parametrize("calibration", (
    None, [], {}, {"temperature": 0}, {"temperature": -1.0}, {"temperature": float("nan")},
    {"temperature": "1"}, {"temperature": True}, {"temperature": float("inf")}))
def test_a_bad_temperature_is_refused(parameters, calibration):
    with pytest.raises(ParameterError, match="calibration must hold a temperature"):
        replace(parameters, accuracy={"calibration": calibration})


@pytest.mark.slow
def test_the_shipped_small_network_on_the_test_pictures(cifar10):
    """docs/accuracy.md's columns."""
    file = available()["cifar10-small"]
    before = file.read_bytes()
    ran = subprocess.run([sys.executable, "-m", "host_ref.calibration", str(file), str(cifar10),
                          "--test"], capture_output=True, text=True, timeout=600)
    assert "0.7412, expected calibration error 0.0801 -> 0.0320 on 10000 test" in ran.stdout
    assert file.read_bytes() == before


def test_the_command_says_what_is_missing(parameters, tmp_path):
    save(tmp_path / "mine.npz", parameters)
    for arguments, complaint in (((tmp_path / "no.npz", tmp_path), "no.npz"),
                                 ((tmp_path / "mine.npz", tmp_path), str(tmp_path))):
        ran = subprocess.run([sys.executable, "-m", "host_ref.calibration", *map(str, arguments)],
                             capture_output=True, text=True, timeout=60)
        assert ran.returncode == 2
        assert complaint in ran.stderr
        assert "Traceback" not in ran.stderr
