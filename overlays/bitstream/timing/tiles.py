"""Delays, resistances and capacitances of a tile's switches, wires and pins, from prjxray-db.

``tile_type_*.json`` holds them: nanoseconds as (fast least, fast greatest, slow least, slow
greatest), ohms and femtofarads.  Its delay model is the one that ``prjxray/timing.py`` of Project
X-Ray describes: an intrinsic delay for each element, and Elmore's delay of the tree of wires.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

from overlays.bitstream.timing.delay import ZERO, Delay, TimingError


class Switch(NamedTuple):
    """One way through a switch, or a pin of a site, in its direction of flow."""

    delay: Delay
    resistance: float
    """What it drives the wire behind it with, in ohms."""
    capacitance: float
    """What it puts on the wire before it, in femtofarads."""
    is_buffered: bool
    """Whether the wire before it is spared the load behind it."""


@dataclass
class TileType:
    """What one kind of tile has."""

    switches: Dict[Tuple[str, str], Switch] = field(default_factory=dict)
    loads: Dict[str, Tuple[float, float]] = field(default_factory=dict)
    """Resistance and capacitance of a wire."""
    pins: Dict[str, Tuple[str, Switch]] = field(default_factory=dict)
    """The site's pin on a wire, by its name in the site."""


_POSITION = re.compile(r"_X\d+Y\d+$")


class TileTypes:
    """The tile types of one family, each read when it is first asked for."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._types: Dict[str, TileType] = {}
        self._tiles: Dict[str, TileType] = {}

    def of(self, tile: str) -> TileType:
        """The type of the tile called `tile`; tiles are named after their types."""
        found = self._tiles.get(tile)
        if found is None:
            kind = _POSITION.sub("", tile)
            if kind not in self._types:
                self._types[kind] = self._read(kind)
            found = self._tiles[tile] = self._types[kind]
        return found

    def _read(self, kind: str) -> TileType:
        path = self._database / f"tile_type_{kind}.json"
        try:
            return parse_tile_type(json.loads(path.read_text()))
        except OSError as error:
            raise TimingError(f"{path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TimingError(f"{path}: not a tile type of prjxray-db: {error!r}") from error


def parse_tile_type(tree: Dict[str, Any]) -> TileType:
    """A tile type from its JSON."""
    tile = TileType()
    for pip in tree["pips"].values():
        buffered = not int(pip["is_pass_transistor"])
        source, sink = pip["src_wire"], pip["dst_wire"]
        tile.switches[source, sink] = _switch(pip.get("src_to_dst"), buffered)
        if not int(pip["is_directional"]):
            tile.switches[sink, source] = _switch(pip.get("dst_to_src"), buffered)
    wires = tree["wires"]
    if isinstance(wires, dict):
        tile.loads = {name: (float(wire["res"] or 0), float(wire["cap"] or 0))
                      for name, wire in wires.items() if wire}
    for site in tree["sites"]:
        for name, pin in (site["site_pins"] or {}).items():
            if pin:
                # a pin that drives has a resistance, one that is driven a capacitance
                tile.pins[pin["wire"]] = name, Switch(
                    _delay(pin.get("delay")), float(pin.get("res") or 0),
                    float(pin.get("cap") or 0), True)
    return tile


def _switch(direction: Optional[Dict[str, Any]], buffered: bool) -> Switch:
    if not direction:
        return Switch(ZERO, 0.0, 0.0, buffered)
    return Switch(_delay(direction.get("delay")), float(direction.get("res") or 0),
                  float(direction.get("in_cap") or 0), buffered)


def _delay(values: Optional[Any]) -> Delay:
    return Delay(*(float(value) for value in values)) if values else ZERO
