"""Pictures whose answer is known, one in every chunk: a worker can't tell them from the others."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from host_ref.floating import FloatModel
from host_ref.parameters import Parameters

COUNT, SEED = 4, 20170222


class Probes:
    """Some random pictures and the sums that host_ref gives for them.

    A device that answers every picture alike, or repeats an answer, or lags by one, is found with
    the first chunk; one that errs seldom, when it errs with a probe.
    """

    def __init__(self, parameters: Parameters) -> None:
        network = parameters.network
        self.pictures = np.random.default_rng(SEED).integers(
            0, 256, (COUNT, network.height, network.width, 3), np.uint8)
        self.sums = FloatModel(parameters).sums(self.pictures)

    @staticmethod
    def _place(count: int, number: int) -> int:
        """Where in chunk `number` of `count` pictures it stands: all places have their turn."""
        return number * 7919 % (count + 1)

    def added(self, pictures: np.ndarray, number: int) -> np.ndarray:
        """Pictures uint8 (n, H, W, 3) and a probe among them."""
        return np.insert(pictures, self._place(len(pictures), number),
                         self.pictures[number % COUNT], axis=0)

    def removed(self, sums: np.ndarray, count: int, number: int) -> Tuple[np.ndarray, str]:
        """Sums (n, classes) of a chunk without the probe's, and what is wrong with them, or ""."""
        place, expected = self._place(count, number), self.sums[number % COUNT]
        if np.shape(sums) != (count + 1, len(expected)):
            return sums, (f"{count + 1} pictures were answered with sums of shape "
                          f"{np.shape(sums)}")
        if not np.array_equal(sums[place], expected):
            return sums, (f"a wrong known answer: sums {sums[place].tolist()}, should be "
                          f"{expected.tolist()}")
        return np.delete(sums, place, axis=0), ""
