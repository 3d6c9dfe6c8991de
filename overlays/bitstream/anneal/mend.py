"""What nextpnr-xilinx places so that it can't be routed.

A slice's wide multiplexers come out where a lane's second LUT does: F7AMUX through AMUX, F7BMUX
through CMUX, F8MUX through BMUX (UG474, figure 2-3), unless they lead to a flip-flop or to the next
multiplexer of their slice alone.  The placer does not look at that where the multiplexer chooses a
constant: the router then shares three wires for ever.
"""

from __future__ import annotations

import logging
from typing import Any, Dict

from overlays.bitstream.anneal.sites import Site
from overlays.bitstream.errors import BitstreamError

log = logging.getLogger(__name__)

LANE_OF = {"F7AMUX": "A", "F7BMUX": "C", "F8MUX": "B"}
"""The lane whose other output a wide multiplexer takes."""
FREE = "A6LUT"


def mend(cells: Dict[str, Any], sites: Dict[str, Site]) -> int:
    """Move second LUTs away from outputs that a multiplexer has, each to the nearest empty slice.

    Parameters
    ----------
    cells : dict
        A placed module's, as nextpnr writes them; changed in place.
    sites : dict
        The die's.

    Returns
    -------
    int
        How many were moved.

    Raises
    ------
    BitstreamError
        If no slice is empty.
    """
    at = {cell["attributes"]["NEXTPNR_BEL"]: name for name, cell in cells.items()
          if "NEXTPNR_BEL" in cell["attributes"]}
    used = {bel.split("/")[0] for bel in at}
    moved = 0
    for bel in sorted(at):
        site, _, place = bel.partition("/")
        if place not in LANE_OF:
            continue
        name = at.get(f"{site}/{LANE_OF[place]}5LUT")
        if name is not None and _leaves(cells, cells[at[bel]], site):
            target = _nearest(site, used, sites)
            used.add(target)
            _to_first(cells[name], f"{target}/{FREE}")
            moved += 1
            log.info("%s moved from %s to %s", name, site, target)
    return moved


def _leaves(cells: Dict[str, Any], driver: Dict[str, Any], site: str) -> bool:
    """Whether a multiplexer's output goes farther than flip-flops and multiplexers of its slice."""
    (output,) = driver["connections"]["OUT"]
    within = {f"{site}/{bel}" for bel in ("AFF", "BFF", "CFF", "DFF", "F8MUX")}
    return any(output in bits and cell["attributes"].get("NEXTPNR_BEL") not in within
               for cell in cells.values() if cell is not driver
               for bits in cell["connections"].values())


def _nearest(site: str, used: set, sites: Dict[str, Site]) -> str:
    here = sites[site]
    empty = [(abs(each.across - here.across) + abs(each.down - here.down), name)
             for name, each in sites.items()
             if each.kind.startswith("SLICE") and name not in used]
    if not empty:
        raise BitstreamError(f"no slice is empty, and a LUT has to leave {site}")
    return min(empty)[1]


def _to_first(cell: Dict[str, Any], bel: str) -> None:
    """A second LUT, of output O5, becomes a first one, of output O6."""
    cell["attributes"]["NEXTPNR_BEL"] = bel
    cell["attributes"]["X_ORIG_PORT_O6"] = cell["attributes"].pop("X_ORIG_PORT_O5")
    for names in (cell["port_directions"], cell["connections"]):
        names["O6"] = names.pop("O5")
