"""The shipped gateware's cycles as its simulation counted them: predictions, where no board is.

``overlays/cycles.json`` is made by ``python benchmarks/gateware.py --json overlays/cycles.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Tuple

import overlays
from pynq_bnn.driver.stage_log import StageCycles
from pynq_bnn.profile import Profile

CYCLES = Path(overlays.__file__).parent / "cycles.json"


def simulated() -> Tuple[Profile, ...]:
    """The shipped network on the shipped gateware: one picture, and a full batch.

    Returns
    -------
    tuple of Profile
        Of device "rtl", with the gateware's build and the parameters' checksum; no clock.
    """
    document = json.loads(CYCLES.read_text(encoding="utf-8"))
    return tuple(
        Profile(**{**profile, "stages": tuple(StageCycles(**stage) for stage in profile["stages"])})
        for profile in document["profiles"])
