"""What bounds each layer: the lanes, or the memory that brings its weights.

The roofline model (Williams et al., CACM 2009) in the hardware's own units: multiply-accumulates a
cycle over multiply-accumulates for each byte of weights.  A batch brings the weights once, so it
moves a layer to the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import numpy as np

from host_ref import network as net
from host_ref.network import Network
from pynq_bnn.figure import new_figure
from pynq_bnn.measure.simulated import shipped_config
from pynq_bnn.profile import Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REDUCER_LANES, FC_LANES, PICTURE_TAPS = 9 * 128, 2 * 512, 27
"""A reducer's taps and channels; two outputs' rows of weights in the fully connected layers; what
an output of the picture convolution multiplies."""
BYTES_PER_CYCLE = 16
"""Two HP ports of 64 bits, each a word a cycle."""
MARKS = (("o", "#4477aa", -12), ("s", "#ee6677", 6))
"""Marker, colour and how far above it, in points, a name stands."""
ROOF = "#444444"


@dataclass(frozen=True)
class Point:
    """One layer in one run.

    Attributes
    ----------
    intensity : float
        Multiply-accumulates for each byte of its weights, all pictures of the run together.
    rate : float
        Multiply-accumulates a cycle.
    bound : float
        The most that the lanes of its kind and memory allow at that intensity.
    """

    name: str
    intensity: float
    rate: float
    bound: float


def lanes() -> Dict[str, int]:
    """Multiply-accumulates a cycle of the shipped gateware, for each kind of layer."""
    config = shipped_config()
    return {net.BIN_CONV: config["reducers"] * REDUCER_LANES, net.BIN_FC: FC_LANES,
            net.LAST: FC_LANES, net.FP_CONV: config["fp_outputs"] * PICTURE_TAPS}


def points(profile: Profile, network: Network) -> List[Point]:
    """One for each layer that the profile has cycles of."""
    cycles = {stage.name: stage.cycles for stage in profile.stages}
    found: List[Point] = []
    most = lanes()
    for layer in network.layers:
        if cycles.get(layer.name):
            macs = layer.macs * profile.batch
            intensity = macs / (layer.weight_bits / 8)
            found.append(Point(layer.name, intensity, macs / cycles[layer.name],
                               min(most[layer.kind], intensity * BYTES_PER_CYCLE)))
    return found


def plot_roofline(profiles: Sequence[Profile], network: Network,
                  ax: Optional[Axes] = None) -> Figure:
    """Draw the roof and each profile's layers below it."""
    if ax is None:
        figure = new_figure(8, 4.6)
        ax = figure.subplots()
    drawn = [points(profile, network) for profile in profiles]
    intensities = [point.intensity for some in drawn for point in some]
    reach = np.geomspace(min(intensities) / 2, max(intensities) * 2, 200)
    most = lanes()
    for kind, name in ((net.BIN_CONV, "lanes"), (net.BIN_FC, "lanes of fc"),
                       (net.FP_CONV, "multipliers of conv1")):
        ax.plot(reach, np.minimum(most[kind], reach * BYTES_PER_CYCLE), color=ROOF, linewidth=1)
        ax.text(reach[-1] * 1.1, most[kind], f"{most[kind]:,} {name}", fontsize=8,
                va="top" if kind == net.FP_CONV else "bottom", color=ROOF)
    ax.text(100, 100 * BYTES_PER_CYCLE, f"memory, {BYTES_PER_CYCLE} bytes a cycle  ", fontsize=8,
            ha="right", va="bottom", color=ROOF)
    for (marker, colour, above), profile, some in zip(MARKS, profiles, drawn):
        noun = "one picture" if profile.batch == 1 else f"a batch of {profile.batch}"
        ax.scatter([point.intensity for point in some], [point.rate for point in some],
                   marker=marker, color=colour, s=28, label=f"{noun}, {profile.cycles:,} cycles",
                   zorder=3)
        for near in _together(some):
            ax.annotate(", ".join(point.name for point in near), (near[0].intensity, near[0].rate),
                        xytext=(0, above), textcoords="offset points", fontsize=7, color=colour,
                        ha="center")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("multiply-accumulates for each byte of weights")
    ax.set_ylabel("multiply-accumulates a cycle")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    ax.set_title(f"roofline, device {profiles[0].device}, gateware {profiles[0].build}", loc="left",
                 fontsize=11, fontweight="bold")
    whole: Any = ax.figure
    return whole


def _together(some: Sequence[Point]) -> List[List[Point]]:
    """Points that lie on one another, which share a label."""
    groups: List[List[Point]] = []
    for point in some:
        for group in groups:
            if (0.8 < point.intensity / group[0].intensity < 1.25
                    and 0.8 < point.rate / group[0].rate < 1.25):
                group.append(point)
                break
        else:
            groups.append([point])
    return groups
