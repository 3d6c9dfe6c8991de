"""A part's frames: their addresses, in the order in which the configuration logic counts them.

A frame's address says which kind of block it configures, whether it lies in the bottom half, its
row (a clock region high), its column and its place within the column, the minor address.  The
configuration logic counts from address 0 upwards, over the columns that the part has.

Source: UG470, "Frame Address Register" (Table 5-24).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Union

import numpy as np

from overlays.bitstream.errors import DatabaseError

BLOCK_TYPES: Dict[str, int] = {"CLB_IO_CLK": 0, "BLOCK_RAM": 1, "CFG_CLB": 2}
"""The kinds of frames; a block RAM's contents lie apart from its settings."""

_HALVES = {"top": 0, "bottom": 1}
_ROW_SHIFT = 17


class FrameAddress(NamedTuple):
    """The fields of a frame address."""

    block_type: int
    half: int
    row: int
    column: int
    minor: int

    def __int__(self) -> int:
        return (self.block_type << 23 | self.half << 22 | self.row << _ROW_SHIFT
                | self.column << 7 | self.minor)


class Part:
    """What the configuration logic of one part expects.

    Attributes
    ----------
    name : str
        As it is ordered: xc7z020clg400-1.
    idcode : int
        What the part answers over JTAG, and compares before it takes frames.
    addresses : array of uint32
        Of every frame, ascending.
    """

    def __init__(self, name: str, idcode: int, addresses: np.ndarray) -> None:
        self.name = name
        self.idcode = idcode
        self.addresses = np.sort(addresses.astype(np.uint32))
        self._numbers = {int(address): number for number, address in enumerate(self.addresses)}

    @property
    def frames(self) -> int:
        return len(self.addresses)

    @property
    def rows(self) -> np.ndarray:
        """For each frame, how many rows come before its own."""
        row = self.addresses >> np.uint32(_ROW_SHIFT)
        return np.concatenate([[0], np.cumsum(row[1:] != row[:-1])])

    def number(self, address: int) -> int:
        """The place of a frame in the count.

        Raises
        ------
        DatabaseError
            If the part has no such frame.
        """
        try:
            return self._numbers[address]
        except KeyError:
            raise DatabaseError(f"{self.name} has no frame {address:#010x}") from None

    @property
    def header_name(self) -> str:
        """The name as Vivado writes it into a .bit: 7z020clg400, whatever the speed grade."""
        name = self.name.split("-")[0]
        return name[2:] if name.startswith("xc") else name


def read_part(database: Union[str, Path], name: str) -> Part:
    """The part `name` of a database folder, from its part.json.

    Raises
    ------
    DatabaseError
        If the folder has no such part, or its file isn't understood.
    """
    path = Path(database) / name / "part.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Part(name, int(content["idcode"]),
                    np.array(_addresses(content["global_clock_regions"]), np.uint32))
    except OSError as error:
        raise DatabaseError(f"the part {name} can't be read: {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatabaseError(f"{path} doesn't describe a part: {error!r}") from None


def _addresses(regions: Dict[str, dict]) -> List[int]:
    return [int(FrameAddress(BLOCK_TYPES[block], _HALVES[half], int(row), int(column), minor))
            for half, region in regions.items()
            for row, buses in region["rows"].items()
            for block, bus in buses["configuration_buses"].items()
            for column, frames in bus["configuration_columns"].items()
            for minor in range(frames["frame_count"])]
