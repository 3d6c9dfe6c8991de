"""The header of a .bit file: which part a bitstream is for, read before it is loaded.

PYNQ's own loader never compares the part with the board.  The format is a list of fields, each a
letter, a length and a text: a design, b part, c date, d time; e is followed by the bitstream.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Union

from overlays.boards import BOARDS, Board, same_part
from pynq_bnn.errors import OverlayError

_TEXTS = {b"a": "design", b"b": "part", b"c": "date", b"d": "time"}
_DATA = b"e"
_WORD_BYTES = 4


@dataclass(frozen=True)
class BitHeader:
    """What a .bit says of itself; ``length`` is the bitstream's in bytes, without the header."""

    design: str
    part: str
    date: str
    time: str
    length: int


def read_header(path: Union[str, Path]) -> BitHeader:
    """Read the header of the .bit file at `path`.

    Raises
    ------
    OverlayError
        If it can't be read, is no bitstream, is truncated, or doesn't say for which part it is.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise OverlayError(f"the bitstream {path} can't be read: {error.strerror}") from None
    try:
        fields, position = _fields(content)
        (length,) = struct.unpack_from(">I", content, position)
    except (struct.error, UnicodeDecodeError, KeyError):
        raise OverlayError(f"{path} is not a bitstream: it has no .bit header (its "
                           f"{len(content)} bytes begin {content[:8].hex(' ') or 'nowhere'})"
                           ) from None
    present = len(content) - position - 4
    if present < length or length % _WORD_BYTES:
        raise OverlayError(f"the bitstream {path} is truncated: its header promises {length} "
                           f"bytes, {present} are there; copy it again")
    if present > length:
        raise OverlayError(f"the bitstream {path} is damaged: {present - length} bytes follow its "
                           "end; copy it again")
    if not fields.get("part"):
        raise OverlayError(f"the bitstream {path} doesn't say for which part it is")
    return BitHeader(fields.get("design", "").split(";")[0], fields["part"],
                     fields.get("date", ""), fields.get("time", ""), length)
