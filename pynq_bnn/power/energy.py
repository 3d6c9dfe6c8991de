"""Watts, millijoules a picture and pictures a second a watt, window by window."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Tuple, Union

from pynq_bnn.figure import new_figure
from pynq_bnn.measure.provenance import Provenance
from pynq_bnn.measure.summary import Summary
from pynq_bnn.power.align import Alignment, align
from pynq_bnn.power.connect import WHERE, Readings
from pynq_bnn.power.errors import NoPowerSource, PowerError
from pynq_bnn.power.meter_log import read_log
from pynq_bnn.power.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pynq_bnn.power.recording import Recording

EDGE_S = 0.1
"""Left out at each end of the idle times: the step itself."""
LOAD, IDLE = "#4477aa", "#ccbb44"


@dataclass(frozen=True, repr=False)
class Energy:
    """What a recording's windows took, from one source.

    Attributes
    ----------
    source : str
        What measured.
    watts, millijoules, rate, per_joule : Summary
        Over the windows: power in W, energy a picture in mJ, pictures a second, and pictures a
        second for each watt.  All of the board, idle power included.
    idle_watts : tuple of float
        Before and after.
    above_idle_millijoules : Summary
        Energy a picture with the mean idle power taken off.
    alignment : Alignment, optional
        How a meter's clock was fitted.
    """

    source: str
    watts: Summary
    millijoules: Summary
    rate: Summary
    per_joule: Summary
    idle_watts: Tuple[float, ...]
    above_idle_millijoules: Summary
    alignment: Optional[Alignment]
    provenance: Optional[Provenance]
    _trace: Optional[Trace]
    _spans: Tuple[Tuple[float, float], ...]

    @classmethod
    def of(cls, recording: Recording, measured: Union[str, Path, Trace, Readings, None] = None,
           offset_s: Optional[float] = None) -> Energy:
        """See :meth:`~pynq_bnn.power.Recording.energy`."""
        windows = recording.done
        if not windows:
            raise PowerError("the recording has no window: work inside `for window in "
                             "recording.windows()`")
        if any(window.pictures < 1 for window in windows):
            raise PowerError("a window without a picture: count them with window.add()")
        spans = tuple((window.begin, window.end) for window in windows)
        alignment: Optional[Alignment] = None
        trace: Optional[Trace] = None
        if isinstance(measured, Readings):
            if len(measured.windows_w) != len(spans):
                raise PowerError(f"{len(measured.windows_w)} readings for {len(spans)} windows")
            source, watts = f"typed in: {measured.how}", list(measured.windows_w)
            idle = tuple(measured.idle_w)
        else:
            trace, alignment = _trace(recording, measured, offset_s, spans)
            source = trace.source
            watts = [trace.mean(begin, end) for begin, end in spans]
            idle = (trace.mean(recording.span[0] + EDGE_S, spans[0][0] - EDGE_S),
                    trace.mean(spans[-1][1] + EDGE_S, recording.span[1] - EDGE_S))
        rates = [window.pictures / (window.end - window.begin) for window in windows]
        base = sum(idle) / len(idle)
        return cls(
            source, Summary.of(watts),
            Summary.of([1e3 * power / rate for power, rate in zip(watts, rates)]),
            Summary.of(rates), Summary.of([rate / power for power, rate in zip(watts, rates)]),
            idle, Summary.of([1e3 * (power - base) / rate for power, rate in zip(watts, rates)]),
            alignment, recording.provenance, trace, spans)

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        document = asdict(replace(self, _trace=None))
        return {name: value for name, value in document.items() if name[0] != "_"}

    def save_json(self, path: Union[str, Path]) -> None:
        """Write :meth:`to_dict`."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")

    def __str__(self) -> str:
        rows = (("power, W", self.watts), ("energy a picture, mJ", self.millijoules),
                ("  of it above idle, mJ", self.above_idle_millijoules),
                ("pictures a second", self.rate), ("pictures a second a watt", self.per_joule))
        idle = " and ".join(f"{watts:.3f}" for watts in self.idle_watts)
        lines = [f"{self.watts.n} windows, measured by {self.source}",
                 f"{'':<26} {'median':>10} {'p10':>10} {'p90':>10}",
                 *(f"{name:<26} {summary.median:>10.3f} {summary.p10:>10.3f} {summary.p90:>10.3f}"
                   for name, summary in rows),
                 f"idle before and after: {idle} W"]
        if self.alignment is not None:
            lines.append(f"the meter's clock + {self.alignment.offset_s:.3f} s is the board's: the "
                         f"load explains {100 * self.alignment.agreement:.1f} % of its readings")
        if self.provenance is not None:
            lines.append(str(self.provenance))
        return "\n".join(lines)

    __repr__ = __str__

    def plot(self) -> Figure:
        """Draw the power over time with the windows below it."""
        figure = new_figure(8, 3.2)
        ax = figure.subplots()
        begin = self._spans[0][0]
        for first, last in self._spans:
            ax.axvspan(first - begin, last - begin, color=LOAD, alpha=0.15, linewidth=0)
        if self._trace is not None:
            ax.plot(self._trace.seconds - begin, self._trace.watts, color=LOAD, linewidth=0.8)
        ax.axhline(self.watts.median, color=LOAD, linestyle="--", linewidth=1,
                   label=f"at work, median {self.watts.median:.2f} W")
        base = sum(self.idle_watts) / len(self.idle_watts)
        ax.axhline(base, color=IDLE, linestyle="--", linewidth=1, label=f"idle {base:.2f} W")
        ax.set_xlabel("s after the first window's begin (windows shaded)")
        ax.set_ylabel("W")
        ax.set_ylim(bottom=0)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        ax.set_title(f"{self.millijoules.median:.2f} mJ a picture, {self.source}", loc="left",
                     fontsize=11, fontweight="bold")
        ax.legend(frameon=False, fontsize=8, loc="lower right")
        figure.tight_layout()
        return figure

    def save(self, path: Union[str, Path]) -> None:
        """Save the figure; needs matplotlib."""
        self.plot().savefig(str(path), dpi=110)


def _trace(recording: Recording, measured: Union[str, Path, Trace, None],
           offset_s: Optional[float], spans: Sequence[Tuple[float, float]]
           ) -> Tuple[Trace, Optional[Alignment]]:
    """The readings by this machine's clock."""
    if measured is None:
        if recording.trace is None:
            raise NoPowerSource(
                f"nothing measured this recording, and nothing is made up: {WHERE}")
        return recording.trace, None
    trace = measured if isinstance(measured, Trace) else read_log(measured)
    if offset_s is not None:
        return trace.moved(offset_s), None
    alignment = align(trace, spans)
    return trace.moved(alignment.offset_s), alignment
