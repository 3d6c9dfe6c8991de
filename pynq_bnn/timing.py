"""What a classification took, and what each of these numbers is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional, Tuple

MODEL, CPU, RTL, BOARD = "model", "cpu", "rtl", "board"
"""The devices: a model in Python, this computer's processor, the gateware in simulation and on a
board."""

_WALL_CLOCK = {
    MODEL: "wall clock in Python on the model device, which says nothing about the board's speed",
    CPU: "wall clock in Python on this computer's processor",
    RTL: "wall clock in Python of the RTL simulation, which says nothing about the board's speed",
    BOARD: "wall clock in Python on the board's CPU",
}
_PARTS = ("prepare_s", "copy_s", "run_s", "read_s")


def parts(device: str) -> Tuple[Tuple[str, str], ...]:
    """The parts of a call's wall clock and what each means on this device."""
    copy, run = ("pictures to words in the device's memory", "start register to seen done")
    if device == CPU:  # no registers, no memory of its own
        copy, run = "nothing, they stay where they are", "start to done: all layers"
    return (("prepare", "decoding and scaling"), ("copy", copy), ("run", run),
            ("read", "sums to scores"), ("other", "Python between these"),
            ("total", "the whole call"))


@dataclass(frozen=True, repr=False)
class Timing:
    """The times of one call, for all of its pictures together.

    Nothing is estimated here: what was not measured is None.

    Parameters
    ----------
    device : {"model", "cpu", "rtl", "board"}
    batch : int
        Most pictures that went through the device together.
    prepare_s, copy_s, run_s, read_s : float, optional
        Wall clock in Python, in seconds: decoding and scaling; pictures to words in the device's
        memory; start register written to done seen, without what was prepared meanwhile; sums to
        scores.
    total_s : float, optional
        Wall clock of the whole call, from its first line to its last: what the four parts leave is
        :attr:`other_s`.
    cycles : int, optional
        Gateware cycles of the runs with their DMA, as the device counted them.
    clock_mhz : float, optional
        The board's running clock; in the RTL simulation the clock that the figure assumes.
    build : str, optional
        Hash of the gateware's source.
    parameters : str, optional
        Checksum of the parameter file.
    pictures : int, optional
        How many in all; one batch without.
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
    pictures: Optional[int] = None

    def __post_init__(self) -> None:
        if self.device not in _WALL_CLOCK:
            raise ValueError(f"device {self.device!r} is not one of {', '.join(_WALL_CLOCK)}")
        if self.batch < 1:
            raise ValueError(f"a batch of {self.batch}: at least 1 picture")

    @property
    def count(self) -> int:
        """How many pictures."""
        return self.batch if self.pictures is None else self.pictures

    @property
    def other_s(self) -> Optional[float]:
        """What is in `total_s` and in none of its parts: Python between them."""
        parts = [getattr(self, name) for name in _PARTS]
        if self.total_s is None or None in parts:
            return None
        return self.total_s - sum(parts)

    @property
    def images_per_s(self) -> Optional[float]:
        """Pictures a second of wall clock."""
        return self.count / self.total_s if self.total_s else None

    @property
    def device_ms(self) -> Optional[float]:
        """Device time with DMA for all pictures, cycles / clock, in ms; "rtl": predicted."""
        if self.cycles is None or not self.clock_mhz:
            return None
        return self.cycles / (self.clock_mhz * 1e3)

    def to_dict(self) -> Dict[str, Any]:
        """All of it for JSON."""
        return {**asdict(self), "pictures": self.count, "other_s": self.other_s,
                "images_per_s": self.images_per_s, "device_ms": self.device_ms}

    @property
    def _what(self) -> str:
        noun = "picture" if self.count == 1 else "pictures"
        if self.count == self.batch:
            return f"a batch of {self.batch} {noun}"
        return f"{self.count} {noun} in batches of {self.batch}"

    def describe(self) -> str:
        """Every number with what it is and where it comes from, in a few lines for a person."""
        lines = [f"{self._what} on device {self.device}", f"  {_WALL_CLOCK[self.device]}:"]
        for label, meaning in parts(self.device):
            lines.append(f"    {label:8}{_ms(getattr(self, f'{label}_s')):>14}  {meaning}")
        if self.count > 1 and self.images_per_s:
            lines.append(f"    {'rate':8}{self.images_per_s:>12,.1f}/s  pictures")
        lines.append("  on the device:")
        lines.append(f"    {'run':8}{_value_ms(self.device_ms):>14}  {self._device_meaning()}")
        build = {MODEL: "none, a model", CPU: "none, the processor"}.get(
            self.device, self.build or "unknown")
        lines.append(f"  gateware {build}; parameters {self.parameters or 'unknown'}")
        return "\n".join(lines)

    def _device_meaning(self) -> str:
        """What stands behind :attr:`device_ms`."""
        if self.cycles is None:
            return "this device counts no cycles"
        if self.device_ms is None:
            return f"{self.cycles:,} cycles, clock unknown"
        source = "predicted from simulated" if self.device == RTL else "counted by the device:"
        each = f", {_value_ms(self.device_ms / self.count)} a picture" if self.count > 1 else ""
        return f"{source} {self.cycles:,} cycles at {self.clock_mhz:g} MHz, with DMA{each}"

    def __str__(self) -> str:
        parts = [f"{_ms(self.total_s)} wall clock in Python"]
        if self.device_ms is not None:
            predicted = "predicted " if self.device == RTL else ""
            parts.insert(0, f"{predicted}device time {_value_ms(self.device_ms)} at "
                            f"{self.clock_mhz:g} MHz")
        return f"{self.device}, {self._what}: {', '.join(parts)}"

    def __repr__(self) -> str:
        return f"<Timing {self}>"


def _ms(seconds: Optional[float]) -> str:
    return _value_ms(None if seconds is None else seconds * 1e3)


def _value_ms(milliseconds: Optional[float]) -> str:
    return "not measured" if milliseconds is None else f"{milliseconds:,.3f} ms"
