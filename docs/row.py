"""Draw a row of a feature-map buffer and its way to the reducers: ``python docs/row.py``.

Three panels, one for each width P in which a pixel may be stored, made from the gateware's numbers.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROW, UNIT, REDUCERS = 512, 128, 8  # overlays/gateware/config.py, the full configuration
QUARTERS = ROW // UNIT
PARTS = ("#2f6db3", "#cf7527", "#36916c", "#93539f")
"""Colours of a pixel's channels 0 to 127, 128 to 255, 256 to 383, 384 to 511."""
INK, MUTED, LINE = "#22303c", "#6b7680", "#c9d2d9"
WIDTH = 8.0  # of a panel: a reducer is 1 wide, a quarter of a row 2
STEP = WIDTH + 1.1
STORED = {128: 1, 256: 1, 512: 0}  # which of the row's pixels is shown on its way
HEIGHTS = {"row": 8.3, "spread": 6.1, "window": 2.8, "reducers": 0.55, "outputs": -1.1}
LABELS = (
    ("row", 0.4, "a row of the buffer", "512 bits in four quarters of\n128 bits, a unit each; in "
                                        "them\nchannels of the pixel above"),
    ("spread", 0.45, "spread", "the pixel that is read,\nrepeated until it fills\n"
                               "all four quarters"),
    ("window", 1.2, "window", "3 × 3 taps of four quarters;\nof the rows before the newest,\n"
                              "counts are kept, not pixels"),
    ("reducers", 0.45, "reducers", "reducer r takes quarter r mod 4\nof all nine taps, against "
                                   "9 units\nof weights: 9 × 128 lanes"),
    ("outputs", 0.4, "outputs", "the counts of 1, 2 or 4 reducers\nadded, then the threshold"),
)


def tint(colour: str, share: float) -> tuple:
    """`colour` mixed with white, of which it keeps this share."""
    parts = [int(colour[start:start + 2], 16) / 255 for start in (1, 3, 5)]
    return tuple(1 - share * (1 - part) for part in parts)


class Panel:
    """One stored width, its left edge at `x`."""

    def __init__(self, axes: object, x: float, stored: int) -> None:
        self.axes, self.x, self.stored = axes, x, stored
        self.taken = stored // UNIT  # quarters of a pixel

    def draw(self) -> None:
        channels = {128: "up to 128 channels", 256: "up to 256", 512: "up to 512"}[self.stored]
        self.text(WIDTH / 2, 11.35, f"P = {self.stored}", size=15, weight="bold")
        self.text(WIDTH / 2, 10.8, channels, size=10, color=MUTED)
        self.row()
        self.spread()
        self.window()
        self.reducers()

    def row(self) -> None:
        y, shown = HEIGHTS["row"], STORED[self.stored]
        for quarter in range(QUARTERS):
            pixel, part = divmod(quarter, self.taken)
            self.box(2 * quarter, y, 2, 0.9, tint(PARTS[part], 1 if pixel == shown else 0.25))
            self.text(2 * quarter + 1, y + 0.45, f"{UNIT * part} – {UNIT * part + 127}", size=8.5,
                      color="white" if pixel == shown else INK)
            self.text(2 * quarter + 1, y + 1.95, f"quarter {quarter}", size=8.5, color=MUTED)
        for pixel in range(QUARTERS // self.taken):
            left, right = 2 * self.taken * pixel, 2 * self.taken * (pixel + 1)
            colour, line = (INK, 1.6) if pixel == shown else (MUTED, 1)
            self.axes.plot([self.x + left + 0.06] * 2 + [self.x + right - 0.06] * 2,
                           [y + 1, y + 1.14, y + 1.14, y + 1], color=colour, linewidth=line)
            self.text((left + right) / 2, y + 1.42, f"pixel {pixel}", size=9.5, color=colour,
                      weight="bold" if pixel == shown else "normal")

    def spread(self) -> None:
        y, first = HEIGHTS["spread"], STORED[self.stored] * self.taken
        for quarter in range(QUARTERS):
            part = quarter % self.taken
            self.arrow(2 * (first + part) + 1, HEIGHTS["row"] - 0.06, 2 * quarter + 1, y + 0.98,
                       PARTS[part])
            self.box(2 * quarter, y, 2, 0.9, PARTS[part])
            self.text(2 * quarter + 1, y + 0.45, f"{UNIT * part} – {UNIT * part + 127}", size=8.5,
                      color="white")

    def window(self) -> None:
        width, height, left = 1.9, 0.72, (WIDTH - 3 * 1.9 - 0.3) / 2
        for tap in range(9):
            line, column = divmod(tap, 3)
            x, y = left + column * (width + 0.15), HEIGHTS["window"] + (2 - line) * (height + 0.12)
            for quarter in range(QUARTERS):
                strength = 1 if tap == 8 else 0.42
                self.box(x + quarter * width / 4, y, width / 4, height,
                         tint(PARTS[quarter % self.taken], strength))
            self.frame(x, y, width, height, 2 if tap == 8 else 0.9)
        newest = left + 2 * (width + 0.15) + width
        self.text(WIDTH - 0.55, HEIGHTS["spread"] - 0.33, "newest", size=8.5, color=MUTED,
                  ha="right")
        self.axes.annotate(
            "", (self.x + newest + 0.05, HEIGHTS["window"] + height / 2),
            (self.x + WIDTH - 0.4, HEIGHTS["spread"] - 0.06),
            arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.3, "shrinkA": 0,
                        "shrinkB": 0, "connectionstyle": "angle,angleA=90,angleB=0,rad=6"})

    def reducers(self) -> None:
        y, low = HEIGHTS["reducers"], HEIGHTS["outputs"]
        for reducer in range(REDUCERS):
            quarter = reducer % QUARTERS
            colour = PARTS[quarter % self.taken]
            start = WIDTH / 2 + (quarter - 1.5) * 1.3
            self.arrow(start, HEIGHTS["window"] - 0.12, reducer + 0.5, y + 0.98, colour, 0.75)
            self.axes.add_patch(FancyBboxPatch(
                (self.x + reducer + 0.1, y), 0.8, 0.9, facecolor=colour, edgecolor="none",
                boxstyle="round,pad=0,rounding_size=0.14"))
            self.text(reducer + 0.5, y + 0.45, str(reducer), size=10.5, color="white",
                      weight="bold")
            self.arrow(reducer + 0.5, y - 0.06, reducer + 0.5, low + 0.86, MUTED, 0.9)
        for output in range(REDUCERS // self.taken):
            self.axes.add_patch(FancyBboxPatch(
                (self.x + output * self.taken + 0.1, low), self.taken - 0.2, 0.8,
                facecolor="#eef2f5", edgecolor=MUTED, linewidth=1,
                boxstyle="round,pad=0,rounding_size=0.14"))
            name = str(output) if self.taken == 1 else f"output {output}"
            self.text((output + 0.5) * self.taken, low + 0.4, name, size=9.5)
        self.text(WIDTH / 2, low - 0.55, f"{REDUCERS} · 128 / {self.stored} = "
                  f"{REDUCERS // self.taken} outputs a cycle", size=10, color=MUTED)

    def box(self, x: float, y: float, width: float, height: float, colour: object) -> None:
        self.axes.fill([self.x + x, self.x + x + width, self.x + x + width, self.x + x],
                       [y, y, y + height, y + height], facecolor=colour, edgecolor="white",
                       linewidth=0.8)

    def frame(self, x: float, y: float, width: float, height: float, line: float) -> None:
        self.axes.fill([self.x + x, self.x + x + width, self.x + x + width, self.x + x],
                       [y, y, y + height, y + height], facecolor="none", edgecolor=INK,
                       linewidth=line, zorder=4)

    def arrow(self, x0: float, y0: float, x1: float, y1: float, colour: str,
              alpha: float = 1) -> None:
        self.axes.annotate("", (self.x + x1, y1), (self.x + x0, y0), arrowprops={
            "arrowstyle": "-|>", "color": colour, "linewidth": 1.3, "alpha": alpha,
            "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9})

    def text(self, x: float, y: float, text: str, size: float, **options: object) -> None:
        self.axes.text(self.x + x, y, text, fontsize=size, va="center", zorder=5,
                       **{"color": INK, "ha": "center", **options})


def draw(path: Path) -> None:
    """Write the picture."""
    figure = Figure(figsize=(15.6, 8), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.005, 0.01, 0.99, 0.98))
    axes.set_xlim(-6.3, 2 * STEP + WIDTH + 0.3)
    axes.set_ylim(-2, 11.8)
    axes.axis("off")
    for level, middle, title, meaning in LABELS:
        y = HEIGHTS[level] + middle
        lines = meaning.count("\n") + 1
        axes.text(-6.1, y + 0.21 * lines + 0.05, title, fontsize=11.5, weight="bold", color=INK,
                  va="center")
        axes.text(-6.1, y - 0.26, meaning, fontsize=9.5, color=MUTED, va="center", linespacing=1.25)
    for number, stored in enumerate(STORED):
        if number:
            axes.axvline(number * STEP - 0.55, 0.02, 0.98, color=LINE, linewidth=0.9)
        Panel(axes, number * STEP, stored).draw()
    figure.savefig(path)


if __name__ == "__main__":
    draw(Path(__file__).with_name("row.png"))
