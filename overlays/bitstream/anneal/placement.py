"""What may move in a placed design: the blocks, rows and units of anneal.c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

import numpy as np

from overlays.bitstream.anneal.sites import REGION, Site, slice_place
from overlays.bitstream.timing.delay import TimingError
from overlays.bitstream.timing.netlist import Cell, Netlist

LETTERS = "ABCD"
LANES = len(LETTERS)
MEMORY = ("X_LUT_AS_DRAM", "X_LUT_AS_SRL")
NONE = -1


@dataclass
class Placement:
    """Arrays as anneal.c has them, and which cells each unit stands for."""

    kind: np.ndarray
    across: np.ndarray
    down: np.ndarray
    first_row: np.ndarray
    rows_of: np.ndarray
    wants_memory: np.ndarray
    is_empty: np.ndarray
    place_of: np.ndarray
    row_place: np.ndarray
    row_across: np.ndarray
    row_down: np.ndarray
    lanes_move: np.ndarray
    lane_at: np.ndarray
    rest_of: np.ndarray
    row_of: np.ndarray
    letter_of: np.ndarray
    controls: np.ndarray
    columns: int
    height: int
    unit_of: Dict[str, int]
    """By cell."""

    def moves(self, unit: int) -> bool:
        """Whether it lies in a slice that may change places."""
        return int(self.row_of[unit]) < len(self.row_place)


def read_placement(netlist: Netlist, sites: Dict[str, Site]) -> Placement:
    """Every slice's lanes and rest, chains as one block, empty places; what else there is, fixed."""
    slices = {name: site for name, site in sites.items() if name.startswith("SLICE_")}
    places = {name: slice_place(name) for name in slices}
    columns = 1 + max(x for x, _ in places.values())
    height = 1 + max(y for _, y in places.values())
    number = {name: x * height + y for name, (x, y) in places.items()}
    kind = np.zeros(columns * height, np.uint8)
    across, down = (np.zeros(columns * height, np.int32) for _ in range(2))
    for name, site in slices.items():
        kind[number[name]] = 2 if site.kind == "SLICEM" else 1
        across[number[name]], down[number[name]] = site.across, site.down

    held: Dict[str, List[Cell]] = {name: [] for name in slices}
    fixed: List[Cell] = []
    for cell in netlist.cells:
        (held[cell.site] if cell.site in held else fixed).append(cell)
    runs = []
    for run in _runs(netlist, places):
        rows = [places[name][1] for name in run]
        if rows[0] // REGION == rows[-1] // REGION:
            runs.append(run)
            continue
        for name in run:  # a carry chain that leaves its clock region stays where it is
            fixed.extend(held[name])
            kind[number[name]] = 0

    first_row, rows_of, wants_memory, is_empty, place_of = [], [], [], [], []
    row_place, lanes_move, lane_at, rest_of = [], [], [], []
    row_of, letter_of, controls = [], [], []
    unit_of: Dict[str, int] = {}
    keys: Dict[tuple, int] = {}

    def new_unit(row: int, letter: int, cells: List[Cell]) -> int:
        unit = len(row_of)
        unit_of.update((cell.name, unit) for cell in cells)
        row_of.append(row)
        letter_of.append(letter)
        found = {_controls(cell) for cell in cells if cell.kind == "SLICE_FFX"}
        if len(found) > 1:
            raise TimingError(f"{cells[0].site}: flip-flops with different controls")
        controls.append(keys.setdefault(found.pop(), len(keys)) if found else NONE)
        return unit

    for run in runs:
        first_row.append(len(row_place))
        rows_of.append(len(run))
        place_of.append(number[run[0]])
        wants_memory.append(any(_is_memory(cell) for name in run for cell in held[name]))
        is_empty.append(not any(held[name] for name in run))
        for name in run:
            row = len(row_place)
            row_place.append(number[name])
            rest = [cell for cell in held[name] if not _is_lane(cell)]
            lanes_move.append(len(run) == 1 and not rest
                              and not any(_is_memory(cell) for cell in held[name]))
            for letter in LETTERS:
                lane = [cell for cell in held[name] if _is_lane(cell) and cell.bel[0] == letter]
                lane_at.append(new_unit(row, LETTERS.index(letter), lane) if lane else NONE)
            rest_of.append(new_unit(row, LANES, rest) if rest else NONE)
    rows = len(row_place)
    row_across, row_down = list(across[row_place]), list(down[row_place])
    for cell in fixed:
        if cell.site in sites:  # constants are nowhere
            new_unit(len(row_across), LANES, [cell])
            row_across.append(sites[cell.site].across)
            row_down.append(sites[cell.site].down)
    assert rows == int((kind > 0).sum())

    def whole(values: list) -> np.ndarray:
        return np.array(values, np.int32)

    def flags(values: list) -> np.ndarray:
        return np.array(values, np.uint8)

    return Placement(
        kind, across, down, whole(first_row), whole(rows_of), flags(wants_memory), flags(is_empty),
        whole(place_of), whole(row_place), whole(row_across), whole(row_down), flags(lanes_move),
        whole(lane_at), whole(rest_of), whole(row_of), whole(letter_of), whole(controls),
        columns, height, unit_of)


def moved_site(placement: Placement, unit: int) -> str:
    """The slice in which a lane or the rest of a slice lies now."""
    column, row = divmod(int(placement.row_place[placement.row_of[unit]]), placement.height)
    return f"SLICE_X{column}Y{row}"


def _is_lane(cell: Cell) -> bool:
    return cell.bel.endswith(("LUT", "FF"))


def _is_memory(cell: Cell) -> bool:
    return any(mark in cell.attributes for mark in MEMORY)


def _controls(cell: Cell) -> tuple:
    """What flip-flops of one slice must have in common (UG474, "Control Signals")."""
    return (*(cell.pins.get(pin) for pin in ("CK", "CE", "SR")), "X_FFSYNC" in cell.attributes,
            *sorted((name, value) for name, value in cell.parameters.items()
                    if name.endswith("_INVERTED")))


def _runs(netlist: Netlist, places: Dict[str, Tuple[int, int]]) -> List[List[str]]:
    """The slices, those of a carry chain together from below."""
    name_at = {place: name for name, place in places.items()}
    above: Dict[str, str] = {}
    for cell in netlist.cells:
        if cell.kind == "CARRY4" and "CIN" in cell.pins:
            driver = netlist.nets[cell.pins["CIN"]].driver
            if driver is not None and driver[0].kind == "CARRY4":
                above[driver[0].site] = cell.site
    for lower, upper in above.items():
        x, y = places[lower]
        if places[upper] != (x, y + 1):
            raise TimingError(f"the carry chain from {lower} goes on in {upper}")
    tops = set(above.values())
    runs = []
    for name in name_at.values():
        if name not in tops:
            run = [name]
            while run[-1] in above:
                run.append(above[run[-1]])
            runs.append(run)
    return runs
