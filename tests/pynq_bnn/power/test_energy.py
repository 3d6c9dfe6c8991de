"""The right energy within 2 %, from logs with a planted truth; and no watt without a source."""

import numpy as np
import pytest

from pynq_bnn.power import NoPowerSource, PowerError, Readings, Trace, j21_watts
from pynq_bnn.power.recording import Recording
from tests.pynq_bnn.power import planted

TRUE_MJ = 1e3 * (planted.IDLE_W + planted.STEP_W) * 10.0 / planted.PICTURES


def fnirsi(path, seconds, watts):
    """As fnirsi-usb-power-data-logger writes: packets of four, stamped when they arrive."""
    rng = np.random.default_rng(3)
    lines = ["timestamp sample_in_packet voltage_V current_A dp_V dn_V temp_C_ema energy_Ws "
             "capacity_As"]
    for first in range(0, len(seconds) - 3, 4):
        arrival = seconds[first] + rng.uniform(0, 0.03)
        lines += [f"{arrival + 0.01 * n:.3f} {n} 5.02000 {watts[first + n] / 5.02:.5f} 1.1 1.0 "
                  "30.5 0.0 0.0" for n in range(4)]
    path.write_text("\n" + "\n".join(lines) + "\n")


def joulescope(path, seconds, watts):
    lines = ["#time,current,voltage,power,charge,energy"]
    lines += [f"{time - seconds[0]:.1f},{power / 4.95:.6g},4.95,{power:.6g},0,0"
              for time, power in zip(seconds, watts)]
    path.write_text("\n".join(lines) + "\n")


def supply(path, seconds, watts):
    lines = ["Time;Voltage [V];Current [mA]"]
    for time, power in zip(seconds, watts):
        day = (time + 86_390) % 86_400  # past midnight on the way
        clock = f"{int(day // 3600):02}:{int(day // 60 % 60):02}:{day % 60:06.3f}"
        lines.append(f"{clock.replace('.', ',')};5,00;{1e3 * power / 5:.1f}".replace(".", ","))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("write, rate", [(fnirsi, 100.0), (joulescope, 2.0), (joulescope, 20.0),
                                         (supply, 5.0)])
def test_the_right_energy(tmp_path, write, rate):
    recorded = planted.recording()
    seconds, watts = planted.readings(recorded, rate, offset=4_321.0, noise_w=0.02, ramp_s=0.02)
    path = tmp_path / "meter.csv"
    write(path, seconds, watts)
    energy = recorded.energy(path)
    assert energy.millijoules.median == pytest.approx(TRUE_MJ, rel=0.02)
    assert energy.watts.median == pytest.approx(planted.IDLE_W + planted.STEP_W, rel=0.02)
    assert energy.idle_watts == pytest.approx((planted.IDLE_W,) * 2, rel=0.02)
    assert energy.above_idle_millijoules.median == pytest.approx(
        1e3 * planted.STEP_W * 10 / planted.PICTURES, rel=0.05)
    assert energy.per_joule.median == pytest.approx(1e3 / TRUE_MJ, rel=0.02)
    assert energy.alignment.agreement > 0.9


def test_a_known_offset_is_taken():
    recorded = planted.recording()
    seconds, watts = planted.readings(recorded, offset=10.0)
    energy = recorded.energy(Trace(seconds, watts, "a meter"), offset_s=10.0)
    assert energy.millijoules.median == pytest.approx(TRUE_MJ, rel=0.005)
    # the planted fault: half a minute beside it the idle board is in the windows
    with pytest.raises(PowerError):
        recorded.energy(Trace(seconds, watts, "a meter"), offset_s=40.0)


def test_typed_in():
    recorded = planted.recording(windows=3)
    energy = recorded.energy(Readings([2.0, 2.1, 2.0], [1.6], "ammeter at J9, 5.0 V"))
    assert energy.watts.median == 2.0
    assert energy.source == "typed in: ammeter at J9, 5.0 V"
    assert energy.above_idle_millijoules.median == pytest.approx(0.4, rel=0.01)
    with pytest.raises(PowerError, match="1 readings for 3 windows"):
        recorded.energy(Readings([2.0], [1.6], "ammeter"))


@pytest.mark.parametrize("windows, idle, how", [
    ([], [1.6], "x"), ([2.0], [], "x"), ([2.0], [1, 2, 3], "x"), ([-2.0], [1.6], "x"),
    ([2.0], [1.6], " ")])
def test_readings_that_are_none(windows, idle, how):
    with pytest.raises(PowerError):
        Readings(windows, idle, how)


def test_zedboards_shunt():
    assert j21_watts(3.5) == pytest.approx(4.2)


def test_nothing_is_made_up():
    with pytest.raises(NoPowerSource, match=r"(?s)nothing is made up.*J9.*J21"):
        planted.recording().energy()


def test_no_work_no_energy():
    with pytest.raises(PowerError, match="no window"):
        Recording().energy()
    recorded = planted.recording(windows=2)
    recorded.done[1].pictures = 0
    with pytest.raises(PowerError, match="without a picture"):
        recorded.energy()


def test_shown(tmp_path):
    recorded = planted.recording()
    energy = recorded.energy(Trace(*planted.readings(recorded, offset=1.0), "a meter"))
    assert "energy a picture, mJ" in str(energy)
    assert "measured by a meter" in str(energy)
    energy.save_json(tmp_path / "energy.json")
    assert '"millijoules"' in (tmp_path / "energy.json").read_text()
    pytest.importorskip("matplotlib")
    energy.save(tmp_path / "energy.png")
    assert (tmp_path / "energy.png").stat().st_size > 10_000
