"""Who answers at the accelerator's address, and what it can do: read before anything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from host_ref import network as net
from pynq_bnn import registers
from pynq_bnn.driver import packing
from pynq_bnn.errors import IdentificationError, NetworkError


@dataclass(frozen=True)
class Capabilities:
    """The capability registers, decoded; see docs/registers.md for each."""

    version: str
    build: int
    lanes: int
    ports: int
    counters: bool
    side: int
    classes: int
    channels: int
    fc_inputs: int
    batch: int
    fmap_rows: int
    program_steps: int
    log_entries: int

    @property
    def chains(self) -> bool:
        """Whether convolutions take FMAP_C and FMAP_D, as from interface 4.1 on."""
        return self.version != "4.0"

    def largest_batch(self, network: net.Network) -> int:
        """Most images of `network` in a run: all their maps lie in one buffer."""
        rows = max(packing.fmap_rows(layer) for layer in network.layers)
        return min(self.batch, self.fmap_rows // rows)

    def refuse_unfit(self, network: net.Network, steps: int) -> None:
        """Raise NetworkError if `network`, or its program of `steps`, is too large for this device.

        The message names the layer and the limit.
        """
        for layer in network.layers:
            for what, size, limit in (
                    ("pixels a side", max(layer.in_height, layer.in_width), self.side),
                    ("channels", layer.out_channels if layer.is_conv else 0, self.channels),
                    ("inputs", 0 if layer.is_conv else layer.in_channels, self.fc_inputs),
                    ("outputs", layer.out_channels, self.fc_inputs),
                    ("classes", layer.out_channels if layer.kind == net.LAST else 0, self.classes),
                    ("rows of 512 bits in its map", packing.fmap_rows(layer), self.fmap_rows)):
                if size > limit:
                    raise NetworkError(f"layer {layer.name!r}: {size} {what}, but this device "
                                       f"(build {self.build:08x}) takes at most {limit}")
        if steps > self.program_steps:
            raise NetworkError(f"{len(network.layers)} layers make a program of {steps} steps, but "
                               f"this device (build {self.build:08x}) takes at most "
                               f"{self.program_steps}")


def identify(mmio: Any) -> Capabilities:
    """Read magic, version and capabilities through PYNQ's ``mmio``.

    Raises
    ------
    IdentificationError
        If the magic is not ours, or the interface's major version another than this driver's; it
        names both.  An older minor one lacks something: the driver does without.
    """

    def read(name: str) -> int:
        return int(mmio.read(registers.offset(name)))

    magic = read("MAGIC")
    if magic != registers.MAGIC:
        raise IdentificationError(
            f"no accelerator here: register MAGIC reads 0x{magic:08X}, not "
            f"0x{registers.MAGIC:08X}; is another design loaded? Download ours again")
    version = registers.decode("VERSION", read("VERSION"))
    major, minor = version["MAJOR"], version["MINOR"]
    if major != registers.VERSION_MAJOR:
        raise IdentificationError(
            f"the device speaks interface version {major}.{minor}, this driver "
            f"{registers.VERSION_MAJOR}.{registers.VERSION_MINOR}: use the bitstream that came "
            "with this package, or the package that came with the bitstream")
    compute = registers.decode("CAP_COMPUTE", read("CAP_COMPUTE"))
    limits = registers.decode("CAP_LIMITS", read("CAP_LIMITS"))
    fc = registers.decode("CAP_FC", read("CAP_FC"))
    sequencer = registers.decode("CAP_PROGRAM", read("CAP_PROGRAM"))
    return Capabilities(
        version=f"{major}.{minor}", build=read("BUILD"), lanes=compute["LANES"],
        ports=compute["PORTS"], counters=bool(compute["COUNTERS"]), side=limits["SIDE"],
        classes=limits["CLASSES"], channels=limits["CHANNELS"], fc_inputs=fc["INPUTS"],
        batch=fc["BATCH"], fmap_rows=read("CAP_FMAP_ROWS"), program_steps=sequencer["STEPS"],
        log_entries=sequencer["LOG"])
