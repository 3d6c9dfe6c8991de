"""What runs on a worker: its own accelerator, made there and kept for as long as somebody uses it.

A classifier is never sent: it holds a device.  Parameters and pictures are, and sums come back.
"""

from __future__ import annotations

import platform
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import numpy as np

from host_ref.parameters import Parameters, load, save
from pynq_bnn.classifier import Classifier
from pynq_bnn.errors import BusyError, DeviceError


class Key(NamedTuple):
    """Which of a worker's classifiers: a parameter file's checksum, a device's name."""

    checksum: str
    device: Optional[str]


@dataclass(frozen=True)
class Facts:
    """What a worker said when its accelerator had been opened."""

    host: str
    device: str
    batch: int
    build: str

    def __str__(self) -> str:
        return f"{self.host}: device {self.device}, gateware {self.build}, batch {self.batch}"


class _Owned:
    """A classifier, and who uses it."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.users: List[str] = []


_owned: Dict[Key, _Owned] = {}
_lock = threading.Lock()


def as_file(parameters: Parameters) -> bytes:
    """A parameter file's bytes: a bit a weight, where Parameters have a byte, and a checksum."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sent.npz"
        save(path, parameters)
        return path.read_bytes()


def _from_file(data: bytes) -> Parameters:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "received.npz"
        path.write_bytes(data)
        return load(path)


def open_here(key: Key, file: bytes, timeout_s: float, user: str) -> Facts:
    """Open this machine's device, known-answer test included, or join those who use it.

    Raises
    ------
    BusyError
        If another cluster uses it with other parameters: a board has one accelerator.
    BnnError
        As :class:`pynq_bnn.Classifier`.
    """
    with _lock:
        others = [each for each in _owned if each != key]
        if others:
            raise BusyError(f"this worker's device is in use with parameters "
                            f"{others[0].checksum[:16]}: close that cluster first")
        if key not in _owned:
            _owned[key] = _Owned(Classifier(_from_file(file), key.device, timeout_s))
        own = _owned[key]
        if user not in own.users:
            own.users.append(user)
    classifier = own.classifier
    return Facts(platform.node(), classifier.device.name, classifier.batch,
                 f"{classifier.accelerator.capabilities.build:08x}")


def sums_of(key: Key, pictures: np.ndarray) -> np.ndarray:
    """Sums int16 (N, classes) of pictures uint8 (N, H, W, 3)."""
    own = _owned.get(key)
    if own is None:
        raise DeviceError("this worker has no device open: it was started again, or another "
                          "program closed it")
    return own.classifier.sums(pictures)


def close_here(key: Key, user: str) -> None:
    """Leave the device; the last one to do so closes it."""
    with _lock:
        own = _owned.get(key)
        if own is None:
            return
        if user in own.users:
            own.users.remove(user)
        if not own.users:
            del _owned[key]
            own.classifier.close()
