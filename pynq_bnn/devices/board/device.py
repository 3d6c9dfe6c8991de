"""The accelerator in a board's fabric, as a device."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, Union

import numpy as np

from overlays.boards import HP_PORTS
from pynq_bnn import registers
from pynq_bnn.devices import Device
from pynq_bnn.devices.board.identity import this_board
from pynq_bnn.devices.board.ownership import Claim
from pynq_bnn.devices.board.zynq import describe_ports
from pynq_bnn.devices.turn import Turn
from pynq_bnn.driver.capabilities import identify
from pynq_bnn.errors import BusyError, ClosedError, MemoryExhausted, OverlayError

if TYPE_CHECKING:
    from pynq_bnn.devices.board.overlay import BnnDriver

MEMINFO = Path("/proc/meminfo")

TURN = Turn()
"""A board has one fabric: all devices of this process take turns with it."""


class BoardDevice(Device):
    """The accelerator in the fabric, through PYNQ.

    Parameters
    ----------
    driver : BnnDriver
        The accelerator of an overlay that is loaded.

    Raises
    ------
    BusyError
        If another process has the accelerator.
    IdentificationError
        If it is not an accelerator that this package knows.
    DeviceError
        If its memory ports can't be made 64 bits wide.
    """

    name = "board"

    def __init__(self, driver: BnnDriver) -> None:
        self.turn = TURN
        self._driver = driver
        self._process = os.getpid()
        self._claim = Claim(self)
        self._closed = False
        try:
            self.presence = driver.fabric.unchanged()
            self._bitstream = Path(driver.device.bitfile_name)
            self._sha256 = hashlib.sha256(self._bitstream.read_bytes()).hexdigest()
            self.mmio = driver.mmio
            self.clock_mhz = driver.clock_mhz  # kept: every read maps the clock registers anew
            # identified before anything else, and before the first DMA the ports are widened
            self._ports = driver.widen_ports(HP_PORTS[:identify(self.mmio).ports])
        except BaseException:
            self._claim.release()
            raise

    @property
    def ours(self) -> bool:
        return os.getpid() == self._process

    @property
    def closed(self) -> bool:
        return self._closed

    def require_ready(self) -> None:
        if not self.ours:
            raise BusyError(
                f"this device was opened by process {self._process}, of which this process "
                f"({os.getpid()}) is a fork: only one can have the accelerator. Let that one "
                "classify, or close it there and open one here")
        if self._closed:
            raise ClosedError("this device was closed: open a new one")
        if not self.presence():
            raise OverlayError(
                f"{self._bitstream} is no longer in the fabric: another bitstream was loaded after "
                "it. Load it again with BnnOverlay() and make a new Classifier")

    def allocate(self, shape: Union[int, Tuple[int, ...]], dtype: Any) -> Any:
        try:
            return self._driver.allocate(shape, dtype)
        except (MemoryError, OSError, RuntimeError) as error:
            asked = int(np.prod(shape)) * np.dtype(dtype).itemsize
            free = self.free_bytes()
            raise MemoryExhausted(
                f"{asked} bytes of contiguous memory asked for, "
                f"{'an unknown number of' if free is None else free} bytes free (PYNQ: {error}): "
                "close other classifiers, overlays and notebook kernels that hold buffers, or "
                "restart the board") from error

    def free_bytes(self) -> Optional[int]:
        """CmaFree, what the kernel has left for contiguous memory."""
        try:
            match = re.search(r"^CmaFree:\s*(\d+) kB", MEMINFO.read_text(), re.MULTILINE)
        except OSError:
            return None
        return int(match.group(1)) * 1024 if match else None

    def hint(self) -> str:
        return f"memory ports: {describe_ports(self._ports)}; bitstream {self._bitstream}"

    def describe(self) -> Dict[str, Any]:
        board, contact = this_board(), self._driver.contact
        return {
            "device": self.name,
            "board": board.name,
            "part": board.part,
            "bitstream": str(self._bitstream),
            "bitstream_sha256": self._sha256,
            "clock_mhz": self.clock_mhz,
            "first_contact": contact.to_dict() if contact is not None else "not made",
            "memory_ports": dict(self._ports),
            "memory_free_bytes": self.free_bytes(),
            "pynq": self._driver.pynq_version,
            "registers": f"0x{registers.WINDOW_BYTES:X} bytes at 0x{self.mmio.base_addr:08X}",
        }

    def close(self) -> None:
        """Let other processes have the accelerator; closing twice is fine."""
        self._closed = True
        self._claim.release()
