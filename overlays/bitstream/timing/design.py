"""The graph of a design, from the JSON that nextpnr writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from overlays.bitstream.timing.blocks import read_blocks
from overlays.bitstream.timing.cells import Library, places
from overlays.bitstream.timing.chip import Chip
from overlays.bitstream.timing.delay import Delay, TimingError
from overlays.bitstream.timing.graph import Graph
from overlays.bitstream.timing.netlist import Cell, Net, Netlist, read_netlist
from overlays.bitstream.timing.router_model import RouterLibrary, RouterRoutes, without_clock
from overlays.bitstream.timing.routes import Routes
from overlays.bitstream.timing.slices import read_slices
from overlays.bitstream.timing.tiles import TileTypes

_CLOCK_INVERTER = re.compile(r"IS_(C|\w*CLK\w*)_INVERTED")


def graph_of_routed(path: Path, database: Path, chip_path: Path,
                    as_router: bool = False) -> Graph:
    """The graph of a design that nextpnr wrote with ``--write``.

    Parameters
    ----------
    path
        The JSON file.
    database
        prjxray-db's folder of the family, ``zynq7``.
    chip_path
        The chip database that nextpnr used.
    as_router
        Time it as the router does instead (:mod:`overlays.bitstream.timing.router_model`).
    """
    netlist = read_netlist(path)
    chip = Chip(chip_path)
    ram, system = read_blocks(database)
    figures = (read_slices(database), lambda site: slice_kind(chip, site), ram, system)
    tiles = TileTypes(database)
    if as_router:
        router = RouterLibrary(*figures)
        return without_clock(graph_of(netlist, router, RouterRoutes(chip, tiles, router.inside)))
    library = Library(*figures)
    return graph_of(netlist, library, Routes(chip, tiles, library.inside))


def slice_kind(chip: Chip, site: str) -> str:
    """In a CLBLM the slice at the even position is the one with memory."""
    is_even = int(site[len("SLICE_X"):].split("Y")[0]) % 2 == 0
    return "SLICEM" if chip.tile_of_site(site).startswith("CLBLM") and is_even else "SLICEL"


def graph_of(netlist: Netlist, library: Library, routes: Routes) -> Graph:
    """Cells first, then nets; the clock's net gives the arrival at clock pins alone."""
    graph = Graph()
    clock_pins: Dict[int, List[Tuple[Cell, str]]] = {}
    for cell in netlist.cells:
        _refuse_falling_edge(cell)
        live = [pin for pin, net in cell.pins.items() if not netlist.nets[net].is_constant]
        for pin in library.add(graph, cell, live):
            if pin in cell.pins:
                clock_pins.setdefault(cell.pins[pin], []).append((cell, pin))
    if len(clock_pins) > 1:
        names = ", ".join(sorted(netlist.nets[number].name for number in clock_pins))
        raise TimingError(f"more than one clock: {names}; this analysis knows one")
    unrouted = 0
    for number, net in netlist.nets.items():
        if net.is_constant or not net.sinks or net.driver is None:
            continue
        arrivals = _arrivals(net, routes)
        clocked = {(cell.name, pin) for cell, pin in clock_pins.get(number, ())}
        for cell, pin in net.sinks:
            delay = _at(arrivals, cell, pin)
            if delay is None:
                unrouted += 1
                graph.untimed_pin(cell.pin(pin), "(no route)", is_output=False)
                graph.untimed_sources.add(graph.pin(cell.pin(pin)))
            elif (cell.name, pin) in clocked:
                graph.clocks[graph.pin(cell.pin(pin))] = delay
            else:
                graph.arc(net.driver[0].pin(net.driver[1]), cell.pin(pin), delay, is_net=True)
    if routes.unknown:
        first = ", ".join(sorted(routes.unknown)[:5])
        graph.notes.append(f"{sum(routes.unknown.values())} switches without a delay in the "
                           f"database count as 0: {first}")
    graph.notes.append("the clock's arrival is that of its route's switches; jitter, and what the "
                       "database lacks of the clock's wires, belong into the uncertainty")
    return graph


def _refuse_falling_edge(cell: Cell) -> None:
    """Half a period would be all that a path to or from such a cell has."""
    for parameter, value in cell.parameters.items():
        if _CLOCK_INVERTER.fullmatch(parameter) and "1" in value:
            raise TimingError(f"{cell.name} takes the clock's falling edge ({parameter}); this "
                              "analysis knows the rising one")


def _arrivals(net: Net, routes: Routes) -> Dict[str, Delay]:
    assert net.driver is not None
    return routes.delays(net.routing, places(*net.driver)[-1])


def _at(arrivals: Dict[str, Delay], cell: Cell, pin: str) -> Optional[Delay]:
    return next((arrivals[place] for place in places(cell, pin) if place in arrivals), None)
