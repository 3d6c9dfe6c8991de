"""What the tiles of one kind connect: switches, connections that are always there, pins of sites.

Sources: ``tile_type_*.json`` and ``ppips_*.db`` of a Project X-Ray database.  In the latter a
connection without bits is ``always`` there, or the ``default`` for a wire that no switch drives; a
``hint`` says how a LUT could hand a signal on, and is nothing that is there.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, NamedTuple, Set, Tuple, Union

from overlays.bitstream.errors import DatabaseError

_POSITION = re.compile(r"_X\d+Y\d+$")


class SitePin(NamedTuple):
    """A pin of a site: the site's type and name within its tile, the pin's name."""

    type: str
    site: str
    pin: str


@dataclass
class TileKind:
    """What one kind of tile has.

    Attributes
    ----------
    switches : set of (destination, source)
        Wires that a switch can join.
    always, defaults : dict
        Destination to sources.
    outputs : dict
        Wire to the pin that drives it.
    wires : dict
        Pin to its wire.
    """

    switches: Set[Tuple[str, str]] = field(default_factory=set)
    always: Dict[str, List[str]] = field(default_factory=lambda: defaultdict(list))
    defaults: Dict[str, str] = field(default_factory=dict)
    outputs: Dict[str, SitePin] = field(default_factory=dict)
    wires: Dict[SitePin, str] = field(default_factory=dict)


class TileKinds:
    """The kinds of a database folder (zynq7), each read when it is first asked for."""

    def __init__(self, folder: Union[str, Path]) -> None:
        self._folder = Path(folder)
        self._kinds: Dict[str, TileKind] = {}

    def of(self, tile: str) -> TileKind:
        """The kind of the tile called `tile`; tiles are named after their kinds."""
        name = kind_of(tile)
        if name not in self._kinds:
            self._kinds[name] = self._read(name)
        return self._kinds[name]

    def _read(self, name: str) -> TileKind:
        path = self._folder / f"tile_type_{name}.json"
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DatabaseError(f"{path} can't be read: {error.strerror}") from None
        except ValueError as error:
            raise DatabaseError(f"{path} is damaged: {error}") from None
        kind = TileKind()
        for pip in tree["pips"].values():
            kind.switches.add((pip["dst_wire"], pip["src_wire"]))
            if pip["is_directional"] == "0":
                kind.switches.add((pip["src_wire"], pip["dst_wire"]))
        self._read_pseudo_pips(name, kind)
        for site in tree["sites"]:
            for pin, entry in (site["site_pins"] or {}).items():
                if entry:
                    found = SitePin(site["type"], site["name"], pin)
                    kind.wires[found] = entry["wire"]
                    if _drives(entry, found, kind):
                        kind.outputs[entry["wire"]] = found
        return kind

    def _read_pseudo_pips(self, name: str, kind: TileKind) -> None:
        path = self._folder / f"ppips_{name.lower()}.db"
        if not path.exists():
            return
        for line in path.read_text(encoding="utf-8").splitlines():
            feature, _, sort = line.strip().partition(" ")
            if sort in ("always", "default"):
                _, destination, source = feature.split(".")
                if sort == "always":
                    kind.always[destination].append(source)
                else:
                    kind.defaults[destination] = source


def _drives(entry: dict, pin: SitePin, kind: TileKind) -> bool:
    """A pin that drives has a resistance; those of the PS7 have none and show by what they join."""
    if pin.type == "PS7":
        return entry["wire"] not in kind.always
    return "res" in entry


def kind_of(tile: str) -> str:
    """The name of a tile's kind."""
    return _POSITION.sub("", tile)
