"""Where the chip's sites are, from prjxray-db's grid."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, NamedTuple, Tuple

from overlays.bitstream.database import read_grid
from overlays.bitstream.errors import DatabaseError
from overlays.bitstream.tools import FABRIC

REGION = 50
"""Slices of a column in a clock region; no carry chain leaves it."""
SLICES = 2
"""Columns of slices that share one of switch boxes."""
ROW = 2
"""A tile down counts as much as two across: the grid has a column each for a CLB and its switches.
"""


class Site(NamedTuple):
    """A site's kind and place; `across` and `down` as wires count."""

    kind: str
    across: int
    down: int


def read_sites(database: Path) -> Dict[str, Site]:
    """All sites of the die by name, from the folder of the family."""
    grid = read_grid(database, FABRIC)
    try:
        return {name: Site(kind, tile["grid_x"], ROW * tile["grid_y"])
                for tile in grid.values() for name, kind in tile["sites"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise DatabaseError(f"the grid of {database / FABRIC} is damaged: {error!r}") from None


def slice_place(name: str) -> Tuple[int, int]:
    """Column and row of SLICE_XcYr."""
    column, row = name[len("SLICE_X"):].split("Y")
    return int(column), int(row)
