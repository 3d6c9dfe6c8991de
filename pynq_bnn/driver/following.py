"""A run's first layer beside the last layers of the run before it: what is kept of that."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, NamedTuple, Optional, Tuple

import numpy as np

if TYPE_CHECKING:
    from pynq_bnn.driver.loaded import Loaded


class Program(NamedTuple):
    """Which program: of the slot with pictures and sums, for so many `pictures`.

    `prepared` if the run before computed their first batch's first layer; `following` is the slot
    of pictures whose first batch's first layer is computed beside, if there are any.
    """

    slot: int
    pictures: int
    prepared: bool
    following: Optional[int]

    @property
    def kind(self) -> Tuple[int, bool, bool]:
        """What decides how long it takes."""
        return self.pictures, self.prepared, self.following is not None


class Prepared:
    """Pictures, a copy of them, that lie in a slot.

    The first layer of their first batch the run before computes or has computed.
    """

    def __init__(self, loaded: Loaded, slot: int, pictures: np.ndarray) -> None:
        self._loaded = weakref.ref(loaded)  # whoever drops a network gets its memory back
        self.slot = slot
        self._pictures = pictures.tobytes()

    def are(self, loaded: Loaded, pictures: np.ndarray, unchanged: bool) -> bool:
        """Whether these are the pictures, and of that network; if `unchanged` they are."""
        return self._loaded() is loaded and (
            unchanged or self._pictures == pictures.tobytes())
