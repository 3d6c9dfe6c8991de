"""The delay from a net's source to every wire and site pin of its route.

The router's ROUTING attribute lists, for each node of a net, the switch that drives it; that is a
tree.  A node's load is the sum of its wires' capacitances and of what hangs on it; a switch adds
its intrinsic delay and its resistance times that load, a wire its resistance times half its own
capacitance and all that hangs on it (Elmore's delay with a pi model, as in ``prjxray/timing.py``).
Resistance and capacitance are the same at every corner: the database has one figure.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from overlays.bitstream.timing.chip import Chip, TileWire
from overlays.bitstream.timing.delay import ZERO, Delay, TimingError
from overlays.bitstream.timing.tiles import Switch, TileTypes

SITE = "SITEWIRE/"
PIN = "SITEPIN/"
_SITE_PIP = "SITEPIP/"
NS_PER_OHM_FEMTOFARAD = 1e-6
_LONG_WIRES = 2

InsideSite = Callable[[str, str, str], Optional[Delay]]
"""The delay from one wire to another inside a site."""


class Hop(NamedTuple):
    """What drives a wire."""

    source: str
    switch: Switch
    pin: str
    """The site's pin that it is, ``SITEPIN/site/pin``; empty for others."""


class Routes:
    """Delays along routes.

    Parameters
    ----------
    chip
        Nodes.
    tiles
        Delays.
    inside
        Delay from wire to wire inside a site, or None where it isn't known.
    """

    def __init__(self, chip: Chip, tiles: TileTypes, inside: InsideSite) -> None:
        self._chip = chip
        self._tiles = tiles
        self._inside = inside
        self.unknown: Dict[str, int] = {}
        """Switches without a delay in the database, by name; they count as 0."""

    def delays(self, routing: str, source: str) -> Dict[str, Delay]:
        """The delay to each wire and pin of the route that leads from the site wire `source`."""
        order, hops, nodes = self._tree(routing, source)
        hanging, loads, resistances = self._loads(order, hops, nodes)
        arrivals = {source: ZERO}
        for wire in order[1:]:
            driver, switch, pin = hops[wire]
            own = loads[wire]
            slow = NS_PER_OHM_FEMTOFARAD * (
                switch.resistance * (own + hanging[wire])
                + resistances[wire] * (own / 2 + hanging[wire]))
            base, delay = arrivals[driver], switch.delay
            arrivals[wire] = Delay(
                base.fast_min + delay.fast_min + slow, base.fast_max + delay.fast_max + slow,
                base.slow_min + delay.slow_min + slow, base.slow_max + delay.slow_max + slow)
            if pin:
                arrivals[pin] = arrivals[wire]
        return arrivals

    def _tree(self, routing: str, source: str
              ) -> Tuple[List[str], Dict[str, Hop], Dict[str, List[TileWire]]]:
        """The route's wires, source first, what drives each, and the nodes among them."""
        feeds = _parse(routing)
        children: Dict[str, List[str]] = {}
        for sink, driver in feeds.items():
            children.setdefault(driver, []).append(sink)
        order = [source]
        for wire in order:  # grows as it goes: breadth first
            order.extend(children.get(wire, ()))
            if len(order) > len(feeds) + 1:
                raise TimingError(f"the route from {source} runs in a circle at {wire}")
        nodes = {wire: self._chip.node(wire) for wire in order if not wire.startswith(SITE)}
        hops = {wire: self._hop(feeds[wire], wire, nodes) for wire in order[1:]}
        return order, hops, nodes

    def _loads(self, order: List[str], hops: Dict[str, Hop], nodes: Dict[str, List[TileWire]]
               ) -> Tuple[Dict[str, float], Dict[str, float], Dict[str, float]]:
        """What hangs on each wire, its own capacitance and its own resistance."""
        hanging = dict.fromkeys(order, 0.0)
        loads = dict.fromkeys(order, 0.0)
        resistances = dict.fromkeys(order, 0.0)
        for wire in reversed(order):
            if wire in nodes:
                resistances[wire], loads[wire] = self._wire_load(nodes[wire])
            hop = hops.get(wire)
            if hop is not None:
                through = 0.0 if hop.switch.is_buffered else loads[wire] + hanging[wire]
                hanging[hop.source] += hop.switch.capacitance + through
        return hanging, loads, resistances

    def _wire_load(self, node: List[TileWire]) -> Tuple[float, float]:
        # of a long vertical wire only two pieces count: Project X-Ray found the rest in the
        # delay of its switches
        long = any(name.startswith("LV") for _, name in node)
        resistance = capacitance = 0.0
        for tile, name in node[:_LONG_WIRES] if long else node:
            load = self._tiles.of(tile).loads.get(name)
            if load is not None:
                resistance += load[0]
                capacitance += load[1]
        return resistance, capacitance

    def _hop(self, source: str, sink: str, nodes: Dict[str, List[TileWire]]) -> Hop:
        found: Optional[Switch] = None
        pin = ""
        if source in nodes and sink in nodes:
            found = self._find(nodes[source], nodes[sink])
        elif source not in nodes and sink not in nodes:
            site, first, last = _site_arc(source, sink)
            delay = self._inside(site, first, last)
            found = None if delay is None else Switch(delay, 0.0, 0.0, True)
        else:
            site_wire = sink if source in nodes else source
            for tile, name in nodes[source if source in nodes else sink]:
                entry = self._tiles.of(tile).pins.get(name)
                if entry is not None:
                    pin = f"{PIN}{site_wire[len(SITE):].partition('/')[0]}/{entry[0]}"
                    found = entry[1]
                    break
        if found is None:
            name = f"{source}->{sink}"
            self.unknown[name] = self.unknown.get(name, 0) + 1
            found = Switch(ZERO, 0.0, 0.0, True)
        return Hop(source, found, pin if source in nodes else "")

    def _find(self, source: List[TileWire], sink: List[TileWire]) -> Optional[Switch]:
        """The switch between two nodes; they meet in one tile."""
        starts: Dict[str, List[str]] = {}
        for tile, name in source:
            starts.setdefault(tile, []).append(name)
        for tile, name in sink:
            for start in starts.get(tile, ()):
                found = self._tiles.of(tile).switches.get((start, name))
                if found is not None:
                    return found
        return None


def _parse(routing: str) -> Dict[str, str]:
    """Each wire's driver, from ``wire;pip;strength;wire;...``; the source has no pip."""
    parts = routing.split(";")
    feeds = {}
    for k in range(0, len(parts) - 2, 3):
        wire, pip = parts[k], parts[k + 1]
        if pip.startswith(_SITE_PIP):
            site, _, name = pip[len(_SITE_PIP):].split("/")
            feeds[wire] = f"{SITE}{site}/{name}"
        elif pip:
            feeds[wire] = pip.partition("->")[0]
    return feeds


def _site_arc(source: str, sink: str) -> Tuple[str, str, str]:
    site, _, first = source[len(SITE):].partition("/")
    return site, first, sink.rpartition("/")[2]
