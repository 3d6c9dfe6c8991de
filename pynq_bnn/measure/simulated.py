"""The shipped gateware's cycles as its simulation counted them: predictions, where no board is.

``overlays/cycles.json`` is made by ``python benchmarks/gateware.py --json overlays/cycles.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Optional, Tuple

import overlays
from pynq_bnn.driver.stage_log import StageCycles
from pynq_bnn.profile import Profile

CYCLES = Path(overlays.__file__).parent / "cycles.json"
REPORT = Path(overlays.__file__).parent / "Pynq-Z1" / "report.json"
"""Of the bitstream; every board's has the same clock."""


def simulated(network: str = "cifar10") -> Tuple[Profile, ...]:
    """A shipped network on the shipped gateware: one picture, and a full batch.

    Parameters
    ----------
    network : str
        A name of :func:`pynq_bnn.available`.

    Returns
    -------
    tuple of Profile
        Of device "rtl", with the gateware's build and the parameters' checksum; no clock.  Empty
        if the package has none of that name.
    """
    document = json.loads(CYCLES.read_text(encoding="utf-8"))
    return tuple(
        Profile(**{**profile, "stages": tuple(StageCycles(**stage) for stage in profile["stages"])})
        for profile in document["networks"].get(network, ()))


def stream_cycles(network: str = "cifar10") -> Optional[float]:
    """Cycles a picture in a long stream of the longest runs, whose batches are computed beside one
    another; None if the package has no such network.
    """
    document = json.loads(CYCLES.read_text(encoding="utf-8"))
    run = document["streams"].get(network)
    return None if run is None else run["cycles"] / run["pictures"]


def shipped_config() -> Dict[str, int]:
    """How the shipped gateware was built, by the names of ``overlays/gateware/config.py``."""
    config: Dict[str, int] = json.loads(CYCLES.read_text(encoding="utf-8"))["config"]
    return config


def shipped_clock_mhz() -> float:
    """The clock that the shipped overlay sets."""
    return float(json.loads(REPORT.read_text(encoding="utf-8"))["timing"]["clock_mhz"])
