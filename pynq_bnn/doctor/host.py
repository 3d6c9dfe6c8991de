"""The processor's side: Python and its packages, the image, the board, PYNQ's environment."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Callable, List, Optional, Tuple

from overlays.boards import Board
from pynq_bnn import __version__
from pynq_bnn.devices.board.bitfile import packaged_bitstream, read_header, require_part
from pynq_bnn.devices.board.device import MEMINFO
from pynq_bnn.devices.board.handoff import require_accelerator
from pynq_bnn.devices.board.identity import board_name, running_on_board, this_board
from pynq_bnn.doctor.findings import Amiss, Untried
from pynq_bnn.networks import available, load_parameters

REVISIONS = (Path("/home/xilinx/REVISION"), Path("/etc/os-release"))
OLDEST = {"numpy": (1, 20), "pillow": (7, 0)}
LEAST_CMA = 16 << 20
"""Weights take 2 MB and buffers less; PYNQ's images set 128 MiB aside."""

Check = Tuple[str, Callable[[], str]]


def checks() -> List[Check]:
    """What can be looked at without touching a device."""
    return [("Python", _python), ("packages", _packages), ("network", _network),
            ("image", _image), ("board", _board), ("bitstream file", _bitstream),
            ("rights", _rights), ("XRT environment", _xrt), ("PYNQ", _pynq),
            ("contiguous memory", _memory)]


def board_here() -> Board:
    """The board, or Untried where this is none."""
    if not running_on_board():
        raise Untried(f"this is no Zynq board ({platform.machine()})")
    return this_board()


def _python() -> str:
    if sys.version_info < (3, 8):
        raise Amiss(f"{platform.python_version()}: 3.8 or later is wanted")
    return f"{platform.python_version()} on {platform.machine()}, {sys.executable}"


def _packages() -> str:
    said, amiss = [f"pynq_bnn {__version__}"], []
    for name, oldest in OLDEST.items():
        found = _version(name)
        said.append(f"{name} {found or 'missing'}")
        if found is None or tuple(map(int, re.findall(r"\d+", found)[:2])) < oldest:
            amiss.append(f"{name} {'.'.join(map(str, oldest))} or later is wanted")
    if amiss:
        raise Amiss(f"{', '.join(said)}: {', '.join(amiss)}")
    return ", ".join(said)


def _network() -> str:
    names = [load_parameters(name) for name in available()]
    return ", ".join(f"{each.name} {each.checksum[:16]}" for each in names)


def _image() -> str:
    for path in REVISIONS:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found = re.search(r'^PRETTY_NAME="?([^"\n]+)', text, re.MULTILINE)
        return f"{path}: {found.group(1) if found else ' '.join(text.split())[:80]}"
    raise Untried(f"neither {' nor '.join(map(str, REVISIONS))} is here")


def _board() -> str:
    board = board_here()
    source = "the environment variable BOARD" if os.environ.get("BOARD") == board_name() else (
        "the device tree")
    return f"{board.name} by {source}: {board.part}, PS_CLK {board.ps_clk_mhz:.4g} MHz"


def _bitstream() -> str:
    board = board_here()
    path = packaged_bitstream(board)
    require_part(path, board)
    require_accelerator(path.with_suffix(".hwh"))
    header = read_header(path)
    return f"{path}: for {header.part}, made {header.date} {header.time}, {header.length:,} bytes"


def _rights() -> str:
    board_here()
    if os.geteuid():
        raise Amiss(f"user {os.geteuid()}, not root: use Jupyter, or a shell after sudo -i")
    return "root"


def _xrt() -> str:
    board_here()
    path = os.environ.get("XILINX_XRT")
    if not path:
        raise Amiss("XILINX_XRT is not set, so PYNQ finds no device: use Jupyter or sudo -i, or "
                    "source /etc/profile.d/xrt_setup.sh")
    return f"XILINX_XRT={path}"


def _pynq() -> str:
    found = _version("pynq")
    try:
        board_here()
    except Untried as error:
        raise Untried(f"{error}; pynq {found or 'is not installed'}") from None
    if found is None:
        raise Amiss("not installed in this Python: use the image's own, /usr/local/share/pynq-venv")
    return f"pynq {found}"


def _memory() -> str:
    board_here()
    match = re.search(r"^CmaFree:\s*(\d+) kB", MEMINFO.read_text(), re.MULTILINE)
    if match is None:
        raise Amiss("the kernel has no contiguous memory: boot one with cma=128M")
    free = int(match.group(1)) << 10
    if free < LEAST_CMA:
        raise Amiss(f"{free >> 20} MiB free: shut other notebook kernels down, or restart the "
                    "board")
    return f"{free >> 20} MiB free"


def _version(name: str) -> Optional[str]:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
