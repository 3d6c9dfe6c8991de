"""The board: which one this is, and the accelerator in its fabric as a device.

PYNQ is imported when a device is opened (7 s on a board), and never before.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, Union

import numpy as np

from overlays.boards import BOARDS, Board, find
from pynq_bnn.bitfile import packaged_bitstream
from pynq_bnn.devices import Device
from pynq_bnn.errors import DeviceError, MemoryExhausted

if TYPE_CHECKING:
    from pynq_bnn.overlay import BnnDriver

DEVICE_TREE = Path("/proc/device-tree")
MEMINFO = Path("/proc/meminfo")
_ZYNQ = "xlnx,zynq-7000"


def board_name() -> Optional[str]:
    """What the image calls this board: BOARD, else the device tree's word for it, else None."""
    name = os.environ.get("BOARD")
    if not name or name == "Unknown":
        # plain sudo drops BOARD, which the image sets from this node
        name = _device_tree("chosen/pynq_board")
    return name or None


def running_on_board() -> bool:
    """Whether this is a Zynq-7000 board; costs two small files and no import."""
    return platform.machine() == "armv7l" and (
        find(board_name()) is not None or _ZYNQ in _device_tree("compatible"))


def this_board() -> Board:
    """The board that this is.

    Raises
    ------
    DeviceError
        If it is none of :data:`overlays.boards.BOARDS`; the message says what to set.
    """
    name = board_name()
    board = find(name)
    if board is None:
        known = ", ".join(board.name for board in BOARDS)
        found = f"the board {name!r} is unknown" if name else "no board was found"
        raise DeviceError(
            f"{found}: on one of {known}, or a board with the same part and clocks, set the "
            'environment variable BOARD to that name; elsewhere choose device="model"')
    return board


def _device_tree(node: str) -> str:
    try:
        return (DEVICE_TREE / node).read_bytes().decode("ascii", "replace").strip("\0")
    except OSError:
        return ""


class BoardDevice(Device):
    """The accelerator in the fabric, through PYNQ.

    Parameters
    ----------
    driver : BnnDriver, optional
        The accelerator of an overlay that is loaded; without it this board's own bitstream is
        downloaded.

    Raises
    ------
    DeviceError
        If this is no board known here, or PYNQ is missing or finds no device.
    OverlayError
        If there is no bitstream for this board, or it is not right.
    """

    name = "board"

    def __init__(self, driver: Optional[BnnDriver] = None) -> None:
        self._driver = _download() if driver is None else driver
        self.mmio = self._driver.mmio
        self.clock_mhz = self._driver.clock_mhz  # kept: every read maps the clock registers anew

    def allocate(self, shape: Union[int, Tuple[int, ...]], dtype: Any) -> Any:
        import pynq

        try:
            return pynq.allocate(shape, dtype, target=self._driver.device)
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

    def describe(self) -> Dict[str, Any]:
        import pynq

        board, bitstream = this_board(), Path(self._driver.device.bitfile_name)
        return {
            "device": self.name,
            "board": board.name,
            "part": board.part,
            "bitstream": str(bitstream),
            "bitstream_sha256": hashlib.sha256(bitstream.read_bytes()).hexdigest(),
            "clock_mhz": self.clock_mhz,
            "memory_free_bytes": self.free_bytes(),
            "pynq": pynq.__version__,
        }


def _download() -> BnnDriver:
    """Load this board's bitstream; first what is quick to find out, then PYNQ."""
    bitstream = packaged_bitstream(this_board())
    try:
        from pynq_bnn.overlay import BnnOverlay
    except ImportError as error:
        raise DeviceError(
            f"the board needs PYNQ, and Python can't import it ({error}): on a board use the "
            "image's own Python, as root (Jupyter, or after sudo -i); elsewhere choose "
            'device="model"') from error
    return BnnOverlay(bitstream).accelerator
