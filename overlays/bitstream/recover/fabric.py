"""What the parts of a device need of each other while a circuit is recovered from it."""

from __future__ import annotations

from collections import deque
from typing import Callable, Deque, Dict, Set

from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.recover.routing import Driver, Routing
from overlays.bitstream.recover.tile_kinds import SitePin, TileKinds
from overlays.simulation.circuit import ONE, Circuit, Net

CLOCK = "PS7.FCLKCLK0"
"""The one clock's net."""


class RecoveryError(BitstreamError):
    """Something in the bitstream that isn't understood: the tile, and what."""


class Fabric:
    """The circuit so far, and whom to ask for the net of a pin.

    A primitive is made when something first looks at its output; what it looks at itself comes
    later, because there is no end to how deep that goes.

    Attributes
    ----------
    circuit : Circuit
        What was made.
    outputs : dict
        Type of site to the function that says which net one of its pins drives.
    """

    def __init__(self, routing: Routing, kinds: TileKinds) -> None:
        self.circuit = Circuit()
        self.outputs: Dict[str, Callable[[Driver], Net]] = {}
        self._routing, self._kinds = routing, kinds
        self._made: Set[Net] = set()
        self._later: Deque[Callable[[], None]] = deque()

    def net(self, tile: str, wire: str) -> Net:
        """What drives a wire.  One that nothing drives is high, as the silicon's open pins are."""
        source = self._routing.source(tile, wire)
        if isinstance(source, Driver):
            if source.pin.type not in self.outputs:
                raise RecoveryError(f"{tile}/{wire} is driven by a {source.pin.type} in "
                                    f"{source.tile}, which is not understood")
            return self.outputs[source.pin.type](source)
        return ONE if source is None else source

    def pin(self, tile: str, pin: SitePin) -> Net:
        """What drives a pin of a site."""
        return self.net(tile, self._kinds.of(tile).wires[pin])

    def require_clock(self, tile: str, net: Net) -> None:
        """Stop at a part whose clock isn't the one."""
        if net != CLOCK:
            raise RecoveryError(f"{tile} has {net} for its clock, not {CLOCK}")

    def once(self, net: Net, make: Callable[[], None]) -> Net:
        """`net`, of whose driver `make` adds the primitive, later and only once."""
        if net not in self._made:
            self._made.add(net)
            self._later.append(make)
        return net

    def finish(self) -> None:
        """Make all that was put off."""
        while self._later:
            self._later.popleft()()
