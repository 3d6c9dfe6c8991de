"""The seam between driver and accelerator: PYNQ's own interface, whatever stands behind it."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Optional, Tuple, Union

from pynq_bnn.devices.turn import Turn
from pynq_bnn.errors import UnknownDeviceError

DEVICES = ("model", "cpu", "rtl", "board")
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
    turn : Turn
        Shared by all that use this accelerator.
    presence : callable
        ``presence() -> bool``: False once something else is at the accelerator's address, so that
        its registers are gone.  It holds no reference to the device.
    """

    name: str
    mmio: Any
    clock_mhz: Optional[float] = None
    turn: Turn
    presence: Callable[[], bool] = staticmethod(lambda: True)

    def __new__(cls, *_: Any, **__: Any) -> Device:
        device = super().__new__(cls)
        device.turn = Turn()
        return device

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

    def open_accelerator(self, timeout_s: float) -> Any:
        """What drives it: an Accelerator, or what has the same calls."""
        from pynq_bnn.driver.accelerator import Accelerator

        return Accelerator(self, timeout_s)

    def require_ready(self) -> None:
        """Raise an error if this is no longer the accelerator that was opened; before each use."""

    @property
    def ours(self) -> bool:
        """False in a process that only inherited the device: it must leave the device alone."""
        return True

    def hint(self) -> str:
        """What else a message about wrong data should say; may be empty."""
        return ""

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
        "model", "cpu", "rtl" or "board". Without it the environment variable PYNQ_BNN_DEVICE says
        which, and without that it is the board when running on one, else the cpu, or the model
        where no C compiler is found.

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
    if name == "cpu":
        return _cpu()
    if name == "rtl":
        from pynq_bnn.devices.rtl import RtlDevice
        return RtlDevice()
    # a device is imported when it is opened, so that importing the package stays light
    if name != "model":
        from pynq_bnn.devices.board.identity import running_on_board
        if name == "board" or running_on_board():
            from pynq_bnn.devices.board import open_board
            return open_board()
        from pynq_bnn.cpu.library import library
        if library() is not None:
            return _cpu()
    from pynq_bnn.devices.model import ModelDevice
    return ModelDevice()


def _cpu() -> Device:
    from pynq_bnn.devices.cpu import CpuDevice

    return CpuDevice()


def as_device(thing: Any) -> Device:
    """The device that `thing` is or has: a Device, a BnnOverlay, or its accelerator.

    Raises
    ------
    TypeError
        Of anything else; it lists what is accepted.
    """
    if isinstance(thing, Device):
        return thing
    if callable(getattr(thing, "as_device", None)):
        return thing.as_device()
    raise TypeError(
        f"{type(thing).__name__} is not a device: give one of {', '.join(map(repr, DEVICES))}, a "
        "BnnOverlay or its accelerator (overlay.bnn), a Device, or None for the default")
