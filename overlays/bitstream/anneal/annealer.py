"""anneal.c, compiled and called: a temperature a call."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np

from overlays.bitstream.anneal.placement import Placement
from overlays.bitstream.anneal.sites import REGION, SLICES
from overlays.bitstream.anneal.wires import Wires
from overlays.bitstream.errors import BitstreamError
from pynq_bnn.cpu.library import COMPILERS, find_compiler

SOURCE = Path(__file__).with_name("anneal.c")
"""It includes the .h beside it."""
COMPILE_S = 60.0
EDGE = 0.5
"""How much of a tile's pins are free where no switch boxes lie around."""
NUMBERS = {np.dtype(np.uint8): ctypes.c_uint8, np.dtype(np.int32): ctypes.c_int32,
           np.dtype(np.float32): ctypes.c_float}
BYTES, WORDS, FLOATS = (ctypes.POINTER(number) for number in (
    ctypes.c_uint8, ctypes.c_int32, ctypes.c_float))
_WORD = ctypes.c_int32


class _Problem(ctypes.Structure):
    """As in anneal.c, where the members are explained."""

    _fields_ = [
        *((name, _WORD) for name in ("columns", "height", "region", "slices")),
        ("kind", BYTES), ("across", WORDS), ("down", WORDS),
        ("column_at", WORDS), ("line_at", WORDS),
        ("blocks", _WORD), ("first_row", WORDS), ("rows_of", WORDS),
        ("wants_memory", BYTES), ("is_empty", BYTES), ("place_of", WORDS), ("occupant", WORDS),
        ("rows", _WORD), ("row_place", WORDS), ("row_across", WORDS), ("row_down", WORDS),
        ("lanes_move", BYTES), ("unit_at", WORDS), ("rest_of", WORDS),
        ("movable", _WORD), ("movable_units", WORDS), ("row_of", WORDS), ("slot_of", WORDS),
        ("has_room", BYTES), ("controls", WORDS), ("unit_ptr", WORDS), ("unit_nets", WORDS),
        ("unit_pins", WORDS), ("rams", _WORD), ("ram_units", WORDS), ("ram_whole", BYTES),
        ("ram_across", WORDS), ("ram_down", WORDS), ("place_pins", WORDS), ("tile_pins", WORDS),
        ("free_pins", WORDS), ("crowding", ctypes.c_float),
        ("nets", _WORD), ("net_ptr", WORDS), ("pin_unit", WORDS), ("crossing", FLOATS),
        ("apart", BYTES), ("weight", FLOATS), ("stamp", WORDS), ("now", _WORD), ("cost", FLOATS),
        ("nodes", _WORD), ("arcs", _WORD), ("arc_source", WORDS), ("arc_sink", WORDS),
        ("arc_pin", WORDS), ("arc_net", WORDS), ("arc_delay", FLOATS), ("launch", FLOATS),
        ("required", FLOATS), ("arrival", FLOATS), ("latest", FLOATS),
        ("random", ctypes.c_uint64),
    ]


class Annealer:
    """A placement that can be cooled; its arrays are changed in place.

    Attributes
    ----------
    nets : int
    tile_pins : numpy.ndarray of int32
        How many pins wires have to reach in each tile, column after column.
    """

    def __init__(self, placement: Placement, wires: Wires, seed: int, free_pins: int,
                 crowding: float) -> None:
        self._library = _compile()
        self.nets = len(wires.crossing)
        pins, nodes = len(wires.pin_unit), len(wires.launch)
        occupant = np.full(placement.columns * placement.height, -1, np.int32)
        for block, (place, rows) in enumerate(zip(placement.place_of, placement.rows_of)):
            occupant[place:place + rows] = block
        place_pins = np.zeros(len(occupant), np.int32)
        lies = placement.row_of < len(placement.row_place)  # in a slice that may move
        np.add.at(place_pins, placement.row_place[placement.row_of[lies]], wires.unit_pins[lies])
        self.tile_pins = place_pins.reshape(-1, SLICES, placement.height).sum(
            1, dtype=np.int32).ravel()
        room = placement.room.reshape(-1, SLICES, placement.height)[:, 0].ravel()
        free = np.round(free_pins * (EDGE + (1 - EDGE) * room)).astype(np.int32)
        movable = placement.unit_at[placement.unit_at >= 0]
        values: Dict[str, Any] = {
            **vars(placement), **vars(placement.rams), **vars(wires), "region": REGION,
            "slices": SLICES, "occupant": occupant, "rams": len(placement.rams.names),
            "place_pins": place_pins, "tile_pins": self.tile_pins, "free_pins": free,
            "crowding": crowding,
            "blocks": len(placement.place_of), "rows": len(placement.row_place),
            "movable": len(movable), "movable_units": movable, "nets": self.nets,
            "weight": np.zeros(pins, np.float32), "stamp": np.zeros(self.nets, np.int32), "now": 0,
            "cost": np.zeros(self.nets, np.float32), "nodes": nodes, "arcs": len(wires.arc_source),
            "arrival": np.zeros(nodes, np.float32), "latest": np.zeros(nodes, np.float32),
            "random": (seed + 1) * 0x9E3779B97F4A7C15 % (1 << 64),
        }
        self._kept: List[np.ndarray] = []
        fields: List[Tuple[str, Any]] = _Problem._fields_  # type: ignore[assignment]
        self._problem = _Problem(**{name: self._argument(name, values[name], kind)
                                    for name, kind in fields})

    def _argument(self, name: str, value: Any, kind: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        if not value.flags.c_contiguous or kind._type_ is not NUMBERS[value.dtype]:
            raise TypeError(f"{name}: {value.dtype}, {kind}")
        self._kept.append(value)  # ctypes' pointer does not
        return value.ctypes.data_as(kind)

    def weigh(self, period_ns: float, most: float, exponent: float) -> float:
        """Weights of connections anew, by how critical they are; the worst slack in ns."""
        return self._library.weigh(ctypes.byref(self._problem), period_ns, most, exponent)

    def wire(self) -> float:
        """The length of all nets, with their costs reckoned anew."""
        return self._library.total_wire(ctypes.byref(self._problem))

    def cost(self) -> float:
        """What is made less."""
        return self._library.total_cost(ctypes.byref(self._problem))

    def cool(self, moves: int, shares: Tuple[float, float, float], reach: int,
             temperature: float) -> float:
        """Try so many moves; the share made of those that were possible.

        `shares` are of the moves those of block RAMs, of the others those of lanes and flip-flops,
        and of both those that go where nets draw.
        """
        return self._library.anneal(ctypes.byref(self._problem), moves, *shares, reach, temperature)


def _compile() -> ctypes.CDLL:
    compiler = find_compiler()
    if compiler is None:
        raise BitstreamError(f"a placement is annealed by {SOURCE.name}, for which a C compiler is "
                             f"wanted: {', '.join(COMPILERS)}")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "anneal.so"
        try:
            subprocess.run([compiler, "-O2", "-std=c99", "-shared", "-fPIC", str(SOURCE), "-o",
                            str(made), "-lm"], check=True, timeout=COMPILE_S,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.SubprocessError as error:
            said = (getattr(error, "output", None) or b"").decode(errors="replace")
            raise BitstreamError(f"{compiler} does not compile {SOURCE}: {error}\n{said}") from None
        library = ctypes.CDLL(str(made))
    pointer = ctypes.POINTER(_Problem)
    for name, result, arguments in (
            ("weigh", ctypes.c_double, [ctypes.c_float] * 3), ("total_wire", ctypes.c_double, []),
            ("total_cost", ctypes.c_double, []),
            ("anneal", ctypes.c_double,
             [ctypes.c_int64, *[ctypes.c_float] * 3, ctypes.c_int32, ctypes.c_float]),
            ("problem_bytes", ctypes.c_int32, None)):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = [] if arguments is None else [pointer, *arguments]
    assert library.problem_bytes() == ctypes.sizeof(_Problem)
    return library
