"""The figures of a measurement, as Markdown tables for docs/accuracy.md and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from host_ref.accuracy.arithmetics import ARITHMETICS, INTEGER, Answers
from host_ref.accuracy.confusion import confusion_matrix, precision, recall
from host_ref.errors import printable


@dataclass(frozen=True)
class Mistake:
    """A picture that was taken for something else.

    ``index`` counts the test pictures from 0; ``confidence`` is the softmax of the class predicted,
    ``margin`` its score less that of the true class.
    """

    index: int
    true: str
    predicted: str
    confidence: float
    margin: float


@dataclass(frozen=True, eq=False)
class Report:
    """N pictures, their labels and what each arithmetic answered.

    Attributes
    ----------
    name, checksum : str
        Of the parameters.
    classes : sequence of str
    labels : uint8 (N,)
    answers : dict
        :class:`Answers` by the arithmetic's name, at least one.
    """

    name: str
    checksum: str
    classes: Sequence[str]
    labels: np.ndarray
    answers: Dict[str, Answers]

    @property
    def main(self) -> str:
        """The arithmetic that classes and mistakes are told of: the devices', else the first."""
        return INTEGER if INTEGER in self.answers else next(iter(self.answers))

    @property
    def confusion(self) -> np.ndarray:
        """int64 (classes, classes) of the main arithmetic."""
        return confusion_matrix(self.labels, self.answers[self.main].predicted, len(self.classes))

    def right(self, arithmetic: str) -> int:
        """How many pictures it recognised."""
        return int((self.answers[arithmetic].predicted == self.labels).sum())

    def differences(self) -> Dict[Tuple[str, str], Tuple[int, int]]:
        """For each pair of arithmetics: pictures whose class differs, whose sums differ."""
        result = {}
        for one, other in combinations(self.answers, 2):
            first, second = self.answers[one], self.answers[other]
            result[one, other] = (int((first.predicted != second.predicted).sum()),
                                  int((first.sums != second.sums).any(axis=1).sum()))
        return result

    def mistakes(self, count: int) -> List[Mistake]:
        """The `count` wrong answers with the highest confidence, highest first."""
        own = self.answers[self.main]
        confidence = own.probabilities.max(axis=1)
        wrong = np.flatnonzero(own.predicted != self.labels)
        result = []
        for index in wrong[np.argsort(-confidence[wrong], kind="stable")][:count]:
            true, predicted = int(self.labels[index]), int(own.predicted[index])
            result.append(Mistake(int(index), self.classes[true], self.classes[predicted],
                                  float(confidence[index]),
                                  float(own.scores[index, predicted] - own.scores[index, true])))
        return result

    def markdown(self, mistakes: int) -> str:
        """Every table, with `mistakes` rows in the last."""
        tables = [self._accuracy_table(), self._class_table(), self._mistake_table(mistakes)]
        if len(self.answers) > 1:
            tables.insert(1, self._difference_table())
        return "\n\n".join([f"{printable(self.name)}, checksum {self.checksum[:16]}, "
                            f"{len(self.labels):,} test pictures", *tables])

    def to_dict(self, mistakes: int) -> Dict[str, Any]:
        """For JSON."""
        return {
            "parameters": self.name, "checksum": self.checksum, "count": len(self.labels),
            "classes": list(self.classes),
            "arithmetics": {name: {
                "right": self.right(name), "accuracy": self.right(name) / len(self.labels),
                "moved": own.moved, "vanished": own.vanished}
                for name, own in self.answers.items()},
            "differences": [{"pair": list(pair), "classes": classes, "sums": sums}
                            for pair, (classes, sums) in self.differences().items()],
            "confusion": self.confusion.tolist(), "confusion_of": self.main,
            "mistakes": [vars(mistake) for mistake in self.mistakes(mistakes)]}

    def _accuracy_table(self) -> str:
        rows = []
        for name, own in self.answers.items():
            right = self.right(name)
            rows.append((name, ARITHMETICS[name], f"{right:,}",
                         f"{100 * right / len(self.labels):.2f} %", f"{own.moved:,}",
                         ", ".join(f"{layer}: {count}" for layer, count in own.vanished.items())
                         or "none"))
        return _table(("arithmetic", "what it is", "right", "accuracy", "thresholds moved",
                       "k that became 0"), rows)

    def _difference_table(self) -> str:
        return _table(("pair", "class differs", "any of the sums differs"),
                      [(" / ".join(pair), f"{classes:,}", f"{sums:,}")
                       for pair, (classes, sums) in self.differences().items()])

    def _class_table(self) -> str:
        confusion = self.confusion
        found, trusted = recall(confusion), precision(confusion)
        rows = []
        # NaN, a class without pictures, last
        for index in np.argsort(-found, kind="stable").tolist():
            row = np.where(np.arange(len(self.classes)) == index, 0, confusion[index])
            rows.append((self.classes[index], _percent(found[index]), _percent(trusted[index]),
                         f"{self.classes[int(row.argmax())]} ({row.max()})" if row.any() else "-"))
        return _table(("class", "recall", "precision", "most often taken for"), rows)

    def _mistake_table(self, count: int) -> str:
        return _table(
            ("test picture", "true", "predicted", "softmax of it", "score above the true class's"),
            [(str(one.index), one.true, one.predicted, f"{one.confidence:.3f}",
              f"{one.margin:.2f}") for one in self.mistakes(count)])


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f} %"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(printable, cells))} |" for cells in lines)
