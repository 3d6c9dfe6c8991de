"""How far a meter's clock is from the board's: the offset that puts its steps on our windows.

A meter on another machine has its own idea of time, often only seconds since its start.  The load
that was measured rises and falls at moments that the board's clock stamped; the offset is the one
for which a constant plus a multiple of the load fits the meter's watts best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from pynq_bnn.power.errors import PowerError
from pynq_bnn.power.trace import Trace

COARSE_S, FINE_S = 0.1, 0.005
LEAST_AGREEMENT = 0.25
"""Of the power's variance, what the load must explain."""
NEIGHBOUR_S = 2.0
"""Of the idle time before the first and after the last window, what they are compared with."""

Span = Tuple[float, float]


@dataclass(frozen=True)
class Alignment:
    """The meter's clock against the board's.

    Attributes
    ----------
    offset_s : float
        To add to the meter's times.
    agreement : float
        Share of the power's variance that the load explains then, 0 to 1.
    step_w : float
        How much the load raises the power, in W.
    """

    offset_s: float
    agreement: float
    step_w: float


def align(trace: Trace, windows: Sequence[Span]) -> Alignment:
    """Find the offset.

    Parameters
    ----------
    trace : Trace
        By the meter's clock.
    windows : sequence of (float, float)
        Begin and end of each load by the board's clock, in s.

    Raises
    ------
    PowerError
        If the log shows no such steps, or is shorter than the load.
    """
    first, last = windows[0][0], windows[-1][1]
    begin, end = trace.span
    if end - begin < last - first:
        raise PowerError(f"{trace.source}: {end - begin:.1f} s of readings, but the windows take "
                         f"{last - first:.1f} s: start the meter before, stop it after")
    coarse = trace.thinned(COARSE_S)
    # all places where the log still covers every window
    offsets = np.arange(last - end, first - begin + COARSE_S, COARSE_S)
    best = _best(coarse, windows, offsets)
    fine = trace.thinned(FINE_S)
    reach = max(2 * COARSE_S, trace.period)
    offsets = np.arange(best.offset_s - reach, best.offset_s + reach + FINE_S, FINE_S)
    found = _best(fine, windows, offsets)
    agreement = _best(coarse, windows, np.array([found.offset_s])).agreement
    found = Alignment(found.offset_s, agreement, found.step_w)
    _require_steps(coarse.moved(found.offset_s), windows, found)
    return found


def _best(trace: Trace, windows: Sequence[Span], offsets: np.ndarray) -> Alignment:
    """The offset of `offsets` whose load explains the most."""
    watts = trace.watts - trace.watts.mean()
    total = float(watts @ watts)
    half = trace.period / 2
    tried: List[Alignment] = []
    for offset in offsets:
        times = trace.seconds + offset
        load = (_loaded(times + half, windows) - _loaded(times - half, windows)) / (2 * half)
        load -= load.mean()
        power = float(load @ load)
        step = float(load @ watts) / power if power else 0.0
        # a load that lowers the power is no fit
        explained = step * step * power / total if step > 0 and total else 0.0
        tried.append(Alignment(float(offset), explained, step))
    return max(tried, key=lambda each: each.agreement)


def _loaded(times: np.ndarray, windows: Sequence[Span]) -> np.ndarray:
    """Seconds under load up to each time."""
    edges = np.array(windows, dtype=np.float64).ravel()
    seconds = np.concatenate(([0.0], np.cumsum([end - begin for begin, end in windows])))
    return np.interp(times, edges, np.repeat(seconds, 2)[1:-1])


def _require_steps(trace: Trace, windows: Sequence[Span], found: Alignment) -> None:
    """Each window must stand out from its neighbours: a slow drift can look like one long step."""
    ends = [windows[0][0] - NEIGHBOUR_S, *(end for _, end in windows)]
    begins = [*(begin for begin, _ in windows), windows[-1][1] + NEIGHBOUR_S]
    seen = all(
        _stands_out(trace, window, (ends[n], window[0]), (window[1], begins[n + 1]))
        for n, window in enumerate(windows))
    if found.agreement < LEAST_AGREEMENT or not seen:
        raise PowerError(
            f"{trace.source}: the {len(windows)} windows of load can't be seen in it (the best "
            f"offset explains {100 * found.agreement:.0f} % of how the power varies, "
            f"{LEAST_AGREEMENT:.0%} at least are wanted): is it the log of this run, of this "
            "board's supply, and does it reach from before the first window to after the last?")


def _stands_out(trace: Trace, window: Span, before: Span, after: Span) -> bool:
    level, beside = _readings(trace, window), [_readings(trace, span) for span in (before, after)]
    idle = np.concatenate(beside)
    return bool(len(level) and len(idle) and level.mean() > idle.mean())


def _readings(trace: Trace, span: Span) -> np.ndarray:
    return trace.watts[(trace.seconds >= span[0]) & (trace.seconds <= span[1])]
