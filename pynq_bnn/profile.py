"""Where the cycles of a run went, layer by layer, as the hardware counted them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

from host_ref.errors import printable
from pynq_bnn.driver.stage_log import StageCycles
from pynq_bnn.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BUSY, WAITING, REST = "#1b6ca8", "#e08e45", "#b4c2cc"


@dataclass(frozen=True, repr=False)
class Profile:
    """The stages of one run.

    Parameters
    ----------
    stages : tuple of StageCycles
        In the order in which they ran.  Loading parameters runs beside the layers: its own entry
        is the hand-over alone.
    batch : int
        Pictures in the run; all cycles are for all of them.
    cycles : int
        Of the whole run, the start and the end of the program included.
    device, clock_mhz, build, parameters
        As in :class:`~pynq_bnn.timing.Timing`.
    """

    stages: Tuple[StageCycles, ...]
    batch: int
    cycles: int
    device: str
    clock_mhz: Optional[float]
    build: str
    parameters: str

    @property
    def _title(self) -> str:
        noun = "picture" if self.batch == 1 else "pictures"
        clock = f" at {self.clock_mhz:g} MHz" if self.clock_mhz else ""
        return (f"{self.cycles:,} cycles for {self.batch} {noun} on device {self.device}{clock}, "
                f"gateware {self.build}, parameters {self.parameters[:16]}")

    def rows(self) -> List[Tuple[str, int, int, int, float]]:
        """Name, cycles, busy, waiting and the share of busy (0 to 1), stage by stage."""
        return [(stage.name, stage.cycles, stage.busy, stage.waiting,
                 stage.busy / stage.cycles if stage.cycles else 0.0) for stage in self.stages]

    def __str__(self) -> str:
        lines = [f"{'stage':<12} {'cycles':>10} {'busy':>10} {'waiting':>10} {'busy, %':>8}"]
        lines += [f"{printable(name):<12} {cycles:>10,} {busy:>10,} {waiting:>10,} "
                  f"{100 * share:>8.1f}"
                  for name, cycles, busy, waiting, share in self.rows()]
        return "\n".join([*lines, self._title])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{cycles:,}</td><td>{busy:,}</td><td>{waiting:,}</td>"
            f"<td>{100 * share:.1f}</td></tr>"
            for name, cycles, busy, waiting, share in self.rows())
        return ("<table><tr><th>stage</th><th>cycles</th><th>busy</th><th>waiting</th>"
                f"<th>busy, %</th></tr>{rows}</table><div>{escape(self._title)}</div>")

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def plot(self, ax: Optional[Axes] = None) -> Figure:
        """Draw each stage's cycles a picture as a bar; `ax` or a figure of its own."""
        if ax is None:
            figure = new_figure(8, 3.6)
            ax = figure.subplots()
        shown = [stage for stage in self.stages if stage.cycles]
        names = [stage.name for stage in shown]
        left = [0.0] * len(shown)
        rest = [stage.cycles - stage.busy - stage.waiting for stage in shown]
        for values, label, colour in (
                ([stage.busy for stage in shown], "lanes (or DMA) at work", BUSY),
                ([stage.waiting for stage in shown], "waiting for memory", WAITING),
                (rest, "fill, drain, start", REST)):
            share = [max(value, 0) / self.batch for value in values]
            ax.barh(names, share, left=left, color=colour, label=label, height=0.7)
            left = [before + more for before, more in zip(left, share)]
        for row, (stage, end) in enumerate(zip(shown, left)):
            ax.text(end, row, f" {stage.cycles / self.batch:,.0f}", va="center", fontsize=8)
        ax.invert_yaxis()
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        ax.margins(x=0.1)
        ax.set_xlabel("cycles a picture")
        noun = "one picture" if self.batch == 1 else f"a batch of {self.batch}"
        ax.set_title(f"{noun}, device {self.device}", loc="left", fontsize=11, fontweight="bold")
        ax.legend(frameon=False, loc="lower right", fontsize=8)
        drawn: Any = ax.figure
        return drawn

    def save(self, path: Union[str, Path]) -> None:
        """Save the figure; needs matplotlib."""
        figure = self.plot()
        figure.tight_layout()
        figure.savefig(str(path), dpi=110)
