"""Logs as the meters write them."""

import numpy as np
import pytest

from pynq_bnn.power import PowerError, read_log

FNIRSI = """
timestamp sample_in_packet voltage_V current_A dp_V dn_V temp_C_ema energy_Ws capacity_As
1657568326.775 0 5.00000 0.30000 1.184 1.031 30.500 0.000000 0.000001
1657568326.785 1 5.00000 0.40000 1.184 1.033 30.500 0.000000 0.000001
1657568326.795 2 5.00000 0.30000 1.184 1.030 30.500 0.000000 0.000002
1657568326.805 3 5.00000 0.30000 1.184 1.031 30.500 0.000000 0.000002
1657568326.810 0 5.00000 0.30000 1.185 1.032 30.500 0.000000 0.000003
1657568326.820 1 5.00000 0.30000 1.184 1.029 30.500 0.000000 0.000003
1657568326.830 2 5.00000 0.50000 1.184 1.029 30.500 0.000000 0.000003
1657568326.826 0 5.00000 0.30000 1.188 1.042 30.500 0.000000 0.000003
"""
JOULESCOPE = """#time,current,voltage,power,charge,energy
0.0,0.399422,4.74572,1.89553,0,0
0.5,0.400691,4.74479,1.90114,0.200345,0.950568
1.0,0.399392,4.74555,1.89532,0.400042,1.89823
"""
JOULESCOPE_MORE = """time,current,voltage,power,charge,energy,current_min,current_max
10.5,0.4,5,2.0,0,0,0.1,9
11.0,0.5,5,2.5,0,0,0.1,9
"""


def log(tmp_path, text, **options):
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    return read_log(path, **options)


def test_fnirsi(tmp_path):
    trace = log(tmp_path, FNIRSI)
    assert trace.watts == pytest.approx([1.5, 2.0, 1.5, 1.5, 1.5, 1.5, 2.5, 1.5])
    # its stamps count back between packets; the readings are evenly spaced
    assert np.diff(trace.seconds) == pytest.approx([trace.period] * 7)
    assert trace.span[0] == pytest.approx(1657568326.775, abs=0.01)


def test_fnirsi_appended_to_an_older_file(tmp_path):
    later = FNIRSI.replace("1657568326", "1657568426")
    assert len(log(tmp_path, FNIRSI + later).watts) == 16


def test_joulescope(tmp_path):
    trace = log(tmp_path, JOULESCOPE)
    assert trace.watts.tolist() == [1.89553, 1.90114, 1.89532]
    assert trace.seconds.tolist() == [0, 0.5, 1]
    assert log(tmp_path, JOULESCOPE_MORE).watts.tolist() == [2.0, 2.5]


@pytest.mark.parametrize("text, watts, seconds", [
    ("0,5,0.3\n1,5,0.4\n", [1.5, 2], [0, 1]),
    ("0 1.5\n1 2\n", [1.5, 2], [0, 1]),
    ("Time [ms];U [V];I [mA]\n0;5,0;300\n500;5,0;400\n", [1.5, 2], [0, 0.5]),
    ("Time (s)\tVoltage (V)\tCurrent (A)\n0\t5\t0.3\n1\t5\t0.4\n", [1.5, 2], [0, 1]),
    ("Date Time,Output Voltage,Output Current,Output Power\n"
     "2026-11-26 23:59:59.5,5,0.3,1.5\n2026-11-27 00:00:00.5,5,0.4,2.0\n", [1.5, 2], [0, 1]),
    ("timestamp,mW\n2026-11-26T10:00:00Z,1500\n2026-11-26T10:00:02Z,2000\n", [1.5, 2], [0, 2]),
    ("Time,Watts\n11:59:59 AM,1.5\n12:00:01 PM,2\n", [1.5, 2], [0, 2]),
    ("timestamp,power_w\n1700000000000,1.5\n1700000000250,2\n", [1.5, 2], [0, 0.25]),
    ("Model,SUPPLY 3000\nSerial,17\n\nTime,CH1 Voltage(V),CH1 Current(A)\n0,5,0.3\n1,5,0.4\n",
     [1.5, 2], [0, 1]),
    ('"time","V","A"\n"0","5","0.3"\n"1","5","0.4"\n', [1.5, 2], [0, 1]),
    # a clock of whole seconds under faster readings
    ("time,watts\n0,1\n0,2\n1,2\n", [1.5, 2], [0, 1]),
])
def test_what_others_export(tmp_path, text, watts, seconds):
    trace = log(tmp_path, text)
    assert trace.watts == pytest.approx(watts)
    assert trace.seconds - trace.seconds[0] == pytest.approx(seconds)


def test_amperes_alone_want_the_supply(tmp_path):
    with pytest.raises(PowerError, match="supply_v="):
        log(tmp_path, "time,current\n0,0.3\n1,0.4\n")
    trace = log(tmp_path, "time,current\n0,0.3\n1,0.4\n", supply_v=5)
    assert trace.watts == pytest.approx([1.5, 2])


def test_a_shunt(tmp_path):
    trace = log(tmp_path, "time,mV\n0,3\n1,4\n", supply_v=12, shunt_ohm=0.01)
    assert trace.watts == pytest.approx([3.6, 4.8])
    with pytest.raises(PowerError, match="supply_v"):
        log(tmp_path, "time,mV\n0,3\n1,4\n", shunt_ohm=0.01)


@pytest.mark.parametrize("text, message", [
    ("", "no table of numbers"),
    ("hello\nworld\n", "no table of numbers"),
    ("time,temperature\n0,30\n1,31\n", "'time', 'temperature'"),
    ("0,1,2,3\n1,1,2,3\n", "4 columns without names"),
    ("time,watts\n0,1\n1,nan\n", "not a finite number"),
])
def test_what_is_no_log(tmp_path, text, message):
    with pytest.raises(PowerError, match=message):
        log(tmp_path, text)


def test_no_file(tmp_path):
    with pytest.raises(PowerError, match=r"nowhere\.csv: No such file"):
        read_log(tmp_path / "nowhere.csv")
