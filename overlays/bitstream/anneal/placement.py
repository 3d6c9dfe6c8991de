"""What may move in a placed design: the blocks, rows and units of anneal.c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np

from overlays.bitstream.anneal.chip import Chip
from overlays.bitstream.anneal.rams import Rams, read_rams
from overlays.bitstream.anneal.sites import REGION, Site, coordinates
from overlays.bitstream.timing.delay import TimingError
from overlays.bitstream.timing.netlist import Cell, Net, Netlist

LETTERS = "ABCD"
LANES = len(LETTERS)
REST = 2 * LANES
"""The slot of what is neither lane nor loose flip-flop."""
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
    unit_at: np.ndarray
    rest_of: np.ndarray
    row_of: np.ndarray
    slot_of: np.ndarray
    has_room: np.ndarray
    controls: np.ndarray
    columns: int
    height: int
    room: np.ndarray
    column_at: np.ndarray
    line_at: np.ndarray
    rams: Rams
    unit_of: Dict[str, int]
    """By cell."""


def read_placement(netlist: Netlist, sites: Dict[str, Site]) -> Placement:
    """Every slice's lanes and rest, chains as one block, empty places; the rest is fixed."""
    places = {name: coordinates(name) for name in sites if name.startswith("SLICE_")}
    chip = Chip({name: sites[name] for name in places}, places)
    held: Dict[str, List[Cell]] = {name: [] for name in places}
    fixed: List[Cell] = []
    for cell in netlist.cells:
        held.get(cell.site, fixed).append(cell)
    found = _Contents(netlist.nets)
    for run in _runs(netlist, places):
        if places[run[0]][1] // REGION == places[run[-1]][1] // REGION:
            found.add_block([chip.number[name] for name in run], [held[name] for name in run])
            continue
        for name in run:  # a carry chain that leaves its clock region stays where it is
            fixed.extend(held[name])
            chip.kind[chip.number[name]] = 0
    row_across = list(chip.across[found.row_place])
    row_down = list(chip.down[found.row_place])
    for cell in fixed:
        if cell.site in sites:  # constants are nowhere
            found.add_unit(len(row_across), REST, [cell])
            row_across.append(sites[cell.site].across)
            row_down.append(sites[cell.site].down)
    rams = read_rams(sites, fixed, found.unit_of)
    flags = ("wants_memory", "is_empty", "lanes_move", "has_room")
    unit_of = found.unit_of
    arrays = {name: np.array(values, np.uint8 if name in flags else np.int32)
              for name, values in vars(found).items() if name not in ("unit_of", "keys", "_nets")}
    return Placement(
        chip.kind, chip.across, chip.down, row_across=np.array(row_across, np.int32),
        row_down=np.array(row_down, np.int32), columns=chip.columns, height=chip.height,
        room=chip.room,
        column_at=chip.column_at(max(row_across)), line_at=chip.line_at(max(row_down)),
        rams=rams, unit_of=unit_of, **arrays)


def loose_bel(lane: List[Cell]) -> Optional[str]:
    """Where a lane has room for a flip-flop that the X input leads to (UG474, figure 2-3).

    The second one's output leaves by the way that the second LUT's does.
    """
    taken = {cell.bel[1:] for cell in lane}
    if "FF" not in taken:
        return "FF"
    return None if taken & {"5FF", "5LUT"} else "5FF"


class _Contents:
    """What lies in slices, block after block."""

    def __init__(self, nets: Dict[int, Net]) -> None:
        self._nets = nets
        self.first_row: List[int] = []
        self.rows_of: List[int] = []
        self.wants_memory: List[bool] = []
        self.is_empty: List[bool] = []
        self.place_of: List[int] = []
        self.row_place: List[int] = []
        self.lanes_move: List[bool] = []
        self.unit_at: List[int] = []
        self.rest_of: List[int] = []
        self.row_of: List[int] = []
        self.slot_of: List[int] = []
        self.has_room: List[bool] = []
        self.controls: List[int] = []
        self.unit_of: Dict[str, int] = {}
        self.keys: Dict[tuple, int] = {}

    def add_unit(self, row: int, slot: int, cells: List[Cell], has_room: bool = False) -> int:
        """Cells that move together; -1 if there are none."""
        if not cells:
            return NONE
        unit = len(self.row_of)
        self.unit_of.update((cell.name, unit) for cell in cells)
        self.row_of.append(row)
        self.slot_of.append(slot)
        self.has_room.append(has_room)
        found = {_controls(cell) for cell in cells if cell.kind == "SLICE_FFX"}
        if len(found) > 1:
            raise TimingError(f"{cells[0].site}: flip-flops with different controls")
        self.controls.append(self.keys.setdefault(found.pop(), len(self.keys)) if found else NONE)
        return unit

    def add_block(self, places: List[int], held: List[List[Cell]]) -> None:
        """What lies in the places above each other."""
        self.first_row.append(len(self.row_place))
        self.rows_of.append(len(places))
        self.place_of.append(places[0])
        self.wants_memory.append(any(_is_memory(cell) for cells in held for cell in cells))
        self.is_empty.append(not any(held))
        for place, cells in zip(places, held):
            row = len(self.row_place)
            self.row_place.append(place)
            rest = [cell for cell in cells if not _is_lane(cell)]
            plain = not rest and not any(map(_is_memory, cells))
            self.lanes_move.append(plain)
            lanes = [[cell for cell in cells if _is_lane(cell) and cell.bel[0] == letter]
                     for letter in LETTERS]
            loose = [self._loose(lane) if plain else [] for lane in lanes]
            for slot, (lane, free) in enumerate(zip(lanes, loose)):
                kept = [cell for cell in lane if cell not in free]
                self.unit_at.append(self.add_unit(row, slot, kept, loose_bel(kept) is not None))
            for slot, free in enumerate(loose, LANES):
                self.unit_at.append(self.add_unit(row, slot, free))
            self.rest_of.append(self.add_unit(row, REST, rest))

    def _loose(self, lane: List[Cell]) -> List[Cell]:
        """The one flip-flop of a lane that no LUT of it leads to, if another would have its place.

        Two of them share the lane's X input; they stay.
        """
        luts = {id(cell) for cell in lane if cell.bel.endswith("LUT")}
        free = []
        for cell in lane:
            if cell.kind == "SLICE_FFX":
                driver = self._nets[cell.pins["D"]].driver if "D" in cell.pins else None
                if driver is None or id(driver[0]) not in luts:
                    free.append(cell)
        kept = [cell for cell in lane if cell not in free]
        return free if len(free) == 1 and loose_bel(kept) is not None else []


def moved_bels(placement: Placement, netlist: Netlist) -> Dict[str, str]:
    """The new NEXTPNR_BEL of each cell that may move."""
    held: Dict[int, List[Cell]] = {}
    for cell in netlist.cells:
        unit = placement.unit_of.get(cell.name, NONE)
        if unit != NONE and placement.row_of[unit] < len(placement.row_place):
            held.setdefault(unit, []).append(cell)
    bels = {}
    for unit, cells in held.items():
        row, slot = int(placement.row_of[unit]), int(placement.slot_of[unit])
        column, y = divmod(int(placement.row_place[row]), placement.height)
        for cell in cells:
            bel = cell.bel
            if slot < LANES:
                bel = LETTERS[slot] + cell.bel[1:]
            elif slot < REST:
                lane = int(placement.unit_at[row * REST + slot - LANES])
                room = loose_bel(held.get(lane, []))
                if room is None:
                    raise TimingError(f"SLICE_X{column}Y{y} has no room for {cell.name}")
                bel = LETTERS[slot - LANES] + room
            bels[cell.name] = f"SLICE_X{column}Y{y}/{bel}"
    in_unit = {placement.unit_of.get(cell.name, NONE): cell for cell in netlist.cells}
    for unit, site in placement.rams.sites():
        bels[in_unit[unit].name] = f"{site}/{in_unit[unit].bel}"
    return bels


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
