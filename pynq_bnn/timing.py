"""What a classification took, and what each of these numbers is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional

MODEL, RTL, BOARD = "model", "rtl", "board"
"""The three devices: a model in Python, the gateware in simulation, the gateware on a board."""

_WALL_CLOCK = {
    MODEL: "wall clock in Python on the model device, which says nothing about the board's speed",
    RTL: "wall clock in Python of the RTL simulation, which says nothing about the board's speed",
    BOARD: "wall clock in Python on the board's CPU",
}


@dataclass(frozen=True, repr=False)
class Timing:
    """The times of one run of the device, which is one batch of pictures.

    Nothing is estimated here: what was not measured is None.

    Parameters
    ----------
    device : {"model", "rtl", "board"}
    batch : int
        Pictures that went through the device together; every time is for all of them.
    prepare_s, copy_s, run_s, read_s, total_s : float, optional
        Wall clock in Python, in seconds: pictures to words; words into the device's memory; start
        register written to done seen; sums to scores; all of it.
    cycles : int, optional
        Gateware cycles of the run with its DMA, as the device counted them.
    clock_mhz : float, optional
        The board's running clock; in the RTL simulation the clock that the figure assumes.
    build : str, optional
        Hash of the gateware's source.
    parameters : str, optional
        Checksum of the parameter file.
    """

    device: str
    batch: int
    prepare_s: Optional[float] = None
    copy_s: Optional[float] = None
    run_s: Optional[float] = None
    read_s: Optional[float] = None
    total_s: Optional[float] = None
    cycles: Optional[int] = None
    clock_mhz: Optional[float] = None
    build: Optional[str] = None
    parameters: Optional[str] = None

    def __post_init__(self) -> None:
        if self.device not in _WALL_CLOCK:
            raise ValueError(f"device {self.device!r} is none of {', '.join(_WALL_CLOCK)}")
        if self.batch < 1:
            raise ValueError(f"a batch of {self.batch}: at least 1 picture")

    @property
    def device_ms(self) -> Optional[float]:
        """Device time with DMA for the batch, cycles / clock, in ms; on "rtl" it is predicted."""
        if self.cycles is None or not self.clock_mhz:
            return None
        return self.cycles / (self.clock_mhz * 1e3)

    def to_dict(self) -> Dict[str, Any]:
        """All of it for JSON."""
        return {**asdict(self), "device_ms": self.device_ms}

    def describe(self) -> str:
        """Every number with what it is and where it comes from, in a few lines for a person."""
        noun = "picture" if self.batch == 1 else "pictures"
        lines = [f"a batch of {self.batch} {noun} on device {self.device}",
                 f"  {_WALL_CLOCK[self.device]}:"]
        for label, seconds, meaning in (
                ("prepare", self.prepare_s, "pictures to words"),
                ("copy", self.copy_s, "words into the device's memory"),
                ("run", self.run_s, "start register to seen done"),
                ("read", self.read_s, "sums to scores"),
                ("total", self.total_s, "all of it")):
            lines.append(f"    {label:8}{_ms(seconds):>14}  {meaning}")
        lines.append("  on the device:")
        lines.append(f"    {'run':8}{_value_ms(self.device_ms):>14}  {self._device_meaning()}")
        build = "none, a model" if self.device == MODEL else self.build or "unknown"
        lines.append(f"  gateware {build}; parameters {self.parameters or 'unknown'}")
        return "\n".join(lines)

    def _device_meaning(self) -> str:
        """What stands behind :attr:`device_ms`."""
        if self.cycles is None:
            return "this device counts no cycles"
        if not self.clock_mhz:
            return f"{self.cycles:,} cycles, clock unknown"
        source = "predicted from simulated" if self.device == RTL else "counted by the device:"
        each = f", {_value_ms(self.device_ms / self.batch)} a picture" if self.batch > 1 else ""
        return f"{source} {self.cycles:,} cycles at {self.clock_mhz:g} MHz, with DMA{each}"

    def __str__(self) -> str:
        parts = [f"{_ms(self.total_s)} wall clock in Python"]
        if self.device_ms is not None:
            predicted = "predicted " if self.device == RTL else ""
            parts.insert(0, f"{predicted}device time {_value_ms(self.device_ms)} at "
                            f"{self.clock_mhz:g} MHz")
        return f"{self.device}, batch of {self.batch}: {', '.join(parts)}"

    def __repr__(self) -> str:
        return f"<Timing {self}>"


def _ms(seconds: Optional[float]) -> str:
    return _value_ms(None if seconds is None else seconds * 1e3)


def _value_ms(milliseconds: Optional[float]) -> str:
    return "not measured" if milliseconds is None else f"{milliseconds:,.3f} ms"
