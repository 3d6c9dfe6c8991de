"""The features of a bitstream by tile: which switches are closed, and how the rest is set."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Tuple

from overlays.bitstream.recover.tile_kinds import TileKinds

_ADDRESS = re.compile(r"(.*)\[(\d+)\]")
Settings = Dict[str, int]
"""Of one site: features without tile and site; a vector is a number, all else is 1."""


@dataclass
class Design:
    """What a bitstream says.

    Attributes
    ----------
    switches : dict
        Tile to the closed ones: (destination, source).
    sites : dict
        (tile, site) to its settings; ``SLICEL_X0`` and ``RAMB18_Y1`` are sites.
    """

    switches: Dict[str, List[Tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    sites: Dict[Tuple[str, str], Settings] = field(default_factory=lambda: defaultdict(dict))


def by_tile(features: Iterable[str], kinds: TileKinds) -> Design:
    """Sort `features`, one bit each, as :func:`overlays.bitstream.disassemble` gives them."""
    design = Design()
    for feature in features:
        tile, site, rest = (feature.split(".", 2) + [""])[:3]
        if (site, rest) in kinds.of(tile).switches:
            design.switches[tile].append((site, rest))
            continue
        settings = design.sites[tile, site]
        match = _ADDRESS.fullmatch(rest)
        if match:
            name, address = match.groups()
            settings[name] = settings.get(name, 0) | 1 << int(address)
        else:
            settings[rest] = 1
    return design
