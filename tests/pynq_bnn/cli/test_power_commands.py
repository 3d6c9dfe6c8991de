"""``power`` and ``energy``: a sensor here, or a meter's log afterwards."""

import json

import numpy as np
import pytest
from PIL import Image

from pynq_bnn.power import hwmon
from tests.pynq_bnn.power import planted

OK, BAD_INPUT = 0, 2
QUICK = ("--windows", 2, "--seconds", 0.2, "--idle", 0.3, "--device", "model")


@pytest.fixture
def picture(tmp_path, weights, monkeypatch):
    monkeypatch.setattr(hwmon, "HWMON", tmp_path / "hwmon")
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def sensor(tmp_path):
    folder = tmp_path / "hwmon" / "hwmon0"
    folder.mkdir(parents=True)
    (folder / "name").write_text("ina226")
    (folder / "power1_input").write_text("1600000")


def test_with_a_sensor(run, picture, sensor, tmp_path):
    code, out, _ = run("power", picture, *QUICK, "--json", "--figure", tmp_path / "power.png")
    report = json.loads(out)
    assert code == OK
    assert report["watts"]["median"] == pytest.approx(1.6)
    assert report["source"] == "ina226:power1"
    assert report["provenance"]["device"] == "model"
    assert (tmp_path / "power.png").exists()


def test_without_one_nothing_is_waited_for(run, picture):
    code, out, err = run("power", picture)
    assert (code, out) == (BAD_INPUT, "")
    assert err.startswith("NoPowerSource: no sensor here measures power")
    assert run("power", picture, "--source", "ina219:power1", "--save", "x.json")[0] == BAD_INPUT


def test_without_one_the_stamps_are_kept(run, picture, tmp_path):
    code, out, _ = run("power", picture, *QUICK, "--save", tmp_path / "run.json")
    assert code == OK
    assert "run.json METER.csv" in out
    assert len(json.loads((tmp_path / "run.json").read_text())["windows"]) == 2


def test_a_log_comes_later(run, tmp_path):
    recorded = planted.recording()
    recorded.save(tmp_path / "run.json")
    seconds, watts = planted.readings(recorded, offset=77.0)
    np.savetxt(tmp_path / "meter.csv", np.stack([seconds, watts / 5], 1), delimiter=",",
               header="time,current")
    arguments = ("energy", tmp_path / "run.json", tmp_path / "meter.csv")
    code, out, _ = run(*arguments, "--supply-v", 5, "--json")
    assert code == OK
    report = json.loads(out)
    assert report["watts"]["median"] == pytest.approx(planted.IDLE_W + planted.STEP_W, rel=0.01)
    assert report["alignment"]["offset_s"] == pytest.approx(77.0, abs=0.05)
    code, _, err = run(*arguments)
    assert code == BAD_INPUT
    assert "supply_v=" in err
