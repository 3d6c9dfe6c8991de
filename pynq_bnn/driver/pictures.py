"""What a run takes: pictures as the network wants them, at most a batch."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from pynq_bnn.errors import PictureError


def require_pictures(pictures: np.ndarray, shape: Tuple[int, int, int], most: int) -> int:
    """How many pictures; raise PictureError unless they are uint8 (N, H, W, 3), N 1 to `most`."""
    if not isinstance(pictures, np.ndarray) or pictures.dtype.char != "B" \
            or pictures.shape[1:] != shape:
        given = f"{getattr(pictures, 'dtype', type(pictures).__name__)} {np.shape(pictures)}"
        raise PictureError(f"pictures must be uint8 (N, {shape[0]}, {shape[1]}, {shape[2]}), "
                           f"not {given}: images.to_pictures makes them")
    count = len(pictures)
    if not 1 <= count <= most:
        raise PictureError(f"{count} pictures in a run: with this network this device takes 1 to "
                           f"{most}")
    return count
