"""Accuracy of a device on CIFAR-10's test pictures, every picture counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np

from host_ref import cifar10
from pynq_bnn.classifier import Classifier
from pynq_bnn.errors import ParameterError


@dataclass(frozen=True)
class Evaluation:
    """``confusion[true, predicted]`` counts pictures."""

    classes: Tuple[str, ...]
    confusion: np.ndarray
    device: str
    parameters: str

    @property
    def count(self) -> int:
        return int(self.confusion.sum())

    @property
    def right(self) -> int:
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        return self.right / self.count

    def __str__(self) -> str:
        lines = [f"{self.right} of {self.count} right: {100 * self.accuracy:.2f} % "
                 f"(device {self.device}, parameters {self.parameters[:16]})"]
        for name, row, index in zip(self.classes, self.confusion, range(len(self.classes))):
            if row.sum():
                lines.append(f"  {name:<12} {100 * row[index] / row.sum():6.2f} %")
        return "\n".join(lines)

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return {"count": self.count, "right": self.right, "accuracy": self.accuracy,
                "classes": list(self.classes), "confusion": self.confusion.tolist(),
                "device": self.device, "parameters": self.parameters}

    def save(self, path: Union[str, Path]) -> None:
        """Save the confusion matrix as a picture; needs matplotlib."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        size = len(self.classes)
        figure = Figure(figsize=(7, 6.4), dpi=120)
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        shares = self.confusion / np.maximum(self.confusion.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for true in range(size):
            for predicted in range(size):
                count = int(self.confusion[true, predicted])
                if count:
                    colour = "white" if shares[true, predicted] > 0.5 else "#333333"
                    axes.text(predicted, true, str(count), ha="center", va="center",
                              fontsize=8, color=colour)
        axes.set_xticks(range(size))
        axes.set_xticklabels(self.classes, rotation=45, ha="right")
        axes.set_yticks(range(size))
        axes.set_yticklabels(self.classes)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.set_title(f"{self.right} of {self.count} right ({100 * self.accuracy:.2f} %), "
                       f"device {self.device}", fontsize=11)
        figure.tight_layout()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(str(path))


def evaluate(classifier: Classifier, folder: Union[str, Path], count: Optional[int] = None,
             progress: bool = False) -> Evaluation:
    """Classify the test split, or its first `count` pictures.

    Parameters
    ----------
    folder : path
        CIFAR-10's binary version (see :func:`host_ref.cifar10.load`).

    Raises
    ------
    DatasetError
        If the folder is not CIFAR-10.
    ParameterError
        If the network's classes are not CIFAR-10's.
    PictureError
        If its pictures are of another size.
    ValueError
        If `count` is below 1.
    """
    if count is not None and count < 1:
        raise ValueError(f"count={count}: at least 1 picture")
    if tuple(classifier.classes) != cifar10.CLASSES:
        raise ParameterError(
            f"network {classifier.parameters.name!r} tells other classes apart than CIFAR-10's: "
            f"{', '.join(classifier.classes)}")
    images, labels = cifar10.load(folder, "test")
    images, labels = images[:count], labels[:count]
    size = len(classifier.classes)
    confusion = np.zeros((size, size), np.int64)
    for start in _progress(range(0, len(images), classifier.batch), progress):
        scores = classifier.scores(images[start:start + classifier.batch])
        truth = labels[start:start + classifier.batch]
        np.add.at(confusion, (truth, scores.argmax(axis=1)), 1)
    return Evaluation(tuple(classifier.classes), confusion, classifier.device.name,
                      classifier.parameters.checksum)


def _progress(steps: range, wanted: bool) -> Iterator[int]:
    """`steps` behind a progress bar, if wanted and tqdm is there."""
    if not wanted:
        return iter(steps)
    try:
        from tqdm import tqdm
    except ImportError:
        return iter(steps)
    bar: List[int] = tqdm(steps, unit="batch")
    return iter(bar)
