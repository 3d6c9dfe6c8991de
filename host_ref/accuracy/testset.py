"""CIFAR-10's test pictures for a network that can tell CIFAR-10's classes apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Optional, Tuple, Union

import numpy as np

from host_ref import cifar10
from host_ref.parameters import ParameterError, Parameters


def load(parameters: Parameters, folder: Union[str, Path],
         count: Optional[int] = None) -> Tuple[np.ndarray, np.ndarray]:
    """The test split, or its first `count` pictures.

    Parameters
    ----------
    parameters : Parameters
        Of the network that is to be measured.
    folder : path
        CIFAR-10's binary version (see :func:`host_ref.cifar10.load`).

    Returns
    -------
    images : uint8 (N, 32, 32, 3)
    labels : uint8 (N,)

    Raises
    ------
    DatasetError
        If the folder is not CIFAR-10.
    ParameterError
        If the network's classes or picture are not CIFAR-10's.
    ValueError
        If `count` is below 1.
    """
    if count is not None and count < 1:
        raise ValueError(f"count={count}: at least 1 picture")
    if tuple(parameters.classes) != cifar10.CLASSES:
        raise ParameterError(
            f"network {parameters.name!r} tells other classes apart than CIFAR-10's: "
            f"{', '.join(parameters.classes)}")
    images, labels = cifar10.load(folder, "test")
    network = parameters.network
    if images.shape[1:3] != (network.height, network.width):
        raise ParameterError(f"network {parameters.name!r} takes pictures of "
                             f"{network.height} x {network.width}, CIFAR-10's are 32 x 32")
    return images[:count], labels[:count]


def slices(count: int, step: int, progress: str = "") -> Iterator[slice]:
    """Cover `count` pictures, `step` at a time, behind a progress bar named `progress`.

    Without a name, or without tqdm, there is no bar.
    """
    bar = _bar(count, progress)
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        yield part
        if bar is not None:
            bar.update(part.stop - part.start)
    if bar is not None:
        bar.close()


def _bar(count: int, name: str) -> Any:
    """A tqdm bar, or None."""
    if not name:
        return None
    try:
        from tqdm.auto import tqdm  # in a notebook its own
    except ImportError:
        return None
    return tqdm(total=count, desc=name, unit="picture")
