"""Bitstream files: where a board's is, and for which part a .bit really is.

PYNQ's own loader never compares the part with the board, so the header is read here first.  After
a preamble it is a list of fields, each a letter, a length and a text: a design, b part, c date, d
time; at last e, a length and the bitstream itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Tuple, Union

import overlays
from host_ref.errors import reason
from overlays.boards import BOARDS, Board, same_part
from pynq_bnn.errors import OverlayError

_TEXTS = {b"a": "design", b"b": "part", b"c": "date", b"d": "time"}
_BITSTREAM = b"e"
_WORD_BYTES = 4


@dataclass(frozen=True)
class BitHeader:
    """What a .bit says of itself; ``length`` is in bytes, without the header."""

    design: str
    part: str
    date: str
    time: str
    length: int


def packaged_bitstream(board: Board) -> Path:
    """The .bit that this package brings for `board`.

    Raises
    ------
    OverlayError
        If there is none; the message says what can be done without.
    """
    path = Path(overlays.__file__).parent / board.overlay / "bnn.bit"
    if not path.is_file():
        raise OverlayError(
            f"this release brings no bitstream for the {board.name} ({path} does not exist): "
            'choose device="model", a simulation that gives the same answers, or load one of your '
            'own: Classifier(device=BnnOverlay("path/to/my.bit"))')
    return path


def read_header(path: Union[str, Path]) -> BitHeader:
    """Read the header of the .bit file at `path`.

    Raises
    ------
    OverlayError
        If it can't be read, is not a bitstream, is truncated, or doesn't say for which part it is.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        raise OverlayError(f"the bitstream {path} can't be read: {reason(error)}") from None
    try:
        texts, start = _texts(content)
        (length,) = struct.unpack_from(">I", content, start)
    except (KeyError, UnicodeDecodeError, struct.error):
        raise OverlayError(
            f"{path} is not a bitstream, or only the beginning of one: its {len(content)} bytes "
            "hold no complete .bit header") from None
    present = len(content) - start - 4
    if present != length or length % _WORD_BYTES:
        raise OverlayError(
            f"the bitstream {path} is {'truncated' if present < length else 'damaged'}: its header "
            f"promises {length} bytes (a multiple of {_WORD_BYTES}), {present} follow; copy it "
            "again")
    if not texts.get("part"):
        raise OverlayError(f"the header of {path} doesn't say for which part the bitstream is")
    return BitHeader(texts.get("design", "").split(";")[0], texts["part"], texts.get("date", ""),
                     texts.get("time", ""), length)


def _texts(content: bytes) -> Tuple[Dict[str, str], int]:
    """The text fields by name, and where the bitstream's length stands."""
    (preamble,) = struct.unpack_from(">H", content)
    position = 2 + preamble + 2
    texts: Dict[str, str] = {}
    while content[position:position + 1] != _BITSTREAM:
        name = _TEXTS[content[position:position + 1]]
        (size,) = struct.unpack_from(">H", content, position + 1)
        position += 3
        texts[name] = content[position:position + size].decode("ascii").rstrip("\0")
        position += size
    return texts, position + 1


def require_part(path: Union[str, Path], board: Board) -> BitHeader:
    """The header of the .bit at `path`, which must be for the part of `board`.

    Raises
    ------
    OverlayError
        As :func:`read_header`, or for another part: it names both parts and their boards.
    """
    header = read_header(path)
    if not same_part(header.part, board.part):
        others = [other.name for other in BOARDS if same_part(header.part, other.part)]
        raise OverlayError(
            f"the bitstream {path} is for the part {header.part} "
            f"({' and '.join(others) or 'none of the boards known here'}), but this board, "
            f"{board.name}, has {board.part}: take the one in overlays/{board.name}")
    return header
