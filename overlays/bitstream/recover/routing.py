"""Who drives a wire: from a pin back through closed switches to the pin that drives it."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.recover.settings import Design
from overlays.bitstream.recover.tile_kinds import SitePin, TileKinds
from overlays.bitstream.timing.chip import Chip, Node, TileWire
from overlays.simulation.circuit import ONE, ZERO

_CONSTANTS = {"GND_WIRE": ZERO, "VCC_WIRE": ONE}


class RoutingError(BitstreamError):
    """A node with two drivers, or a loop of switches."""


class Driver(NamedTuple):
    """The pin that drives a node, on which wire of which tile."""

    tile: str
    wire: str
    pin: SitePin


Source = Union[Driver, str, None]
"""A pin; ZERO or ONE; None if nothing drives a node."""


class Routing:
    """The nodes of a chip, joined as a design's switches join them.

    Attributes
    ----------
    switches : int
        How many are closed.
    open : list of (tile, wire)
        Those that were asked for and that nothing drives.

    Raises
    ------
    RoutingError
        Names the nodes that two switches drive.
    """

    def __init__(self, design: Design, chip: Chip, kinds: TileKinds) -> None:
        self._chip, self._kinds = chip, kinds
        self._from: Dict[Node, TileWire] = {}
        self._sources: Dict[Node, Source] = {}
        self.switches = 0
        self.open: List[TileWire] = []
        doubled = []
        for tile, switches in design.switches.items():
            for destination, source in switches:
                self.switches += 1
                node = chip.node_of(tile, destination)
                if self._from.setdefault(node, (tile, source)) != (tile, source):
                    doubled.append(f"{tile}/{destination}")
        if doubled:
            raise RoutingError(f"{len(doubled)} nodes have two drivers: {', '.join(doubled[:5])}")

    def source(self, tile: str, wire: str) -> Source:
        """What drives the node of a wire; asked again, it is remembered."""
        start = node = self._chip.node_of(tile, wire)
        passed = []
        while node not in self._sources:
            passed.append(node)
            before = self._from.get(node) or self._without_switch(node)
            if before is None:
                break
            node = self._chip.node_of(*before)
            if node in passed:
                raise RoutingError(f"a loop of switches at {tile}/{wire}")
        found = self._sources.get(node)
        for each in passed:
            self._sources[each] = found
        if found is None and passed and start == passed[0]:
            self.open.append((tile, wire))
        return found

    def _without_switch(self, node: Node) -> Optional[TileWire]:
        """Where a connection comes from that is always there; or note what drives the node."""
        always: List[TileWire] = []
        default: Optional[str] = None
        for tile, wire in self._chip.wires_of(node):
            if wire in _CONSTANTS:
                self._sources[node] = _CONSTANTS[wire]
                return None
            kind = self._kinds.of(tile)
            pin = kind.outputs.get(wire)
            if pin is not None:
                self._sources[node] = Driver(tile, wire, pin)
                return None
            always += [(tile, source) for source in kind.always.get(wire, ())]
            default = default or _CONSTANTS.get(kind.defaults.get(wire, ""))
        if not always and default is not None:
            self._sources[node] = default
        return _only(always)


def _only(always: List[TileWire]) -> Optional[TileWire]:
    """The one connection that is always there.

    A block RAM's output is one wire under two names: its half's and, as FIFO36, the whole's.
    """
    halves = [each for each in always if "FIFO36" not in each[1]] or always
    names: List[Tuple[str, str]] = sorted(set(halves))
    if len(names) > 1:
        raise RoutingError(f"several connections are always there: {names[:3]}")
    return names[0] if names else None
