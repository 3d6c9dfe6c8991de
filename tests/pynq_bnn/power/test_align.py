"""The meter's clock found from the steps of the load: planted offsets, within 50 ms."""

import numpy as np
import pytest

from pynq_bnn.power import PowerError, Trace
from pynq_bnn.power.align import align
from tests.pynq_bnn.power import planted


def found(recorded, windows=None, **options):
    seconds, watts = planted.readings(recorded, **options)
    spans = [(window.begin, window.end) for window in windows or recorded.done]
    return align(Trace(seconds, watts, "a meter"), spans)


@pytest.mark.parametrize("offset", [0.0, 3.21, -1_657_563_326.775, 4_993.0])
@pytest.mark.parametrize("options", [
    {"rate": 100.0, "noise_w": 0.05},
    {"rate": 100.0, "noise_w": 0.3},
    {"rate": 10.0, "noise_w": 0.02},
    {"rate": 1000.0, "noise_w": 0.5},
    {"rate": 100.0, "noise_w": 0.05, "drift_w": 0.3},
    {"rate": 100.0, "noise_w": 0.02, "ramp_s": 0.2},
], ids=str)
def test_within_50_ms(offset, options):
    alignment = found(planted.recording(), offset=offset, **options)
    # readings are means, stamped at their ends: what is found puts their middles right
    assert alignment.offset_s == pytest.approx(offset - 0.5 / options["rate"], abs=0.05)
    assert alignment.step_w == pytest.approx(planted.STEP_W, rel=0.2)


def test_a_slow_meter_by_its_averages():
    """Two readings a second: a fifth of the windows' edges fall inside one."""
    alignment = found(planted.recording(), rate=2.0, noise_w=0.01, offset=100.0)
    assert alignment.offset_s == pytest.approx(100.0 - 0.25, abs=0.05)


def test_one_window_is_enough():
    recorded = planted.recording(windows=1)
    assert found(recorded, offset=12.0, noise_w=0.05).offset_s == pytest.approx(12.0, abs=0.05)


@pytest.mark.parametrize("watts", [
    lambda times: 1.6 + 0.05 * np.random.default_rng(1).standard_normal(len(times)),
    lambda times: 1.6 + 0.01 * (times - times[0]),
    lambda times: np.full(len(times), 1.6),
    lambda times: 2.0 - (times > times.mean()),
], ids=["noise", "drift", "nothing", "one fall"])
def test_a_log_without_the_load_is_refused(watts):
    recorded = planted.recording()
    times, _ = planted.readings(recorded)
    with pytest.raises(PowerError, match="windows of load can't be seen"):
        align(Trace(times, watts(times), "a meter"), [(w.begin, w.end) for w in recorded.done])


def test_a_log_that_is_too_short():
    recorded = planted.recording()
    times, watts = planted.readings(recorded)
    with pytest.raises(PowerError, match="start the meter before"):
        align(Trace(times[:2000], watts[:2000], "a meter"),
              [(w.begin, w.end) for w in recorded.done])
