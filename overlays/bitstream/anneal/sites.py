"""Where the chip's sites are, from prjxray-db's grid."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

import numpy as np

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
BEYOND = 2
"""How much more a column counts that wires only pass: those round the chip's configuration have no
switch boxes in two thirds of their height, and beside them, as at the edges, routing fails first.
"""
ROUND = (6, 4)
"""Columns and rows to each side whose switch boxes are counted."""
USUAL = 90
"""Percentile of these counts that is usual; where there are more it is no better."""


class Site(NamedTuple):
    """A site's kind and place; `across` and `down` as wires count.

    `room` is 1 where as many switch boxes lie around as usual, less at edges.
    """

    kind: str
    across: int
    down: int
    room: float = 1.0


def read_sites(database: Path) -> Dict[str, Site]:
    """All sites of the die by name, from the folder of the family."""
    grid = read_grid(database, FABRIC)
    try:
        holes = {tile["grid_x"] for tile in grid.values()
                 if tile["type"].startswith("INT_FEEDTHRU")}
        room = _room([(tile["grid_x"], tile["grid_y"]) for tile in grid.values()
                      if tile["type"] in ("INT_L", "INT_R")])
        return {name: Site(kind, x + BEYOND * sum(hole < x for hole in holes), ROW * y,
                           room.get((x, y), 1.0))
                for x, y, tile in ((tile["grid_x"], tile["grid_y"], tile)
                                   for tile in grid.values())
                for name, kind in tile["sites"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise DatabaseError(f"the grid of {database / FABRIC} is damaged: {error!r}") from None


def _room(boxes: List[Tuple[int, int]]) -> Dict[Tuple[int, int], float]:
    """For each tile beside a switch box what share of the usual number lies around."""
    if not boxes:
        return {}
    grid = np.zeros([1 + most + 2 * far for most, far in zip(np.max(boxes, 0), ROUND)], int)
    for x, y in boxes:
        grid[x + ROUND[0], y + ROUND[1]] = 1
    count = grid
    for axis, far in enumerate(ROUND):
        count = np.lib.stride_tricks.sliding_window_view(count, 2 * far + 1, axis).sum(-1)
    usual = np.percentile([count[box] for box in boxes], USUAL)
    return {(x + aside, y): min(1.0, float(count[x, y] / usual))
            for x, y in boxes for aside in (-1, 1)}


def coordinates(name: str) -> Tuple[int, int]:
    """Column and row of a site: those of SLICE_XcYr, RAMB36_XcYr."""
    column, row = name.rpartition("_X")[2].split("Y")
    return int(column), int(row)
