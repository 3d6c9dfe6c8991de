"""The figures of a report; importing this needs matplotlib.

Blue and orange are Okabe and Ito's, which colour-blind readers tell apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from host_ref.accuracy import confusion
from host_ref.accuracy.report import Report

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"
BINS = np.linspace(0, 1, 11)
COLUMNS = 6


def save_all(report: Report, folder: Path) -> List[Path]:
    """Save every figure that shows none of CIFAR-10's pictures; return where."""
    paths = [folder / name for name in ("confusion.png", "classes.png", "confidence.png")]
    count, right = len(report.labels), report.right(report.main)
    confusion.save(report.confusion, report.classes,
                   f"{right:,} of {count:,} right ({100 * right / count:.2f} %), "
                   f"{report.main} arithmetic", paths[0])
    _save(_classes(report), paths[1])
    _save(_confidence(report), paths[2])
    return paths


def save_wrong(report: Report, images: np.ndarray, count: int, path: Path) -> None:
    """Save the `count` pictures most confidently wrong; `images` are the report's test pictures."""
    mistakes = report.mistakes(count)
    rows = max(1, -(-len(mistakes) // COLUMNS))
    figure = Figure(figsize=(1.75 * COLUMNS, 2.3 * rows + 0.6), dpi=120)
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, one in zip(grid, mistakes):
        axes.imshow(images[one.index], interpolation="nearest")
        axes.set_title(f"{one.index}: {one.true}\ntaken for {one.predicted}\n"
                       f"softmax {one.confidence:.3f}, margin {one.margin:.1f}", fontsize=8)
    figure.suptitle("The test pictures most confidently wrong: index, true class, answer",
                    fontsize=11)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(str(path))


def _classes(report: Report) -> Figure:
    """Recall and precision of each class, sorted by recall."""
    matrix = report.confusion
    recall, precision = 100 * confusion.recall(matrix), 100 * confusion.precision(matrix)
    order = [index for index in np.argsort(recall, kind="stable") if not np.isnan(recall[index])]
    figure = Figure(figsize=(7, 0.42 * len(order) + 1.3), dpi=120)
    axes = figure.add_subplot()
    for row, index in enumerate(order):
        pair = (recall[index], precision[index])
        axes.plot(pair, (row, row), color="#cccccc", linewidth=3, zorder=1)
        for value, other, colour in ((*pair, BLUE), (*pair[::-1], ORANGE)):
            if np.isnan(value):  # never predicted: no precision
                continue
            axes.scatter(value, row, color=colour, s=45, zorder=2)
            side = -1 if value < other or (value == other and colour == BLUE) else 1
            axes.annotate(f"{value:.1f}", (value, row), xytext=(8 * side, 0), fontsize=8,
                          textcoords="offset points", va="center", color=colour,
                          ha="right" if side < 0 else "left")
    axes.set_yticks(range(len(order)))
    axes.set_yticklabels([report.classes[index] for index in order])
    axes.margins(x=0.14, y=0.08)
    axes.set_xlabel("%")
    axes.set_title("recall: of this class, recognised", color=BLUE, loc="left", fontsize=10)
    axes.set_title("precision: of these answers, right", color=ORANGE, loc="right", fontsize=10)
    axes.tick_params(length=0)
    _lighten(axes)
    return figure


def _confidence(report: Report) -> Figure:
    """How often an answer of some confidence is right, and the margins of right and wrong ones."""
    own = report.answers[report.main]
    right = own.predicted == report.labels
    confidence = own.probabilities.max(axis=1)
    two = np.sort(own.scores, axis=1)[:, -2:]
    figure = Figure(figsize=(9, 3.8), dpi=120)
    reliability, margins = figure.subplots(1, 2)
    reliability.plot((0, 1), (0, 1), color="#cccccc", zorder=0)
    reliability.annotate("as often as it says", (0.6, 0.6), fontsize=8, color=GREY, rotation=45,
                         rotation_mode="anchor", xytext=(4, -9), textcoords="offset points")
    which = np.minimum(np.digitize(confidence, BINS) - 1, len(BINS) - 2)
    points = []
    for place in range(len(BINS) - 1):
        inside = which == place
        if inside.any():
            points.append((confidence[inside].mean(), right[inside].mean(), int(inside.sum())))
    reliability.plot([x for x, _, _ in points], [y for _, y, _ in points], "o-", color=BLUE)
    for x, y, count in points:  # beside the line; the last two points often stand close together
        last = x == points[-1][0]
        reliability.annotate(f"{count:,}", (x, y), fontsize=7, color=GREY,
                             ha="left" if last else "right", xytext=(6, -3) if last else (-6, 3),
                             textcoords="offset points")
    reliability.set_xlabel("softmax of the answer")
    reliability.set_ylabel("share of right answers")
    reliability.set_xlim(0, 1.09)
    reliability.set_ylim(0, 1.05)
    reliability.set_title("confidence (pictures at each point)", fontsize=10, loc="left")
    gaps = two[:, 1] - two[:, 0]
    edges = np.linspace(0, max(float(gaps.max()), 1e-6), 41)
    margins.hist([gaps[~right], gaps[right]], bins=edges, stacked=True, color=[ORANGE, BLUE],
                 label=[f"wrong: {int((~right).sum()):,}", f"right: {int(right.sum()):,}"])
    margins.set_xlabel("highest score less the second")
    margins.set_ylabel("pictures")
    margins.set_title("lead of the answer", fontsize=10, loc="left")
    margins.legend(frameon=False)
    for axes in (reliability, margins):
        _lighten(axes)
    return figure


def _lighten(axes: Axes) -> None:
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
