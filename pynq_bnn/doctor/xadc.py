"""The chip's own monitor, as Linux shows it: temperature and supply voltages, never watts.

Limits as in DS187, recommended operating conditions of a commercial Zynq-7000.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Tuple

IIO = Path("/sys/bus/iio/devices")
HOTTEST_C = 85.0
VOLTS: Dict[str, Tuple[float, float]] = {
    "vccint": (0.95, 1.05), "vccbram": (0.95, 1.05), "vccaux": (1.71, 1.89),
    "vccpint": (0.95, 1.05), "vccpaux": (1.71, 1.89), "vccoddr": (1.14, 1.89),
}


def read(root: Path = IIO) -> Dict[str, float]:
    """The temperature in °C, as "temperature", and each supply in V; empty where there is no XADC.

    Raises
    ------
    OSError, ValueError
        If it is there and can't be read.
    """
    for device in sorted(root.glob("iio:device*")):
        if _text(device / "name") == "xadc":
            break
    else:
        return {}
    offset, scale = (float(_text(device / f"in_temp0_{what}")) for what in ("offset", "scale"))
    found = {"temperature": (int(_text(device / "in_temp0_raw")) + offset) * scale / 1e3}
    for path in sorted(device.glob("in_voltage*_vcc*_raw")):
        name = path.name.split("_")[-2]
        scale = float(_text(path.with_name(path.name.replace("_raw", "_scale"))))
        found[name] = int(_text(path)) * scale / 1e3
    return found


def outside(found: Dict[str, float]) -> Dict[str, str]:
    """Of what :func:`read` gave, what is beyond its limits, and which those are."""
    beyond: Dict[str, str] = {}
    if found.get("temperature", 0.0) > HOTTEST_C:
        beyond["temperature"] = f"{HOTTEST_C:g} °C at most"
    for name, (least, most) in VOLTS.items():
        if name in found and not least <= found[name] <= most:
            beyond[name] = f"{least:g} to {most:g} V"
    return beyond


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()
