"""What a network is trained on and measured with: CIFAR-10, or a folder of anybody's pictures.

A folder has one sub-folder of picture files per class, named after it: ``DIR/<class>/*``, or
``DIR/train/<class>/*`` and ``DIR/test/<class>/*``.  Without a test folder a seeded share of each
class's pictures is held back as the test split.

Whoever loads a folder says which function makes a file the network's picture.  For a file that
``pynq_bnn.classify`` is to use, that is ``pynq_bnn.images.to_pictures``, so that training and
classification see the same pixels without a second place that knows how.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple, Union

import numpy as np
from tqdm import tqdm

from host_ref import cifar10
from host_ref.cifar10 import DatasetError
from host_ref.network import MAX_CLASSES
from host_ref.parameters import VALUES

TEST_SHARE = 0.2
"""How much of each class becomes the test split where there is no test folder."""

SEED = 1
"""Of that choice; not the recipe's, so that runs with other seeds are measured on one split."""

CIFAR10_SIZE = (32, 32)

Prepare = Callable[[Path, int, int], np.ndarray]
"""From a picture file, a height and a width, uint8 (1, height, width, 3)."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures with labels, and what a parameter file says about them.

    Attributes
    ----------
    name : str
    classes : tuple of str
        Their indices are the labels.
    train_images, test_images : uint8 (N, H, W, 3)
    train_labels, test_labels : uint8 (N,)
    tested_on : str
        Which pictures the test split is, as people call it.
    prepared_by : str
        The function that made picture files the network's pictures; empty if they were that size.
    """

    name: str
    classes: Tuple[str, ...]
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    tested_on: str
    prepared_by: str = ""

    @property
    def preprocessing(self) -> Dict[str, Any]:
        """For the parameter file: see :class:`host_ref.parameters.Parameters`."""
        size = list(self.train_images.shape[1:3])
        result = {"size": size, "values": VALUES, "crop": "centre"}
        return dict(result, prepared_by=self.prepared_by) if self.prepared_by else result


def load(folder: Union[str, Path], height: int, width: int, prepare: Prepare,
         progress: bool = True) -> Dataset:
    """CIFAR-10 if `folder` holds its binary version, else a folder of pictures.

    Parameters
    ----------
    height, width : int
        What the network takes, in pixels.
    prepare : Prepare
        See :func:`from_folder`; CIFAR-10's pictures need none.

    Raises
    ------
    DatasetError
    """
    folder = Path(folder)
    try:
        folder = cifar10.find(folder)
    except DatasetError:
        return from_folder(folder, height, width, prepare, progress)
    if (height, width) != CIFAR10_SIZE:
        raise DatasetError(f"CIFAR-10's pictures are 32 x 32, the network takes {height} x {width}")
    return Dataset("CIFAR-10", cifar10.CLASSES, *cifar10.load(folder, "train"),
                   *cifar10.load(folder, "test"), tested_on="CIFAR-10 test split")


def from_folder(folder: Union[str, Path], height: int, width: int, prepare: Prepare,
                progress: bool = True) -> Dataset:
    """Pictures of a folder with one sub-folder per class.

    Classes stand in the alphabetical order of their names.  Hidden files are ignored; every other
    file below a class must be a picture.

    Parameters
    ----------
    height, width : int
        What the network takes, in pixels.
    prepare : Prepare
        Called once for each file; its errors pass through, and should name the file.

    Raises
    ------
    DatasetError
        No class, a single one or too many, a class without pictures, other classes in the test
        folder.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    inner = folder / "train"
    train = _files(inner if inner.is_dir() else folder)
    if inner.is_dir() and (folder / "test").is_dir():
        test, tested_on = _files(folder / "test"), f"{folder.name}, test folder"
        odd = sorted(set(train) ^ set(test))
        if odd:
            raise DatasetError(f"{folder}: only one of train and test has {', '.join(odd)}")
    else:
        train, test = _hold_back(train)
        tested_on = f"{folder.name}, {100 * TEST_SHARE:g} % of its pictures, held back"

    def read(files: Dict[str, List[Path]]) -> Tuple[np.ndarray, np.ndarray]:
        paths = [path for paths in files.values() for path in paths]
        pictures = [prepare(path, height, width)
                    for path in tqdm(paths, desc="pictures", disable=not progress)]
        labels = np.repeat(np.arange(len(files)), [len(paths) for paths in files.values()])
        return np.concatenate(pictures), labels.astype(np.uint8)

    return Dataset(folder.name, tuple(train), *read(train), *read(test), tested_on,
                   f"{prepare.__module__}.{prepare.__qualname__}")


def _files(folder: Path) -> Dict[str, List[Path]]:
    """Each class's files, both in alphabetical order."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not _hidden(path))
    if not classes:
        raise DatasetError(f"{folder}: neither CIFAR-10's binary version nor a folder with a "
                           "sub-folder of pictures for each class")
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise DatasetError(f"{folder} has {len(classes)} sub-folders, each of which is a class: "
                           f"2 to {MAX_CLASSES} are possible")
    result = {}
    for path in classes:
        files = sorted(file for file in path.iterdir() if not _hidden(file))
        if not files:
            raise DatasetError(f"{path}: a class without pictures")
        result[path.name] = files
    return result


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _hold_back(files: Dict[str, List[Path]]) -> Tuple[Dict[str, List[Path]], Dict[str, List[Path]]]:
    """Divide every class's files into training and test."""
    rng = np.random.default_rng(SEED)
    train, test = {}, {}
    for name, paths in files.items():
        if len(paths) < 2:
            raise DatasetError(f"{paths[0].parent}: one picture, too few to hold a share back")
        count = max(1, round(TEST_SHARE * len(paths)))
        order = [paths[index] for index in rng.permutation(len(paths))]
        test[name], train[name] = order[:count], order[count:]
    return train, test
