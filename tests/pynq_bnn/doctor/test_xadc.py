"""The XADC as Linux shows it, made up: readings in millivolts and milli-degrees."""

import pytest

from pynq_bnn.doctor import xadc


@pytest.fixture
def device(tmp_path):
    folder = tmp_path / "iio:device0"
    folder.mkdir()
    for name, text in {"name": "xadc", "in_temp0_raw": 2600, "in_temp0_offset": -2219,
                       "in_temp0_scale": 123.040771484, "in_voltage0_vccint_raw": 1365,
                       "in_voltage0_vccint_scale": 0.732421875, "in_voltage1_vccaux_raw": 2458,
                       "in_voltage1_vccaux_scale": 0.732421875, "in_voltage8_raw": 7}.items():
        (folder / name).write_text(f"{text}\n")
    return folder


def test_temperature_and_voltages(tmp_path, device):
    found = xadc.read(tmp_path)
    assert found == pytest.approx({"temperature": 46.88, "vccint": 0.99976, "vccaux": 1.80029},
                                  abs=5e-3)
    assert xadc.outside(found) == {}


def test_what_is_beyond_its_limits_is_named(tmp_path, device):
    (device / "in_voltage0_vccint_raw").write_text("1270\n")
    (device / "in_temp0_raw").write_text("3000\n")
    assert xadc.outside(xadc.read(tmp_path)) == {"vccint": "0.95 to 1.05 V",
                                                 "temperature": "85 °C at most"}


def test_without_one(tmp_path, device):
    assert xadc.read(tmp_path / "nowhere") == {}
    (device / "name").write_text("ads1015\n")
    assert xadc.read(tmp_path) == {}
