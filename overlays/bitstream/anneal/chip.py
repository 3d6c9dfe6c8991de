"""The places of a chip's slices."""

from __future__ import annotations

from typing import Dict, Tuple

import numpy as np

from overlays.bitstream.anneal.sites import Site


class Chip:
    """The places of slices, column after column.

    Attributes
    ----------
    columns, height : int
    number : dict of str to int
        A slice's place: column * `height` + row.
    kind : numpy.ndarray of uint8
        Of each place: 0 none, 1 a slice, 2 one with memory.
    across, down : numpy.ndarray of int32
        Where each is, as wires count.
    room : numpy.ndarray of float32
        Of each place: see :class:`~overlays.bitstream.anneal.sites.Site`.
    """

    def __init__(self, slices: Dict[str, Site], places: Dict[str, Tuple[int, int]]) -> None:
        self.columns = 1 + max(x for x, _ in places.values())
        self.height = 1 + max(y for _, y in places.values())
        self.number = {name: x * self.height + y for name, (x, y) in places.items()}
        self.kind = np.zeros(self.columns * self.height, np.uint8)
        self.across, self.down = (np.zeros(self.columns * self.height, np.int32)
                                  for _ in range(2))
        self.room = np.ones(self.columns * self.height, np.float32)
        for name, site in slices.items():
            place = self.number[name]
            self.kind[place] = 2 if site.kind == "SLICEM" else 1
            self.across[place], self.down[place] = site.across, site.down
            self.room[place] = site.room

    def column_at(self, most: int) -> np.ndarray:
        """The first column of the nearest tile, by `across` from 0 to `most`."""
        return self._nearest(self.across, np.arange(len(self.kind)) // self.height, most)

    def line_at(self, most: int) -> np.ndarray:
        """The row of the nearest tile, by `down` from 0 to `most`."""
        return self._nearest(self.down, np.arange(len(self.kind)) % self.height, most)

    def _nearest(self, at: np.ndarray, number: np.ndarray, most: int) -> np.ndarray:
        at, number = at[self.kind > 0], number[self.kind > 0]
        positions = np.unique(at)
        least = np.array([number[at == position].min() for position in positions], np.int32)
        return least[np.abs(np.arange(most + 1)[:, None] - positions).argmin(1)]
