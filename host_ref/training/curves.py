"""The training curves as a picture.

``python -m host_ref.training.curves runs/first runs/second --output curves.png`` draws runs that
started from one another, one behind the other.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

HISTORY = "history.jsonl"
"""In a run's folder: an entry for each epoch."""


def plot(history: List[Dict[str, Any]], path: Path, borders: Sequence[float] = ()) -> None:
    """Loss and accuracies by epoch, from the entries of ``history.jsonl``; `borders` are marked.

    Training accuracy is counted on augmented pictures while the weights change, so early
    validation lies above it.
    """
    epochs = [entry["epoch"] for entry in history]
    figure = Figure(figsize=(9, 3.6), dpi=120)
    FigureCanvasAgg(figure)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    loss_axes.plot(epochs, [entry["loss"] for entry in history], color="#444444")
    loss_axes.set_ylabel("training loss")
    for key, label, colour in (("train_accuracy", "training (augmented)", "#9aa5b1"),
                               ("validation_accuracy", "validation", "#0b6fc2")):
        values = [entry[key] for entry in history]
        if None not in values:
            percent = [100 * value for value in values]
            accuracy_axes.plot(epochs, percent, color=colour, label=label)
            accuracy_axes.annotate(f"{percent[-1]:.1f}", (epochs[-1], percent[-1]), fontsize=8,
                                   xytext=(3, 0), textcoords="offset points", va="center")
    accuracy_axes.set_ylabel("accuracy, %")
    accuracy_axes.legend(frameon=False, loc="lower right")
    for axes in (loss_axes, accuracy_axes):
        for border in borders:
            axes.axvline(border, color="#999999", linewidth=0.8, linestyle=":")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(str(path))


def chain(folders: Sequence[Path], path: Path) -> None:
    """Draw the histories of several runs, their epochs counted on."""
    history: List[Dict[str, Any]] = []
    borders: List[float] = []
    for folder in folders:
        if history:
            borders.append(len(history) + 0.5)
        for line in (folder / HISTORY).read_text().splitlines():
            history.append(dict(json.loads(line), epoch=len(history) + 1))
    plot(history, path, borders)


def main() -> None:
    """Draw as the command line says."""
    arguments = argparse.ArgumentParser(prog="python -m host_ref.training.curves",
                                        description=__doc__)
    arguments.add_argument("folders", type=Path, nargs="+", help="of runs, each with its history")
    arguments.add_argument("--output", type=Path, required=True)
    options = arguments.parse_args()
    missing = [str(folder) for folder in options.folders if not (folder / HISTORY).is_file()]
    if missing:
        arguments.error(f"no {HISTORY} in {', '.join(missing)}")
    chain(options.folders, options.output)


if __name__ == "__main__":
    main()
