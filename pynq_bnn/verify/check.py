"""The check: run stage by stage, read every output back and compare it with the reference.

Each layer is judged on the input that the device itself gave it, so an error shows in the layer
that made it and nowhere else; if every layer passes, the whole chain equals the reference's.

The judge is host_ref's float model: it decides every bit by k·s + h, and shares neither folding nor
packing nor convolution with what it judges.  docs/faults.md has what it was tried on.
"""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import numpy as np

from host_ref import network as net
from host_ref.errors import printable
from host_ref.floating import FloatModel
from pynq_bnn.driver.accelerator import Accelerator

SUM_BITS, SCORE_BITS, CLASS_BITS = 16, 32, 8
PROGRAM_RUN, SCORES, CLASSES = "program run", "scores", "classes"


@dataclass(frozen=True)
class Difference:
    """Where an output first differs; row and column are None for sums and scores."""

    image: int
    row: Optional[int]
    column: Optional[int]
    channel: Optional[int]
    expected: Union[int, float]
    got: Union[int, float]

    def __str__(self) -> str:
        if self.channel is None:
            place = f"image {self.image}"
        elif self.row is None:
            place = f"image {self.image}, class {self.channel}"
        else:
            place = (f"image {self.image}, row {self.row}, column {self.column}, "
                     f"channel {self.channel}")
        return f"{place}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class LayerCheck:
    """One layer's comparison: bits compared, bits differing, the first difference."""

    layer: str
    compared: int
    differing: int
    first: Optional[Difference]


@dataclass(frozen=True)
class CheckReport:
    """All layers' comparisons; prints as a table with a plain verdict."""

    device: str
    images: int
    layers: Tuple[LayerCheck, ...]

    @property
    def passed(self) -> bool:
        return not any(layer.differing for layer in self.layers)

    @property
    def first_failure(self) -> Optional[LayerCheck]:
        """The first layer that differs, None if all agree."""
        return next((layer for layer in self.layers if layer.differing), None)

    @property
    def verdict(self) -> str:
        bits = sum(layer.compared for layer in self.layers)
        noun = "image" if self.images == 1 else "images"
        what = f"device {self.device}, {self.images} {noun}, {bits:,} bits"
        failure = self.first_failure
        if failure is None:
            return f"PASS: every layer equals the reference bit for bit ({what})"
        return f"FAIL: {printable(failure.layer)} differs first, at {failure.first} ({what})"

    def __str__(self) -> str:
        lines = [f"{'layer':<12} {'bits':>12} {'differing':>10}  first difference"]
        lines += [f"{printable(layer.layer):<12} {layer.compared:>12,} {layer.differing:>10,}  "
                  f"{layer.first or '-'}" for layer in self.layers]
        return "\n".join([*lines, self.verdict])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(layer.layer)}</td><td>{layer.compared:,}</td>"
            f"<td>{layer.differing:,}</td><td>{html.escape(str(layer.first or '-'))}</td></tr>"
            for layer in self.layers)
        colour = "#1a7f37" if self.passed else "#b42318"
        return ("<table><tr><th>layer</th><th>bits</th><th>differing</th><th>first difference</th>"
                f"</tr>{rows}</table><p style='color:{colour}'><b>{html.escape(self.verdict)}</b>"
                "</p>")

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return {"passed": self.passed, "verdict": self.verdict, **asdict(self)}


def check(accelerator: Accelerator, pictures: np.ndarray,
          classify: Optional[Callable[[np.ndarray], Any]] = None) -> CheckReport:
    """Compare every layer, the sums of a whole program run, and answers, with host_ref.

    Parameters
    ----------
    pictures : uint8 (N, H, W, 3)
        Any number; they go through in batches.
    classify : callable, optional
        What makes Results of pictures: their scores and classes are judged too.
    """
    judge = FloatModel(accelerator.parameters)
    names = [layer.name for layer in accelerator.parameters.network.layers] + [PROGRAM_RUN]
    names += [] if classify is None else [SCORES, CLASSES]
    found: List[List[LayerCheck]] = [[] for _ in names]
    size = accelerator.batch
    for start in range(0, len(pictures), size):
        part = pictures[start:start + size]
        given = part
        for index, (layer, output) in enumerate(accelerator.step_through(part)):
            expected = judge.layer_output(index, given)
            bits = SUM_BITS if layer.kind == net.LAST else 1
            found[index].append(_compare(layer.name, expected, output, start, bits))
            given = output
        sums = judge.sums(part)
        comparisons = [(sums, accelerator.run(part).sums, SUM_BITS)]
        if classify is not None:
            answers, (scores, classes) = classify(part), judge.answers(sums)
            comparisons += [(scores, answers.scores, SCORE_BITS),
                            (classes, np.array([each.index for each in answers]), CLASS_BITS)]
        for place, comparison in enumerate(comparisons, len(names) - len(comparisons)):
            found[place].append(_compare(names[place], *comparison[:2], start, comparison[2]))
    return CheckReport(accelerator.device.name, len(pictures),
                       tuple(_total(parts) for parts in found))


def _compare(name: str, expected: np.ndarray, got: np.ndarray, first_image: int,
             bits: int) -> LayerCheck:
    """Compare one batch's outputs bit for bit; `bits` is how many a value has."""
    if expected.shape != got.shape:
        raise AssertionError(f"{name}: reference gives {expected.shape}, device {got.shape}")
    compared = expected.size * bits
    changed = _integers(expected) ^ _integers(got)
    wrong = np.argwhere(changed)
    if not len(wrong):
        return LayerCheck(name, compared, 0, None)
    place = tuple(int(axis) for axis in wrong[0])
    row, column = place[1:3] if len(place) == 4 else (None, None)
    channel = place[-1] if len(place) > 1 else None
    first = Difference(first_image + place[0], row, column, channel, expected[place].item(),
                       got[place].item())
    differing = int(sum(((changed >> bit) & 1).sum() for bit in range(bits)))
    return LayerCheck(name, compared, differing, first)


def _integers(values: np.ndarray) -> np.ndarray:
    """The same bits as int64: of floats those of float32."""
    if values.dtype.kind == "f":
        values = values.astype(np.float32).view(np.int32)
    return values.astype(np.int64)


def _total(parts: List[LayerCheck]) -> LayerCheck:
    first = next((part.first for part in parts if part.first), None)
    return LayerCheck(parts[0].layer, sum(part.compared for part in parts),
                      sum(part.differing for part in parts), first)
