"""What a figure was measured on: every report carries it."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import numpy as np

from pynq_bnn import __version__

if TYPE_CHECKING:
    from pynq_bnn.classifier import Classifier


@dataclass(frozen=True)
class Provenance:
    """Device, clock, gateware, network, and the Python around them.

    Attributes
    ----------
    device : {"model", "cpu", "rtl", "board"}
    clock_mhz : float, optional
        As in :class:`~pynq_bnn.timing.Timing`.
    build, parameters : str
        Hash of the gateware's source; checksum of the parameter file.
    cpu : str
        The processor that Python runs on.
    """

    device: str
    clock_mhz: Optional[float]
    build: str
    network: str
    parameters: str
    cpu: str
    python: str
    numpy: str
    pynq_bnn: str

    @classmethod
    def of(cls, classifier: Classifier) -> Provenance:
        """Of what this classifier runs on."""
        info = classifier.info()
        return cls(info["device"]["device"], info["clock_mhz"], info["build"],
                   info["network"]["name"], info["network"]["checksum"], _cpu(),
                   platform.python_version(), np.__version__, __version__)

    def __str__(self) -> str:
        clock = f" at {self.clock_mhz:g} MHz" if self.clock_mhz else ""
        build = {"model": "none, a model", "cpu": "none, the processor"}.get(
            self.device, self.build)
        return (f"device {self.device}{clock}, gateware {build}, network {self.network} "
                f"{self.parameters[:16]}\nPython {self.python}, numpy {self.numpy}, pynq_bnn "
                f"{self.pynq_bnn} on {self.cpu}")


def _cpu() -> str:
    """The processor's name as Linux has it, else what Python knows."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip().lower() in ("model name", "hardware") and value.strip():
                    return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
