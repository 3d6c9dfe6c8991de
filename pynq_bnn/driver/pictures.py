"""What a run takes: pictures as the network wants them, at most a batch, or full batches."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from pynq_bnn.errors import PictureError


def require_pictures(pictures: np.ndarray, shape: Tuple[int, int, int], batch: int,
                     run_size: Optional[int] = None) -> int:
    """How many pictures; raise PictureError unless they are uint8 (N, H, W, 3) and a run takes N.

    That is 1 to `batch`, and multiples of it up to `run_size` (`batch` without).
    """
    if not isinstance(pictures, np.ndarray) or pictures.dtype.char != "B" \
            or pictures.shape[1:] != shape:
        given = f"{getattr(pictures, 'dtype', type(pictures).__name__)} {np.shape(pictures)}"
        raise PictureError(f"pictures must be uint8 (N, {shape[0]}, {shape[1]}, {shape[2]}), "
                           f"not {given}: images.to_pictures makes them")
    count, most = len(pictures), run_size or batch
    if not 1 <= count <= batch and (count == 0 or count > most or count % batch):
        full = f", or full batches of {batch}, up to {most}" if most > batch else ""
        raise PictureError(f"{count} pictures in a run: with this network this device takes 1 to "
                           f"{batch}{full}")
    return count
