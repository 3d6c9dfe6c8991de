"""The placer's result made better: slices, quarters of slices and block RAMs change places.

nextpnr-xilinx's analytic placer spreads a full chip's cells until they are legal, which makes the
wires longer by two thirds, and its last step, simulated annealing without heat, moves single cells
by a few tiles.  Here what is legal stays legal, so it can be heated: annealed for minutes, the same
placement has a quarter to a third less wire, and its critical paths are shorter.
"""

from __future__ import annotations

import json
from pathlib import Path

from overlays.bitstream.anneal.annealer import Annealer
from overlays.bitstream.anneal.cooling import Cooling, cool
from overlays.bitstream.anneal.mend import mend
from overlays.bitstream.anneal.placement import moved_bels, read_placement
from overlays.bitstream.anneal.sites import read_sites
from overlays.bitstream.anneal.wires import read_library, read_wires
from overlays.bitstream.timing.netlist import netlist_of, read_tree

__all__ = ["Cooling", "anneal"]


def anneal(placed: Path, annealed: Path, database: Path, seed: int, cooling: Cooling) -> None:
    """Write a placed design with its cells in better places.

    Parameters
    ----------
    placed, annealed : path
        nextpnr's ``--write`` after ``--no-route``, and the same with other NEXTPNR_BEL.
    database : path
        prjxray-db's folder of the family.
    seed : int
        Another one leads to another placement.
    cooling : Cooling
        How long, and what for.

    Raises
    ------
    BitstreamError
        If there is no C compiler, or a file isn't understood.
    """
    tree = read_tree(placed)
    netlist = netlist_of(tree, placed, is_routed=False)
    sites = read_sites(database)
    if any([mend(module["cells"], sites) for module in tree["modules"].values()]):
        netlist = netlist_of(tree, placed, is_routed=False)
    placement = read_placement(netlist, sites)
    wires = read_wires(netlist, placement.unit_of, len(placement.row_of),
                       read_library(database, sites))
    annealer = Annealer(placement, wires, seed, cooling.free_pins, cooling.crowding)
    cool(annealer, len(placement.place_of), cooling)
    (module,) = tree["modules"].values()
    for name, bel in moved_bels(placement, netlist).items():
        module["cells"][name]["attributes"]["NEXTPNR_BEL"] = bel
    annealed.write_text(json.dumps(tree), encoding="utf-8")
