"""The confusion matrix: what each true class was taken for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Sequence, Tuple, Union

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE: Tuple[float, float] = (7, 6.4)
"""Of the drawn matrix, in inches."""


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, size: int) -> np.ndarray:
    """int64 (size, size): ``[true, predicted]`` counts pictures."""
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def recall(confusion: np.ndarray) -> np.ndarray:
    """Of each class's pictures the share that was recognised, float64; NaN without pictures."""
    return _shares(confusion, axis=1)


def precision(confusion: np.ndarray) -> np.ndarray:
    """Of the pictures taken for each class the share that was it; NaN where none was."""
    return _shares(confusion, axis=0)


def _shares(confusion: np.ndarray, axis: int) -> np.ndarray:
    totals = confusion.sum(axis=axis)
    return np.where(totals, np.diag(confusion) / np.maximum(totals, 1), np.nan)


def save(confusion: np.ndarray, classes: Sequence[str], title: str,
         path: Union[str, Path]) -> None:
    """Save the matrix as a picture, as :func:`draw` draws it; needs matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=120)
    draw(figure, confusion, classes, title)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(str(path))


def draw(figure: Figure, confusion: np.ndarray, classes: Sequence[str], title: str) -> None:
    """Draw the matrix into a matplotlib figure, shaded by the share of each row.

    The right ones on the diagonal are blue, the mistakes orange and on a scale of their own.
    """
    size = len(classes)
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(size, dtype=bool)
    mistakes = np.ma.masked_array(shares, diagonal | (confusion == 0))
    darkest = shares[~diagonal].max() or 1
    axes.set_facecolor("#f6f6f6")
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=1.6 * darkest)
    axes.imshow(np.ma.masked_array(shares, ~diagonal), cmap="Blues", vmin=0, vmax=1.2)
    for true in range(size):
        for predicted in range(size):
            count = int(confusion[true, predicted])
            if count:
                dark = true == predicted and shares[true, true] > 0.6
                axes.text(predicted, true, str(count), ha="center", va="center", fontsize=8,
                          color="white" if dark else "#333333")
    for edges in (axes.set_xticks, axes.set_yticks):
        edges(np.arange(size + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(range(size))
    axes.set_xticklabels(classes, rotation=45, ha="right")
    axes.set_yticks(range(size))
    axes.set_yticklabels(classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=11)
    figure.tight_layout()
