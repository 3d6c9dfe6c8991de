"""Made-up boards: what a load of known power looks like to a meter."""

import numpy as np

from pynq_bnn.power.recording import Recording, Window

IDLE_W, STEP_W = 1.6, 0.35
PICTURES = 10_000


def recording(windows=5, seconds=10.0, rest=2.0, idle=10.0, begin=5_000.0):
    """A run as Recording would have stamped it, with no sensor."""
    now, done = begin + idle, []
    for number in range(windows):
        # no two alike: windows end with the batch that was on its way
        end = now + seconds + 0.013 * number
        done.append(Window(now, seconds, end, PICTURES))
        now = end + rest
    return Recording(done=done, span=(begin, now - rest + idle))


def power(recorded, times, drift_w=0.0, ramp_s=0.0):
    """True watts at each time of the board's clock."""
    load = np.zeros_like(times)
    for window in recorded.done:
        rise = (times - window.begin) / ramp_s if ramp_s else times >= window.begin
        fall = (window.end - times) / ramp_s if ramp_s else times < window.end
        load += np.clip(np.minimum(rise, fall), 0, 1)
    begin, end = recorded.span
    return IDLE_W + STEP_W * load + drift_w * (times - begin) / (end - begin)


def readings(recorded, rate=100.0, offset=0.0, noise_w=0.0, before=7.0, after=4.0, seed=0, **more):
    """Times of the meter's clock and watts: each reading is the mean since the one before."""
    begin, end = recorded.span
    count = int((end - begin + before + after) * rate)
    ends = begin - before + np.arange(1, count + 1) / rate
    fine = np.mean([power(recorded, ends - (k + 0.5) / (10 * rate), **more) for k in range(10)], 0)
    rng = np.random.default_rng(seed)
    return ends - offset, fine + noise_w * rng.standard_normal(count)
