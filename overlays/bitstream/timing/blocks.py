"""Delays and checks of block RAM and of the processing system, from prjxray-db.

``timings/BRAM_L.sdf`` names the pins of half a block RAM (the upper one throughout, the lower one
only in places: both are taken to be alike) and sorts them by how it is set up;
``timings/PSS2.sdf`` has the PS7's, one figure for a whole vector.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from overlays.bitstream.timing.delay import Delay, Requirement, TimingError, requirement
from overlays.bitstream.timing.sdf import SdfCell, read_sdf


class BlockPin(NamedTuple):
    """What a pin of a clocked block is timed by."""

    clock: str
    """The clock's pin, without the half that it belongs to."""
    output: Optional[Delay]
    """From the clock to this output."""
    requirement: Optional[Requirement]
    """What this input wants of the clock."""


# nextpnr's pin, without its half and number -> the database's pin, and the port it belongs to
_RAM_INPUTS = {
    "ADDRARDADDR": ("ADDRAU", "A"), "ADDRBWRADDR": ("ADDRBU", "B"),
    "WEA": ("WEAU", "A"), "WEBWE": ("WEBU", "B"),
    "DIADI": ("DIADIU", "A"), "DIPADIP": ("DIPADIPU", "A"),
    "DIBDI": ("DIBDIU", "B"), "DIPBDIP": ("DIPBDIPU", "B"),
    "ENARDEN": ("ENARDENU", "A"), "ENBWREN": ("ENBWRENU", "B"),
    "RSTRAMARSTRAM": ("RSTRAMAU", "A"), "RSTRAMB": ("RSTRAMBU", "B"),
    "REGCEAREGCE": ("REGCEAL", "A"), "REGCEB": ("REGCEBU", "B"),
    "RSTREGARSTREG": ("RSTREGAU", "A"), "RSTREGB": ("RSTREGBU", "B"),
}
_RAM_OUTPUTS = {"DOADO": ("DOADOU", "A"), "DOPADOP": ("DOPADOPU", "A"),
                "DOBDO": ("DOBDOU", "B"), "DOPBDOP": ("DOPBDOPU", "B")}
_CLOCKS = {"A": "CLKARDCLK", "B": "CLKBWRCLK"}
_MODES = {"READ_FIRST": "RF", "WRITE_FIRST": "WF", "NO_CHANGE": "NC"}
_RAM_PIN = re.compile(r"([A-Z]+?)([LU]?)(\d*)")


class RamTiming:
    """Block RAM, without the functions of a FIFO."""

    def __init__(self, cells: List[SdfCell]) -> None:
        self._cells = cells

    def pin(self, port: str, parameters: Mapping[str, str]) -> Optional[BlockPin]:
        """What `port` of a RAMB36E1 or RAMB18E1 is timed by; None if it isn't timed."""
        name = _base(port)
        simple = parameters.get("RAM_MODE") == "SDP"
        if name in _RAM_OUTPUTS:
            pin, side = _RAM_OUTPUTS[name]
            registered = parameters.get(f"DO{side}_REG", "0")[-1:]
            delay = self._output(pin, f"RAMB18TDP_U_DO{side}_REG_U_{registered}_")
            # a simple dual port reads through port A alone
            return BlockPin(_CLOCKS["A" if simple else side], delay, None)
        if name in _RAM_INPUTS:
            pin, side = _RAM_INPUTS[name]
            setting = ""
            if name.startswith("DI"):
                mode = parameters.get(f"WRITE_MODE_{side}", "WRITE_FIRST")
                if mode not in _MODES:
                    raise TimingError(f"WRITE_MODE_{side} {mode} is not known")
                setting = f"RAMB18TDP_U_WRITE_MODE_U_{_MODES[mode]}_"
                side = "B" if simple else side
            elif name.startswith("EN"):
                setting = "ISFIFO_FALSE"
            return BlockPin(_CLOCKS[side], None, self._input(pin, setting))
        return None

    def _output(self, pin: str, setting: str) -> Delay:
        for cell in self._cells:
            for (_, sink), delay in cell.paths.items():
                if sink == pin and setting in cell.kind:
                    return delay
        raise TimingError(f"no delay to {pin} of a block RAM, {setting}, in the database")

    def _input(self, pin: str, setting: str) -> Requirement:
        wanted: Dict[str, List[float]] = {"SETUP": [], "HOLD": []}
        for cell in self._cells:
            if setting in cell.kind:
                for (check, at, _), values in cell.checks.items():
                    if at == pin and check in wanted:
                        wanted[check].append(max(values))
        if not wanted["SETUP"] or not wanted["HOLD"]:
            raise TimingError(f"no set-up of {pin} of a block RAM, {setting}, in the database")
        return requirement(max(wanted["SETUP"]), max(wanted["HOLD"]))


def _base(port: str) -> str:
    match = _RAM_PIN.fullmatch(port)
    if match is None:
        return port
    name = match.group(1) + match.group(2)
    known = (*_RAM_INPUTS, *_RAM_OUTPUTS)
    return name if name in known else match.group(1)


class SystemTiming:
    """The processing system's ports; those without a clock in the database aren't timed."""

    def __init__(self, cells: List[SdfCell]) -> None:
        self._pins: Dict[str, BlockPin] = {}
        checks: Dict[Tuple[str, str], Dict[str, float]] = {}
        for cell in cells:
            for (clock, pin), delay in cell.paths.items():
                self._pins[pin] = BlockPin(clock, delay, None)
            for (check, pin, clock), values in cell.checks.items():
                checks.setdefault((pin, clock), {})[check] = max(values)
        for (pin, clock), found in checks.items():
            if "SETUP" in found:
                self._pins[pin] = BlockPin(
                    clock, None, requirement(found["SETUP"], found.get("HOLD", 0.0)))

    def pin(self, port: str) -> Optional[BlockPin]:
        """What `port` is timed by, for one of a vector's bits as well."""
        return self._pins.get(port) or self._pins.get(port.rstrip("0123456789"))


def read_blocks(database: Path) -> Tuple[RamTiming, SystemTiming]:
    """Both, from the folder of a family in prjxray-db."""
    timings = database / "timings"
    return RamTiming(read_sdf(timings / "BRAM_L.sdf")), SystemTiming(read_sdf(timings / "PSS2.sdf"))
