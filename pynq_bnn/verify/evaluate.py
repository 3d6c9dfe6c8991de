"""Accuracy of a device on CIFAR-10's test pictures, every picture counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, Union

import numpy as np

from host_ref.accuracy import testset
from host_ref.accuracy.confusion import SIZE, confusion_matrix
from host_ref.accuracy.confusion import draw as draw_confusion
from host_ref.accuracy.confusion import save as save_confusion
from host_ref.errors import printable
from pynq_bnn.classifier import Classifier
from pynq_bnn.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUNS = 4
"""Runs that are given together, so that a run's pictures are prepared beside the one before."""


@dataclass(frozen=True, repr=False)
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
                lines.append(f"  {printable(name):<12} {100 * row[index] / row.sum():6.2f} %")
        return "\n".join(lines)

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return {"count": self.count, "right": self.right, "accuracy": self.accuracy,
                "classes": list(self.classes), "confusion": self.confusion.tolist(),
                "device": self.device, "parameters": self.parameters}

    __repr__ = __str__

    def plot(self) -> Figure:
        """Draw the confusion matrix; needs matplotlib."""
        figure = new_figure(*SIZE)
        draw_confusion(figure, self.confusion, self.classes, self._title)
        return figure

    def save(self, path: Union[str, Path]) -> None:
        """Save it as a picture."""
        save_confusion(self.confusion, self.classes, self._title, path)

    @property
    def _title(self) -> str:
        return (f"{self.right} of {self.count} right ({100 * self.accuracy:.2f} %), "
                f"device {self.device}")


def evaluate(classifier: Classifier, folder: Union[str, Path], count: Optional[int] = None,
             progress: bool = False) -> Evaluation:
    """Classify the test split, or its first `count` pictures.

    Parameters
    ----------
    folder : path
        CIFAR-10's binary version (see :func:`host_ref.cifar10.load`).

    Raises
    ------
    DatasetError, ParameterError, ValueError
        As :func:`host_ref.accuracy.testset.load`.
    """
    images, labels = testset.load(classifier.parameters, folder, count)
    size = len(classifier.classes)
    confusion = np.zeros((size, size), np.int64)
    for part in testset.slices(len(images), RUNS * classifier.run_size, "test" if progress else ""):
        predicted = classifier.scores(images[part]).argmax(axis=1)
        confusion += confusion_matrix(labels[part], predicted, size)
    return Evaluation(tuple(classifier.classes), confusion, classifier.device.name,
                      classifier.parameters.checksum)
