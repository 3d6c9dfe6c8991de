"""The block RAMs of a placed design: places of 36 Kb, each of which may hold two of 18 Kb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

import numpy as np

from overlays.bitstream.anneal.sites import Site, coordinates
from overlays.bitstream.timing.delay import TimingError
from overlays.bitstream.timing.netlist import Cell

WHOLE, HALF = "RAMB36", "RAMB18"
"""Of the names of sites; the halves of RAMB36_XxYy are RAMB18_XxY2y and the next (UG473)."""
NONE = -1


@dataclass
class Rams:
    """Arrays as anneal.c has them, and the places' names."""

    names: List[str]
    ram_units: np.ndarray
    ram_whole: np.ndarray
    ram_across: np.ndarray
    ram_down: np.ndarray

    def sites(self) -> Iterator[Tuple[int, str]]:
        """The units, and where each lies."""
        for number, unit in enumerate(self.ram_units):
            place, half = divmod(number, 2)
            if unit != NONE:
                x, y = coordinates(self.names[place])
                yield int(unit), (self.names[place] if self.ram_whole[place]
                                  else f"{HALF}_X{x}Y{2 * y + half}")


def read_rams(sites: Dict[str, Site], cells: List[Cell], unit_of: Dict[str, int]) -> Rams:
    """All places, and what of the cells lies in them."""
    names = sorted(name for name in sites if name.startswith(WHOLE))
    number = {name: place for place, name in enumerate(names)}
    units = np.full(2 * len(names), NONE, np.int32)
    whole = np.zeros(len(names), np.uint8)
    for cell in cells:
        if any(pin.startswith("CASCADE") for pin in cell.pins):
            raise TimingError(f"{cell.name} is cascaded: it must stay beside the next one")
        if cell.site.startswith(WHOLE):
            place, half = number[cell.site], 0
            whole[place] = 1
        elif cell.site.startswith(HALF):
            x, y = coordinates(cell.site)
            place, half = number[f"{WHOLE}_X{x}Y{y // 2}"], y % 2
        else:
            continue
        if cell.name in unit_of:
            units[2 * place + half] = unit_of[cell.name]
    return Rams(names, units, whole, *(np.array(values, np.int32) for values in (
        [sites[name].across for name in names], [sites[name].down for name in names])))
