"""The arithmetics that a network can be run in, and what each answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Union

import numpy as np

from host_ref import fixed_point
from host_ref.accuracy.testset import slices
from host_ref.calibration import probabilities
from host_ref.floating import FloatModel
from host_ref.integer import IntegerModel
from host_ref.parameters import Parameters

CHUNK = 25
"""Pictures at a time: the float model takes about 3 MB for each."""

FLOAT, INTEGER, FIXED, PAPER = "float", "integer", "fixed", "paper"

ARITHMETICS: Dict[str, str] = {
    FLOAT: "k·s + h in float64, nothing folded",
    INTEGER: "folded to integer thresholds, as every device computes",
    FIXED: "16-bit k and h, the finest power of two of each layer",
    PAPER: "16-bit k and h, the paper's widths: 14 and 12 fraction bits, truncated",
}

_MODELS: Dict[str, Callable[[Parameters], Union[FloatModel, IntegerModel]]] = {
    FLOAT: FloatModel,
    INTEGER: IntegerModel,
    FIXED: lambda parameters: IntegerModel(fixed_point.scaled(parameters)),
    PAPER: lambda parameters: IntegerModel(fixed_point.paper(parameters)),
}


@dataclass(frozen=True, eq=False)
class Answers:
    """What one arithmetic says of N pictures.

    Attributes
    ----------
    sums : int32 (N, classes)
        The last layer's.
    scores : float64 (N, classes)
        k·s + h.
    moved : int
    vanished : dict
        What rounding k and h did: :func:`host_ref.fixed_point.moved`, ``vanished``.
    """

    sums: np.ndarray
    scores: np.ndarray
    moved: int
    vanished: Dict[str, int]

    @property
    def predicted(self) -> np.ndarray:
        """int64 (N,): of equal scores the first."""
        return self.scores.argmax(axis=1)

    @property
    def probabilities(self) -> np.ndarray:
        """float64 (N, classes): the softmax of the scores, the training's own reading of them."""
        return probabilities(self.scores)


def answer(parameters: Parameters, images: np.ndarray, arithmetic: str,
           progress: bool = False) -> Answers:
    """Run uint8 pictures (N, H, W, 3), a few at a time, in one of :data:`ARITHMETICS`."""
    model = _MODELS[arithmetic](parameters)
    sums = np.empty((len(images), parameters.network.classes), np.int32)
    for part in slices(len(images), CHUNK, arithmetic if progress else ""):
        sums[part] = model.run(images[part])[-1]
    return Answers(sums, model.scores(sums).astype(np.float64),
                   fixed_point.moved(parameters, model.parameters),
                   fixed_point.vanished(parameters, model.parameters))
