"""Stamps, a sensor read beside the work, and what survives an exception."""

import time

import numpy as np
import pytest

from pynq_bnn import Classifier
from pynq_bnn.power import PowerError, Recording, hwmon, load, record, sensors
from pynq_bnn.power.recording import Window


@pytest.fixture
def sensor(tmp_path, monkeypatch):
    """One INA226; its power is set by the test."""
    folder = tmp_path / "hwmon" / "hwmon0"
    folder.mkdir(parents=True)
    (folder / "name").write_text("ina226\n")
    file = folder / "power1_input"
    file.write_text("1500000\n")
    monkeypatch.setattr(hwmon, "HWMON", tmp_path / "hwmon")
    assert [each.name for each in sensors()] == ["ina226:power1"]

    def watts(value):
        new = file.with_name("new")
        new.write_text(f"{value * 1e6:.0f}\n")
        new.replace(file)

    watts.file = file
    return watts


@pytest.fixture
def no_sensor(tmp_path, monkeypatch):
    monkeypatch.setattr(hwmon, "HWMON", tmp_path)


def test_windows_of_a_sensor(sensor):
    with Recording(idle_s=0.5, rest_s=0.3) as recording:
        for window in recording.windows(3, 0.5):
            sensor(2.5)
            while window.is_open:
                time.sleep(0.02)
                window.add(4)
            sensor(1.5)
    energy = recording.energy()
    assert energy.source == "ina226:power1"
    assert energy.watts.n == 3
    # half a window's readings lie beside a step here; a real window is twenty times as long
    assert energy.watts.median == pytest.approx(2.5, abs=0.25)
    assert energy.idle_watts == pytest.approx((1.5, 1.5), abs=0.1)
    assert energy.alignment is None


def test_a_classifier_is_recorded(sensor):
    with Classifier(device="model") as classifier:
        pictures = np.zeros((3, 32, 32, 3), np.uint8)
        recording = record(classifier, pictures, windows=2, seconds=0.2, idle_s=0.3, rest_s=0.1)
        assert [window.pictures % classifier.batch for window in recording.done] == [0, 0]
    assert all(window.pictures for window in recording.done)
    assert recording.provenance.device == "model"
    assert recording.energy().millijoules.median > 0


def test_saved_and_loaded(sensor, tmp_path):
    with Recording(idle_s=0.3, rest_s=0.1) as recording:
        for window in recording.windows(2, 0.2):
            window.add(7)
    recording.save(tmp_path / "run.json")
    again = load(tmp_path / "run.json")
    assert again.done == recording.done
    assert again.span == recording.span
    assert str(again.energy()) == str(recording.energy())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"recording": 2}', "[" * 100_000])
def test_what_is_no_recording(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(PowerError, match="not a recording"):
        load(path)


def test_a_named_sensor_must_be_there(no_sensor):
    with pytest.raises(PowerError), Recording("ina226:power1"):
        raise AssertionError("was not to begin")


def test_an_exception_ends_the_sampling(sensor):
    with pytest.raises(KeyError), Recording(idle_s=0.1) as recording:
        raise KeyError("the work's own")
    assert recording._sampler is None


def test_a_sensor_that_fails_on_the_way(sensor):
    with pytest.raises(PowerError, match="can't be read"), Recording(idle_s=0.3):
        sensor.file.unlink()


def test_odd_times(no_sensor):
    with pytest.raises(PowerError, match="more than 0"), Recording(idle_s=0):
        pass
    with Recording(idle_s=0.01) as recording, pytest.raises(PowerError, match="at least 1"):
        next(recording.windows(0))
    assert Window(time.monotonic() - 2, 1.0).is_over()
