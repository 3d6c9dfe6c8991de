"""The same pictures over and over, in whole batches, until enough."""

from __future__ import annotations

from itertools import cycle
from typing import Any, Callable, Iterator

from pynq_bnn.images import is_single


def repeated(images: Any, batch: int, enough: Callable[[int], bool]) -> Iterator[Any]:
    """Yield pictures; `enough` is asked before each batch with the pictures yielded so far.

    Raises
    ------
    ValueError
        If there is no picture.
    """
    some = [images] if is_single(images) else list(images)
    if not some:
        raise ValueError("no picture to stream")
    for number, picture in enumerate(cycle(some)):
        if number % batch == 0 and enough(number):
            return
        yield picture
