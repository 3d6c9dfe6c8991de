"""The training curves as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def plot(history: List[Dict[str, Any]], path: Path) -> None:
    """Loss and accuracies by epoch, from the entries of ``history.jsonl``.

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
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(str(path))
