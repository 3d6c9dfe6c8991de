"""The placed and routed design, as nextpnr's ``--write`` leaves it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from overlays.bitstream.timing.delay import TimingError

CONSTANTS = ("PSEUDO_GND", "PSEUDO_VCC")


@dataclass
class Cell:
    """A cell and where it stands."""

    name: str
    kind: str
    site: str
    bel: str
    parameters: Dict[str, str]
    attributes: Dict[str, str]
    pins: Dict[str, int] = field(default_factory=dict)
    """Net number by pin; pins without a net are left out."""
    outputs: List[str] = field(default_factory=list)

    def pin(self, port: str) -> str:
        """The pin's name in the report."""
        return f"{self.name}/{port}"


@dataclass
class Net:
    """A net, its source and where it leads."""

    name: str
    routing: str
    driver: Optional[Tuple[Cell, str]] = None
    sinks: List[Tuple[Cell, str]] = field(default_factory=list)

    @property
    def is_constant(self) -> bool:
        return self.driver is None or self.driver[0].kind in CONSTANTS


@dataclass
class Netlist:
    """All cells, and the nets by number."""

    cells: List[Cell]
    nets: Dict[int, Net]


def read_netlist(path: Path) -> Netlist:
    """The design in a JSON file of nextpnr's."""
    return netlist_of(read_tree(path), path)


def read_tree(path: Path) -> Dict[str, Any]:
    """What is in such a file."""
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise TimingError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise TimingError(f"{path}: not JSON: {error}") from error


def netlist_of(tree: Dict[str, Any], path: Path, is_routed: bool = True) -> Netlist:
    """The design in such a file's tree; `path` is named where it isn't one."""
    try:
        modules = tree["modules"]
        if len(modules) != 1:
            raise TimingError(f"{path}: {len(modules)} modules; nextpnr writes one")
        (module,) = modules.values()
        return _netlist(module, is_routed)
    except (KeyError, TypeError, AttributeError) as error:
        raise TimingError(f"{path}: not a design written by nextpnr: {error!r}") from error


def _netlist(module: Dict[str, Any], is_routed: bool) -> Netlist:
    nets = {}
    for name, net in module["netnames"].items():
        routing = net["attributes"].get("ROUTING", None if is_routed else "")
        if routing is None:
            raise TimingError(f"net {name} has no ROUTING: the design isn't routed")
        nets[net["bits"][0]] = Net(name, routing)
    cells = [_cell(name, tree, nets) for name, tree in module["cells"].items()]
    return Netlist(cells, nets)


def _cell(name: str, tree: Dict[str, Any], nets: Dict[int, Net]) -> Cell:
    place = tree["attributes"].get("NEXTPNR_BEL")
    if place is None:
        raise TimingError(f"cell {name} has no NEXTPNR_BEL: the design isn't placed")
    site, _, bel = place.rpartition("/")
    cell = Cell(name, tree["type"], site, bel, tree["parameters"], tree["attributes"])
    for group, bits in tree["connections"].items():
        is_output = tree["port_directions"][group] == "output"
        for index, bit in enumerate(bits):
            if bit not in nets:
                continue  # numbers of their own stand for pins that are open
            if not is_output and _is_spare(cell, group):
                continue
            port = group if len(bits) == 1 else f"{group}[{index}]"
            cell.pins[port] = bit
            if is_output:
                cell.outputs.append(port)
                nets[bit].driver = (cell, port)
            else:
                nets[bit].sinks.append((cell, port))
    return cell


def _is_spare(cell: Cell, pin: str) -> bool:
    """Whether a LUT's function does not depend on an input pin.

    nextpnr marks every input that the netlist's LUT had; what it connects besides would look like
    paths, and even like loops, that are not there.
    """
    return (cell.attributes.get("X_ORIG_TYPE", "").startswith("LUT")
            and f"X_ORIG_PORT_{pin}" not in cell.attributes)
