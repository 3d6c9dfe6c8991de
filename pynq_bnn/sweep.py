"""A large photograph looked at piece by piece: square tiles in one call, their classes drawn on it.

A network for 32 × 32 pixels sees one thing at a time; hundreds of tiles go through the device in
full batches, which is what it is fastest at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, List, Optional, Tuple, Union

import numpy as np
from PIL import Image

from pynq_bnn.figure import new_figure
from pynq_bnn.result import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255",
           "#AA4499", "#DDDDDD")
"""Tol's muted palette, which colour-blind readers can tell apart; used again beyond ten classes."""
MOST_TILES = 100_000

Box = Tuple[int, int, int, int]


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """Tiles of a photograph, row by row.

    Attributes
    ----------
    photo : PIL image, RGB
    side, step : int
        Of a tile, and from one to the next, in pixels of the photograph.
    """

    photo: Image.Image
    side: int
    step: int

    def __post_init__(self) -> None:
        width, height = self.photo.size
        if not (1 <= self.side <= min(width, height) and self.step >= 1):
            raise ValueError(f"tiles of {self.side} pixels every {self.step} in a photograph of "
                             f"{width} x {height}: at least 1 each, and no larger than that")
        if self.columns * self.rows > MOST_TILES:
            raise ValueError(f"{self.columns * self.rows:,} tiles: a larger step, so that there "
                             f"are {MOST_TILES:,} at most")

    @classmethod
    def of(cls, photo: Union[str, Any], side: int, step: int) -> Sweep:
        """Of a path, an array uint8 (H, W, 3) or a PIL image."""
        image = photo if isinstance(photo, Image.Image) else (
            Image.fromarray(photo) if isinstance(photo, np.ndarray) else Image.open(photo))
        return cls(image.convert("RGB"), side, step)

    @property
    def columns(self) -> int:
        return (self.photo.size[0] - self.side) // self.step + 1

    @property
    def rows(self) -> int:
        return (self.photo.size[1] - self.side) // self.step + 1

    @property
    def boxes(self) -> List[Box]:
        """Left, upper, right, lower of every tile."""
        return [(x, y, x + self.side, y + self.side)
                for y in range(0, self.rows * self.step, self.step)
                for x in range(0, self.columns * self.step, self.step)]

    @property
    def tiles(self) -> List[Image.Image]:
        """What to give to ``classify``."""
        return [self.photo.crop(box) for box in self.boxes]

    def plot(self, results: Results, ax: Optional[Axes] = None) -> Figure:
        """Draw the photograph with a spot in the middle of each tile, coloured by its class.

        The larger the spot, the further the winner's score is above the next.
        """
        if len(results) != self.rows * self.columns:
            raise ValueError(f"{len(results)} results for {self.rows * self.columns} tiles")
        if ax is None:
            figure = new_figure(8, 0.6 + 6.2 * self.photo.size[1] / self.photo.size[0])
            ax = figure.subplots()
        ax.imshow(self.photo)
        ranked = np.sort(results.scores, axis=1)
        lead = ranked[:, -1] - ranked[:, -2] if ranked.shape[1] > 1 else ranked[:, -1]
        sizes = 6 + 60 * lead / max(float(lead.max()), 1e-9)
        middles = np.array([((left + right) / 2, (upper + lower) / 2)
                            for left, upper, right, lower in self.boxes])
        indices = results.indices
        counts = np.bincount(indices, minlength=len(results.classes))
        for index in np.argsort(-counts, kind="stable"):
            if counts[index]:
                own = indices == index
                label = f"{results.classes[index]} {counts[index]}".replace("$", r"\$")
                ax.scatter(middles[own, 0], middles[own, 1], s=sizes[own], label=label,
                           color=COLOURS[index % len(COLOURS)], edgecolors="black", linewidths=0.4)
        ax.set_axis_off()
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
        ax.set_title(f"{len(results)} tiles of {self.side} pixels, device {results.timing.device}",
                     loc="left", fontsize=11, fontweight="bold")
        drawn: Any = ax.figure
        return drawn
