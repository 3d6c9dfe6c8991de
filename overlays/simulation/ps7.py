"""Which pins of the processing system (the PS7 primitive) the harness's ports are (UG585).

The gateware joins them in overlays/gateware/zynq.py; here they are joined once more, the other way
round.
"""

from __future__ import annotations

from typing import Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from overlays.boards import HP_PORTS
from overlays.simulation.circuit import Net, Port

PORTS = 2
"""HP ports that the harness serves; a circuit may leave the second alone."""
CLOCK, RESET = "FCLKCLK", "FCLKRESETN"
"""Bit 0 of each is the accelerator's."""

_ADDRESS = ("ID", "ADDR", "LEN", "SIZE", "BURST", "VALID")
_MASTER_READ = (*(f"AR{name}" for name in _ADDRESS), "RREADY")
_SLAVE_READ = ("ARREADY", "RID", "RDATA", "RRESP", "RLAST", "RVALID")
_MASTER_WRITE = (*(f"AW{name}" for name in _ADDRESS), "WID", "WDATA", "WSTRB", "WLAST", "WVALID",
                 "BREADY")
_SLAVE_WRITE = ("AWREADY", "WREADY", "BID", "BRESP", "BVALID")


class Joint(NamedTuple):
    """A port of the harness, the pins that it is, and whether the fabric sees them as inputs."""

    port: str
    pin: str
    is_input: bool


def joints() -> Iterator[Joint]:
    """All that the harness sets or looks at."""
    yield Joint("reset_n", RESET, True)
    yield from _interface("gp", "MAXIGP0", (*_MASTER_READ, *_MASTER_WRITE),
                          (*_SLAVE_READ, *_SLAVE_WRITE))
    for number, port in enumerate(HP_PORTS[:PORTS]):
        yield from _interface(f"hp{number}_read", f"SAXIHP{port}", _SLAVE_READ, _MASTER_READ)
    yield from _interface("hp0_write", f"SAXIHP{HP_PORTS[0]}", _SLAVE_WRITE, _MASTER_WRITE)


def _interface(name: str, prefix: str, inputs: Tuple[str, ...],
               outputs: Tuple[str, ...]) -> Iterator[Joint]:
    for is_input, pins in ((True, inputs), (False, outputs)):
        for pin in pins:
            yield Joint(f"{name}__{pin.lower()}", prefix + pin, is_input)


def ports(pins: Mapping[str, Sequence[Net]]) -> List[Port]:
    """The harness's ports on the nets of the PS7's `pins`; those without nets are left out."""
    return [Port(joint.port, joint.is_input,
                 tuple(pins[joint.pin][:1] if joint.pin == RESET else pins[joint.pin]))
            for joint in joints() if joint.pin in pins]
