"""Decoding in processes of their own, so that a device waits for no JPEG."""

from __future__ import annotations

import io
import multiprocessing
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Deque, Iterable, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from pynq_bnn.bulk.sources import Entry
from pynq_bnn.errors import BnnError, PictureError
from pynq_bnn.images import to_pictures

CHUNK = 32
"""Pictures that a process gets at once: what passes between processes costs 0.1 ms and more."""
AHEAD = 3
"""Chunks for each process that are begun before their turn."""


class Decoded(NamedTuple):
    """A picture uint8 (height, width, 3), or why there is none."""

    name: str
    picture: Optional[np.ndarray]
    error: str = ""


def decode(source: Iterable[Entry], height: int, width: int, workers: int) -> Iterator[Decoded]:
    """Every entry's picture, in their order; one that can't be read is told, never fatal.

    Parameters
    ----------
    workers : int
        Processes; 0 decodes in this one.

    Raises
    ------
    BnnError
        If a process dies (it was killed, or memory ran out).
    """
    items = iter(source)
    chunks = iter(lambda: list(islice(items, CHUNK)), [])
    if not workers:
        for chunk in chunks:
            yield from _decoded(chunk, height, width)
        return
    # spawned: a forked child would inherit a device, its threads and its locks
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    begun: Deque[Any] = deque()  # futures of lists of Decoded
    try:
        for chunk in chunks:
            begun.append(pool.submit(_decoded, chunk, height, width))
            if len(begun) >= AHEAD * workers:
                yield from begun.popleft().result()
        while begun:
            yield from begun.popleft().result()
    except BrokenProcessPool as error:
        raise BnnError(f"a process that decodes pictures died ({error}): is there memory for "
                       f"{workers} of them? What was written stays; go on with resume") from error
    finally:
        for future in begun:
            future.cancel()
        pool.shutdown()


def _decoded(chunk: List[Entry], height: int, width: int) -> List[Decoded]:
    return [Decoded(entry.name, *_picture(entry, height, width)) for entry in chunk]


def _picture(entry: Entry, height: int, width: int) -> Tuple[Optional[np.ndarray], str]:
    if entry.error:
        return None, f"{entry.name}: {entry.error}"
    try:
        if isinstance(entry.content, str):
            return to_pictures(entry.content, height, width)[0], ""
        with Image.open(io.BytesIO(entry.content)) as image:
            return to_pictures(image, height, width)[0], ""
    except UnidentifiedImageError:
        return None, f"{entry.name}: not an image of a format that Pillow knows"
    except PictureError as error:
        return None, str(error)
    except Exception as error:  # a damaged header makes Pillow raise nearly anything
        return None, f"{entry.name}: can't be read: {error}"
