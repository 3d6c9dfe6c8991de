"""Configuration packets: the words by which a bitstream writes the configuration logic's registers.

A packet of type 1 names a register and brings up to 2047 words.  One of type 2 follows a type 1
without words and brings as many as a whole die needs.

Source: UG470, "Configuration Packets" (Tables 5-20 to 5-23) and "Command Register" (Table 5-25).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Iterator, List, NamedTuple

import numpy as np

from overlays.bitstream.errors import BitFileError

NOP = 0x2000_0000

_TYPE_1, _TYPE_2 = 1, 2
_NOTHING, _WRITE = 0, 2
_TYPE_1_WORDS = 0x7FF
_TYPE_2_WORDS = 0x7FF_FFFF


class Register(IntEnum):
    """The registers that a bitstream writes."""

    CRC = 0
    FAR = 1
    FDRI = 2
    CMD = 4
    CTL0 = 5
    MASK = 6
    COR0 = 9
    IDCODE = 12
    COR1 = 14
    WBSTAR = 16
    TIMER = 17
    UNNAMED = 19
    """Not in UG470; Vivado writes 0 to it."""
    CTL1 = 24


class Command(IntEnum):
    """What the register CMD can be told."""

    NULL = 0
    WCFG = 1
    LFRM = 3
    START = 5
    RCRC = 7
    SWITCH = 9
    GRESTORE = 10
    DESYNC = 13


class Write(NamedTuple):
    """One packet that writes: a register's number, and what goes there."""

    register: int
    words: np.ndarray


def write(register: Register, word: int) -> List[int]:
    """The packet that writes one word."""
    return [_TYPE_1 << 29 | _WRITE << 27 | register << 13 | 1, word]


def command(what: Command) -> List[int]:
    """The packet that writes a command."""
    return write(Register.CMD, what)


def write_many(register: Register, words: int) -> List[int]:
    """The headers of a packet of any number of words, which follow them."""
    return [_TYPE_1 << 29 | _WRITE << 27 | register << 13, _TYPE_2 << 29 | _WRITE << 27 | words]


def read(words: np.ndarray) -> Iterator[Write]:
    """The writes in a stream of packets that follows the synchronisation word.

    Raises
    ------
    BitFileError
        For what is no packet, one that reads, and one that the stream's end cuts off.
    """
    position, register = 0, 0
    while position < len(words):
        header = int(words[position])
        kind, operation = header >> 29, header >> 27 & 3
        if kind == _TYPE_1:
            register, count = header >> 13 & 0x1F, header & _TYPE_1_WORDS
        elif kind == _TYPE_2:
            count = header & _TYPE_2_WORDS
        else:
            raise BitFileError(f"word {position} after the synchronisation word, {header:#010x}, "
                               "is no packet of type 1 or 2")
        position += 1
        if operation == _NOTHING:
            continue
        if operation != _WRITE:
            raise BitFileError(f"packet {header:#010x} doesn't write: this is no configuration")
        if position + count > len(words):
            raise BitFileError(f"a packet of {count} words to register {register} is cut off "
                               f"after {len(words) - position}")
        if count:
            yield Write(register, words[position:position + count])
        position += count
