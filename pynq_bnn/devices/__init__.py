"""The seam between driver and accelerator: PYNQ's own interface, whatever stands behind it."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Tuple, Union

from pynq_bnn.errors import UnknownDeviceError

DEVICES = ("model", "rtl", "board")
ENVIRONMENT_VARIABLE = "PYNQ_BNN_DEVICE"


class Device:
    """An accelerator's registers and the contiguous memory that it shares with the CPU.

    Attributes
    ----------
    name : str
        One of :data:`DEVICES`.
    mmio : object
        The register window, as `pynq.MMIO`: ``read(offset) -> int``, ``write(offset, int)``.
    clock_mhz : float or None
        The accelerator's clock as it really runs; None where no clock is known.
    """

    name: str
    mmio: Any
    clock_mhz: Optional[float] = None

    def allocate(self, shape: Union[int, Tuple[int, ...]], dtype: Any) -> Any:
        """Contiguous memory as an array, as `pynq.allocate`.

        Returns
        -------
        numpy.ndarray
            Of this shape and dtype, with ``device_address``, ``flush()``, ``invalidate()`` and
            ``freebuffer()``.

        Raises
        ------
        MemoryExhausted
            Says what was asked and how much is free.
        """
        raise NotImplementedError

    def free_bytes(self) -> Optional[int]:
        """Bytes of contiguous memory that are free; None where nobody knows."""
        raise NotImplementedError

    def describe(self) -> Dict[str, Any]:
        """What a person wants to know about the device; plain values that JSON can hold."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what the device holds; buffers are freed by those who allocated them."""

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def open_device(name: Optional[str] = None) -> Device:
    """Open the device called `name`.

    Parameters
    ----------
    name : str, optional
        "model", "rtl" or "board". Without it the environment variable PYNQ_BNN_DEVICE says
        which, and without that it is the board when running on one, else the model.

    Raises
    ------
    UnknownDeviceError
        No device has this name; the message gives those that exist.
    DeviceError
        The device exists but can't be opened here; the message says why.
    """
    origin = ""
    if name is None:
        name = os.environ.get(ENVIRONMENT_VARIABLE) or None
        origin = f" in the environment variable {ENVIRONMENT_VARIABLE}"
    if name is not None and name not in DEVICES:
        raise UnknownDeviceError(
            f"unknown device {name!r}{origin}: choose one of {', '.join(DEVICES)}")
    if name == "rtl":
        from pynq_bnn.devices.rtl import RtlDevice
        return RtlDevice()
    # a device is imported when it is opened, so that importing the package stays light
    if name != "model":
        from pynq_bnn.devices import board
        if name == "board" or board.running_on_board():
            return board.BoardDevice()
    from pynq_bnn.devices.model import ModelDevice
    return ModelDevice()
