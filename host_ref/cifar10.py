"""CIFAR-10 in its official binary layout (Krizhevsky 2009, "CIFAR-10 binary version").

A record is the label byte, then the red, green and blue planes of 32 x 32 bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple, Union

import numpy as np

from host_ref.errors import BnnError, shortened

CLASSES = ("airplane", "automobile", "bird", "cat", "deer",
           "dog", "frog", "horse", "ship", "truck")
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("test_batch.bin",)
RECORD = 1 + 3 * 32 * 32


class DatasetError(BnnError, ValueError):
    """The folder isn't CIFAR-10 in its binary layout; the message names the file."""


def find(folder: Union[str, Path]) -> Path:
    """The folder that holds the batches: `folder` or its ``cifar-10-batches-bin``."""
    try:
        folder = Path(folder)
        for candidate in (folder, folder / "cifar-10-batches-bin"):
            if (candidate / TEST_FILES[0]).is_file():
                return candidate
    except (TypeError, ValueError, OSError) as error:  # None, a NUL, a name without end
        raise DatasetError(f"{shortened(repr(folder), 200)} is not a folder's path ({error}): give "
                           "the folder of CIFAR-10's binary version") from None
    raise DatasetError(f"no {TEST_FILES[0]} in {folder} nor in its cifar-10-batches-bin: "
                       "give the folder of CIFAR-10's binary version")


def load(folder: Union[str, Path], split: str) -> Tuple[np.ndarray, np.ndarray]:
    """Pictures and labels of a split.

    Parameters
    ----------
    folder : path
        Where the ``*.bin`` batches are, or its parent.
    split : {"train", "test"}

    Returns
    -------
    images : uint8 (N, 32, 32, 3)
    labels : uint8 (N,)
    """
    if split not in ("train", "test"):
        raise ValueError(f"split {split!r}: 'train' or 'test'")
    folder = find(folder)
    parts: List[np.ndarray] = []
    for name in TRAIN_FILES if split == "train" else TEST_FILES:
        path = folder / name
        if not path.is_file():
            raise DatasetError(f"{path} is missing")
        data = np.fromfile(str(path), dtype=np.uint8)
        if not data.size or data.size % RECORD:
            raise DatasetError(f"{path}: {data.size} bytes, not a multiple of {RECORD}")
        parts.append(data.reshape(-1, RECORD))
    records = np.concatenate(parts)
    if records[:, 0].max() >= len(CLASSES):
        raise DatasetError(f"{folder}: label {records[:, 0].max()}, at most {len(CLASSES) - 1}")
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].copy()
