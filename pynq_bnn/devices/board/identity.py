"""Which board this is: from the environment, or from the image's device tree."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Optional

from overlays.boards import BOARDS, Board, find
from pynq_bnn.errors import DeviceError

DEVICE_TREE = Path("/proc/device-tree")
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
        If it is not one of :data:`overlays.boards.BOARDS`; the message says what to set.
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
