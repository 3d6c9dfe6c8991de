"""From a bitstream back to the circuit that it configures, for a simulator to run.

:func:`recover` takes the features that :func:`overlays.bitstream.disassemble` finds, follows every
closed switch from the pins of flip-flops, memories and the PS7 back to what drives them, and makes
of each LUT, carry, flip-flop and memory what its settings say.  Nothing of the design's source,
netlist, placement or routing is looked at: what runs here is what ships.

Blind spots: which wires are one node comes from the placer's own database, what the bits mean from
Project X-Ray's; what block RAM does is written in :mod:`.block_rams`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Dict, Iterable, List, Tuple, Union

from overlays.bitstream.recover import block_rams, processor
from overlays.bitstream.recover.fabric import Fabric, RecoveryError
from overlays.bitstream.recover.routing import Driver, Routing, RoutingError
from overlays.bitstream.recover.settings import Design, by_tile
from overlays.bitstream.recover.slices import Slice
from overlays.bitstream.recover.tile_kinds import TileKinds, kind_of
from overlays.bitstream.timing.chip import Chip
from overlays.simulation import ps7
from overlays.simulation.circuit import Circuit, Net

__all__ = ["Recovered", "RecoveryError", "RoutingError", "recover"]

_PS7_KIND = "PSS2"
_SLICE = re.compile(r"(SLICE[LM])_(X\d)")


@dataclass(frozen=True)
class Recovered:
    """What a bitstream configures.

    Attributes
    ----------
    circuit : Circuit
        With the harness's ports.
    switches : int
        Closed switches that were followed or stand alone.
    open_pins : list of (tile, wire)
        Pins that something looks at and nothing drives.
    """

    circuit: Circuit
    switches: int
    open_pins: List[Tuple[str, str]]


def recover(features: Iterable[str], chip: Chip, database_folder: Union[str, Path]) -> Recovered:
    """The circuit of a design's features.

    Parameters
    ----------
    features : iterable of str
        One for each bit, as a Disassembly has them.
    chip : Chip
        The nodes of the device.
    database_folder : path
        A Project X-Ray database of the family, with its tile types: prjxray-db/zynq7.

    Raises
    ------
    RoutingError
        If a node has two drivers.
    RecoveryError
        If something is used that isn't understood.
    DatabaseError
        If the database lacks a tile type.
    """
    kinds = TileKinds(database_folder)
    design = by_tile(features, kinds)
    routing = Routing(design, chip, kinds)
    fabric = Fabric(routing, kinds)
    slices = _Slices(fabric, design)
    fabric.outputs.update(
        SLICEL=slices.net, SLICEM=slices.net, FIFO18E1=block_rams.output_net,
        RAMB18E1=block_rams.output_net, RAMBFIFO36E1=block_rams.output_net,
        BUFGCTRL=partial(processor.clock_net, fabric, design),
        BUFHCE=partial(processor.clock_net, fabric, design), PS7=processor.ps7_net)
    for each in slices.all():
        each.flip_flops()
    for (tile, site), settings in design.sites.items():
        if site in ("RAMB18_Y0", "RAMB18_Y1") and "IN_USE" in settings:
            block_rams.BlockRamHalf(fabric, tile, int(site[-1]), settings).make()
    tiles = [tile for tile in chip.tiles() if kind_of(tile) == _PS7_KIND]
    if not tiles:
        raise RecoveryError("the chip database has no PS7")
    fabric.circuit.ports = ps7.ports(processor.processor_pins(fabric, kinds, tiles[0]))
    fabric.finish()
    return Recovered(fabric.circuit, routing.switches, routing.open)


class _Slices:
    """The slices of a design, by tile and place."""

    def __init__(self, fabric: Fabric, design: Design) -> None:
        self._fabric = fabric
        self._slices: Dict[Tuple[str, str], Slice] = {}
        for (tile, site), settings in design.sites.items():
            match = _SLICE.fullmatch(site)
            if match:
                kind, place = match.groups()
                self._slices[tile, place] = Slice(fabric, tile, kind, place, settings)

    def all(self) -> List[Slice]:
        return list(self._slices.values())

    def net(self, driver: Driver) -> Net:
        place = driver.pin.site[:2]
        if (driver.tile, place) not in self._slices:
            raise RecoveryError(f"{driver.tile}: {place} drives a net and has no settings")
        return self._slices[driver.tile, place].output(driver.pin.pin)
