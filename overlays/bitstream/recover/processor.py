"""The clock and the PS7: where a recovered circuit ends (UG472, UG585)."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Dict, List

from overlays.bitstream.recover.fabric import Fabric, RecoveryError
from overlays.bitstream.recover.routing import Driver
from overlays.bitstream.recover.settings import Design
from overlays.bitstream.recover.tile_kinds import SitePin, TileKinds
from overlays.simulation import ps7
from overlays.simulation.circuit import Net

_INPUTS = {"BUFGCTRL": "I0", "BUFHCE": "I"}
_NUMBERED = re.compile(r"(.*?)(\d*)")


def clock_net(fabric: Fabric, design: Design, driver: Driver) -> Net:
    """What goes into a clock buffer comes out of it, if it is in use."""
    kind, site, _ = driver.pin
    settings = design.sites.get((driver.tile, kind), {})
    if f"{kind}_{site}.IN_USE" not in settings:
        raise RecoveryError(f"{driver.tile}: {kind} {site} drives a net and is not in use")
    return fabric.pin(driver.tile, SitePin(kind, site, _INPUTS[kind]))


def ps7_net(driver: Driver) -> Net:
    """The net that an output of the PS7 drives."""
    return f"PS7.{driver.pin.pin}"


def processor_pins(fabric: Fabric, kinds: TileKinds, tile: str) -> Dict[str, List[Net]]:
    """The nets on those pins of the PS7 that the harness knows."""
    numbered: Dict[str, Dict[int, SitePin]] = defaultdict(dict)
    for pin in kinds.of(tile).wires:
        match = _NUMBERED.fullmatch(pin.pin)
        if pin.type == "PS7" and match:
            numbered[match.group(1)][int(match.group(2) or 0)] = pin
    return {joint.pin: [ps7_net(Driver(tile, "", pins[place])) if joint.is_input
                        else fabric.pin(tile, pins[place]) for place in sorted(pins)]
            for joint in ps7.joints() for pins in [numbered[joint.pin]]}
