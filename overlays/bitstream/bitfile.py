"""The .bit file: a header that says what the bitstream is, then its words.

The header is a list of fields, each a letter, a length and a text: a the design, b the part, c the
date, d the time; the last, e, is the bitstream.  It begins with ones and two words by which a
parallel port's width is found, then the synchronisation word, then packets.

Source: UG470, "Bitstream Composition" (Table 5-19); the header is documented by none but its
readers, see http://www.fpga-faq.com/FAQ_Pages/0026_Tell_me_about_bit_files.htm.
"""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path
from typing import Dict, NamedTuple, Tuple, Union

import numpy as np

from overlays.bitstream.errors import BitFileError

EPOCH = datetime(1970, 1, 1)
"""When bitstreams were made, unless one says otherwise: the same design gives the same bytes."""

_PREAMBLE = bytes.fromhex("0009 0ff0 0ff0 0ff0 0ff0 00 0001")
_DUMMY = 0xFFFF_FFFF
_SYNC = 0xAA99_5566
_START = np.array([_DUMMY] * 8 + [0x0000_00BB, 0x1122_0044, _DUMMY, _DUMMY, _SYNC], np.uint32)
_TEXTS = "abcd"
_BITSTREAM = b"e"


class BitFile(NamedTuple):
    """A .bit in memory.

    Attributes
    ----------
    design, part, date, time : str
        The header's texts.
    words : array of uint32
        What follows the synchronisation word.
    """

    design: str
    part: str
    date: str
    time: str
    words: np.ndarray

    @classmethod
    def made(cls, design: str, part: str, words: np.ndarray, when: datetime = EPOCH) -> "BitFile":
        """With the header's texts as Vivado writes them."""
        if not design.isascii():
            raise BitFileError(f"the design's name {design!r} must be ASCII to go into a header")
        return cls(f"{design};UserID=0XFFFFFFFF", part, f"{when:%Y/%m/%d}", f"{when:%H:%M:%S}",
                   words)

    def to_bytes(self) -> bytes:
        """The file's content."""
        content = np.concatenate([_START, self.words]).astype(">u4").tobytes()
        header = bytearray(_PREAMBLE)
        for letter, text in zip(_TEXTS, self[:4]):
            octets = text.encode("ascii") + b"\0"
            header += letter.encode("ascii") + struct.pack(">H", len(octets)) + octets
        return bytes(header) + _BITSTREAM + struct.pack(">I", len(content)) + content

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> "BitFile":
        """The .bit whose content this is; `name` is what messages call it.

        Raises
        ------
        BitFileError
            If there is no complete header, fewer bytes than it promises, or no synchronisation.
        """
        if content[:len(_PREAMBLE)] != _PREAMBLE:
            raise BitFileError(f"{name} is not a .bit file: it doesn't begin as one")
        try:
            texts, start = _texts(content)
            (length,) = struct.unpack_from(">I", content, start)
        except (KeyError, IndexError, UnicodeDecodeError, struct.error):
            raise BitFileError(f"{name} is only the beginning of a .bit file, or damaged: its "
                               "header has no end") from None
        body = content[start + 4:]
        if len(body) != length or length % 4:
            raise BitFileError(
                f"{name} is {'truncated' if len(body) < length else 'damaged'}: its header "
                f"promises {length} bytes, {len(body)} follow")
        words = np.frombuffer(body, ">u4").astype(np.uint32)
        synchronised = np.flatnonzero(words == _SYNC)
        if not len(synchronised):
            raise BitFileError(f"{name} has no synchronisation word")
        return cls(texts["a"], texts["b"], texts["c"], texts["d"], words[synchronised[0] + 1:])


def _texts(content: bytes) -> Tuple[Dict[str, str], int]:
    """The header's texts, by letter, and where the bitstream's length stands."""
    position = len(_PREAMBLE)
    texts = dict.fromkeys(_TEXTS, "")
    while content[position:position + 1] != _BITSTREAM:
        letter = chr(content[position])
        (size,) = struct.unpack_from(">H", content, position + 1)
        position += 3
        if letter not in texts or position + size > len(content):
            raise KeyError(letter)
        texts[letter] = content[position:position + size].decode("ascii").rstrip("\0")
        position += size
    return texts, position + 1


def read_bit(path: Union[str, Path]) -> BitFile:
    """The .bit file at `path`; raises :class:`BitFileError` if it isn't one."""
    try:
        return BitFile.from_bytes(Path(path).read_bytes(), str(path))
    except OSError as error:
        raise BitFileError(f"the bitstream {path} can't be read: {error.strerror}") from None
