"""FPGA assembly (FASM): the text in which a design's features are listed, read a line at a time.

A feature is a name with dots, whose first part is a tile.  Alone it is on; with ``[high:low] =
value`` it is a vector, of which every set bit is on; a bit that isn't named on is off.
Annotations in braces and comments say nothing about the design and are passed over.

Source: the FASM specification, https://fasm.readthedocs.io/en/latest/specification/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence, Union

from overlays.bitstream.errors import FasmError

_LINE = re.compile(r"""
    \s*
    (?: ([A-Za-z_]\w*(?:\.\w+)*)                      # the name
        (?: \[ (\d+) (?: : (\d+) )? \] )?             # of a vector: which of its bits
        (?: \s* = \s* (?: \d* ' ([hbdo]) )? ([\da-fA-F_]+) )?
    )?
    \s* (?: \{ .* \} )? \s* (?: \# .* )? \s*
""", re.VERBOSE | re.ASCII)

_BASES = {"h": 16, "b": 2, "d": 10, "o": 8, None: 10}


class Feature(NamedTuple):
    """What one line of FASM switches on.

    Attributes
    ----------
    name : str
        With the tile, without an address.
    addresses : sequence of int, optional
        The vector's bits that are on (none, if the line only clears bits); None for a feature
        without an address.
    line : int
        Where it stands.
    """

    name: str
    addresses: Optional[Sequence[int]]
    line: int

    def single_bits(self) -> Iterator[str]:
        """The canonical form: one name for each bit that is on."""
        if self.addresses is None:
            yield self.name
        else:
            for address in self.addresses:
                yield f"{self.name}[{address}]"


def read(path: Union[str, Path]) -> Iterator[Feature]:
    """The features of the FASM file at `path`, in its order.

    Raises
    ------
    FasmError
        For a line that is no FASM, and for a file that can't be read.
    """
    try:
        with open(path, encoding="utf-8") as lines:
            yield from parse(lines, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise FasmError(f"the FASM file {path} can't be read: {error}") from None


def parse(lines: Iterable[str], origin: str = "FASM") -> Iterator[Feature]:
    """The features of some lines of FASM; `origin` is what messages call them."""
    match_line = _LINE.fullmatch
    for number, text in enumerate(lines, 1):
        match = match_line(text)
        if match is None:
            raise FasmError(f"{origin}, line {number}: this is not FASM: {text.strip()!r}")
        name, high, low, base, digits = match.groups()
        if name is None:
            continue
        if digits is None and low is None:
            yield Feature(name, None if high is None else [int(high)], number)
            continue
        try:
            yield _with_value(name, high, low, 1 if digits is None else int(digits, _BASES[base]),
                              number)
        except ValueError as error:
            raise FasmError(f"{origin}, line {number}: {error}: {text.strip()!r}") from None


def _with_value(name: str, high: Optional[str], low: Optional[str], value: int,
                line: int) -> Feature:
    first = int(low or high or 0)
    width = int(high or 0) - first + 1
    if width < 1 or value >> width:
        raise ValueError(f"{value:#x} doesn't fit into {max(width, 0)} bits")
    if high is None and value:
        return Feature(name, None, line)
    return Feature(name, [first + bit for bit in _set_bits(value)], line)


def _set_bits(value: int) -> List[int]:
    """The places of a number's ones, lowest first."""
    return [place for place, digit in enumerate(reversed(f"{value:b}")) if digit == "1"]
