"""Sensors on a made-up sysfs tree."""

import pytest

from pynq_bnn.power import NoPowerSource, PowerError, sensors
from pynq_bnn.power.hwmon import choose


def chip(root, number, name, **files):
    folder = root / f"hwmon{number}"
    folder.mkdir()
    (folder / "name").write_text(f"{name}\n")
    for file, text in files.items():
        (folder / file).write_text(f"{text}\n")


@pytest.fixture
def tree(tmp_path):
    chip(tmp_path, 0, "cpu_thermal", temp1_input=43000)
    chip(tmp_path, 1, "ina226", in0_input=3, in1_input=5012, curr1_input=310,
         power1_input=1_550_000)
    chip(tmp_path, 2, "shunt", in1_input=5000, curr1_input=400, in2_input=1000)
    chip(tmp_path, 3, "irps5401", power1_input=2_000_000, power1_label="pin",
         power2_input=700_000, power2_label="pout1")
    return tmp_path


def test_what_measures_power_is_found(tree):
    there = {sensor.name: sensor.read() for sensor in sensors(tree)}
    assert there == {"ina226:power1": pytest.approx(1.55), "shunt:curr1": pytest.approx(2.0),
                     "irps5401:power1 pin": 2.0, "irps5401:power2 pout1": pytest.approx(0.7)}


def test_the_only_one_is_taken(tmp_path):
    chip(tmp_path, 0, "ina219", power1_input=1_600_000)
    assert [sensor.name for sensor in choose(None, tmp_path)] == ["ina219:power1"]


def test_of_several_one_is_named(tree):
    with pytest.raises(PowerError, match="several sensors here.*ina226:power1"):
        choose(None, tree)
    assert [each.name for each in choose("ina226:power1", tree)] == ["ina226:power1"]
    assert len(choose(["ina226:power1", "shunt:curr1"], tree)) == 2
    for wrong in ("ina227", [], ["shunt:curr1", "shunt:curr1"]):
        with pytest.raises(PowerError, match="as the source"):
            choose(wrong, tree)


def test_none_says_what_to_connect(tmp_path):
    chip(tmp_path, 0, "xadc", temp1_input=43000, in1_input=1000)
    with pytest.raises(NoPowerSource, match=r"(?s)nothing is made up.*J9.*J21"):
        choose(None, tmp_path)


def test_a_sensor_that_went_away(tree):
    sensor = choose("ina226:power1", tree)[0]
    sensor.files[0].unlink()
    with pytest.raises(PowerError, match="ina226:power1 can't be read"):
        sensor.read()
