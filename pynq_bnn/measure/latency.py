"""The latency of one call: what Python, driver and gateware each take of it.

Wall clock and device time are different things and never stand in one column: the first is
measured in Python, the second is the device's own count of cycles over its clock, measured on a
board and predicted in simulation.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union

import numpy as np

from host_ref.integer import IntegerModel
from pynq_bnn.figure import new_figure
from pynq_bnn.images import to_pictures
from pynq_bnn.measure.provenance import Provenance
from pynq_bnn.measure.summary import Summary
from pynq_bnn.profile import Profile
from pynq_bnn.timing import BOARD, RTL, parts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pynq_bnn.classifier import Classifier

COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#bbbbbb")
"""Tol's bright palette, which colour-blind readers can tell apart."""
WARM_UP = 3
REFERENCE_REPEAT = 5


@dataclass(frozen=True, repr=False)
class Latency:
    """What `repeat` calls of ``classify`` with the same pictures took.

    Attributes
    ----------
    provenance : Provenance
    batch : int
        Pictures in each call.
    warm_up : int
        Calls before those that count.
    wall_clock_ms : dict of str to Summary
        For each of :func:`pynq_bnn.timing.parts`, in ms of wall clock in Python, all pictures of a
        call together.
    device_ms : Summary, optional
        The device's cycles over its clock, with DMA; None if it counts none.
    is_predicted : bool
        Whether `device_ms` is of a simulation.
    layers : Profile, optional
        Cycles of each layer in one more run.
    reference_ms : Summary, optional
        The same pictures in host_ref on this CPU, in the same run.
    """

    provenance: Provenance
    batch: int
    warm_up: int
    wall_clock_ms: Dict[str, Summary]
    device_ms: Optional[Summary]
    is_predicted: bool
    layers: Optional[Profile]
    reference_ms: Optional[Summary]

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def save_json(self, path: Union[str, Path]) -> None:
        """Write :meth:`to_dict`."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")

    def __str__(self) -> str:
        noun = "picture" if self.batch == 1 else "pictures"
        n = self.wall_clock_ms["total"].n
        lines = [f"{self.batch} {noun} a call, {n} calls after {self.warm_up} to warm up",
                 f"wall clock in Python, ms {_HEAD}"]
        lines += [_row(name, self.wall_clock_ms[name], meaning)
                  for name, meaning in parts(self.provenance.device)]
        if self.reference_ms is not None:
            lines.append(_row("host_ref", self.reference_ms,
                              f"the same in host_ref on this CPU, {self.reference_ms.n} times"))
        source = "predicted, simulated" if self.is_predicted else "counted by the device,"
        lines.append(f"device time, ms          {_HEAD}")
        if self.device_ms is None:
            lines.append("  gateware   not measured: this device counts no cycles")
        else:
            lines.append(_row("gateware", self.device_ms,
                              f"{source} cycles over the clock, with DMA"))
        return "\n".join([*lines, str(self.provenance)])

    __repr__ = __str__

    def plot(self) -> Figure:
        """Draw the parts of the wall clock in a row, the device's own time below, the layers."""
        figure = new_figure(8, 6.2 if self.layers else 2.6)
        axes = figure.subplots(2 if self.layers else 1, squeeze=False,
                               gridspec_kw={"height_ratios": [1, 1.9][:2 if self.layers else 1]})
        self._bars(axes[0, 0])
        if self.layers:
            self.layers.plot(axes[1, 0])
        figure.tight_layout()
        return figure

    def _bars(self, ax: Any) -> None:
        left = 0.0
        for (name, _), colour in zip(parts(self.provenance.device)[:-1], COLOURS):
            width = max(self.wall_clock_ms[name].median, 0.0)
            ax.barh("wall clock in Python", width, left=left, color=colour, label=name, height=0.6)
            left += width
        rows = [("host_ref on this CPU", self.reference_ms),
                ("predicted device time" if self.is_predicted else "device time", self.device_ms)]
        for name, summary in rows:
            if summary is not None:
                ax.barh(name, summary.median, color="#aa3377", height=0.6)
                ax.text(summary.median, name, f" {summary.median:,.2f} ms", va="center", fontsize=8)
        total = self.wall_clock_ms["total"].median
        ax.text(left, "wall clock in Python", f" {total:,.2f} ms", va="center", fontsize=8)
        ax.invert_yaxis()
        ax.margins(x=0.15)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        ax.set_xlabel("ms, median")
        noun = "one picture" if self.batch == 1 else f"a batch of {self.batch}"
        ax.set_title(f"{noun}, device {self.provenance.device}", loc="left", fontsize=11,
                     fontweight="bold")
        ax.legend(frameon=False, ncol=5, fontsize=8, loc="upper right", bbox_to_anchor=(1, -0.25))

    def save(self, path: Union[str, Path]) -> None:
        """Save the figure; needs matplotlib."""
        self.plot().savefig(str(path), dpi=110)


def latency(classifier: Classifier, images: Any, repeat: int = 30, warm_up: int = WARM_UP,
            reference: bool = True) -> Latency:
    """Classify the same pictures `repeat` times and say what each part of a call took.

    Parameters
    ----------
    images
        What ``classify`` takes: one picture, or several of at most a batch.
    reference : bool
        Also time host_ref on this CPU, for comparison in the same run.

    Raises
    ------
    ValueError
        If `repeat` is not 1 or more, or the pictures are more than a batch.
    """
    if repeat < 1 or warm_up < 0:
        raise ValueError(f"repeat {repeat}, warm_up {warm_up}: at least 1 and 0")
    network = classifier.parameters.network
    pictures = to_pictures(images, network.height, network.width)
    if len(pictures) > classifier.batch:
        raise ValueError(f"{len(pictures)} pictures, but at most {classifier.batch} go through "
                         "the device together: latency is of one batch; throughput takes more")
    for _ in range(warm_up):
        classifier.classify(images)
    timings = [classifier.classify(images).timing for _ in range(repeat)]
    wall_clock = {name: Summary.of([1e3 * getattr(timing, f"{name}_s") for timing in timings])
                  for name, _ in parts(timings[0].device)}
    counted = [timing.device_ms for timing in timings if timing.device_ms is not None]
    device = classifier.device.name
    return Latency(Provenance.of(classifier), len(pictures), warm_up, wall_clock,
                   Summary.of(counted) if counted else None, device != BOARD,
                   classifier.profile(images) if device in (RTL, BOARD) else None,
                   _reference(classifier, pictures) if reference else None)


def _reference(classifier: Classifier, pictures: np.ndarray) -> Summary:
    """host_ref's integer model on the same pictures, in ms."""
    model = IntegerModel(classifier.parameters)
    taken: List[float] = []
    for _ in range(1 + REFERENCE_REPEAT):
        begun = time.perf_counter()
        model.scores(model.sums(pictures))
        taken.append(1e3 * (time.perf_counter() - begun))
    return Summary.of(taken[1:])


_HEAD = f"{'median':>10} {'p10':>10} {'p90':>10}"


def _row(name: str, summary: Summary, meaning: str) -> str:
    return (f"  {name:<22} {summary.median:>10,.3f} {summary.p10:>10,.3f} {summary.p90:>10,.3f}  "
            f"{meaning}")
