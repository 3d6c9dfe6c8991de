"""Every error a user can meet: each says what is wrong and what to do, and leaves things usable."""

from __future__ import annotations

from host_ref.cifar10 import DatasetError
from host_ref.errors import BnnError
from host_ref.network import NetworkError
from host_ref.parameters import ParameterError

__all__ = [
    "BnnError", "BusyError", "ClosedError", "DatasetError", "DeviceError", "DeviceTimeout",
    "IdentificationError", "MemoryExhausted", "NetworkError", "OverlayError", "ParameterError",
    "PictureError",
    "UnknownDeviceError",
]


class PictureError(BnnError, ValueError):
    """A picture that can't be read or converted."""


class OverlayError(BnnError, RuntimeError):
    """A bitstream or .hwh that is missing, for another part, or without our accelerator."""


class IdentificationError(BnnError, RuntimeError):
    """What answers at the accelerator's address is not one, or speaks another interface version."""


class DeviceError(BnnError, RuntimeError):
    """The accelerator stopped with an error; the message decodes its registers."""


class UnknownDeviceError(DeviceError, ValueError):
    """A device name that is not one of model, rtl, board."""


class DeviceTimeout(DeviceError, TimeoutError):
    """The accelerator did not finish in time; the message shows its registers."""

    def __new__(cls, *args: object) -> DeviceTimeout:
        """As the one of its bases that has data of its own: Dask's unpickling calls this."""
        return OSError.__new__(cls, *args)


class MemoryExhausted(BnnError, MemoryError):
    """No contiguous memory left; the message says what was asked and how much is free."""

    def __new__(cls, *args: object) -> MemoryExhausted:
        """MemoryError's own would refuse: Dask's unpickling calls this."""
        return Exception.__new__(cls, *args)


class BusyError(BnnError, RuntimeError):
    """Somebody else uses the device: another thread, another process, or a walk not yet ended."""


class ClosedError(BnnError, RuntimeError):
    """Used after close()."""
