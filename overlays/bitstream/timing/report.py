"""What the analysis found: for report.json, and to read."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Optional

_NAMED = 20


@dataclass
class Segment:
    """A part of a path."""

    kind: str
    """``clock to output``, ``net`` or ``cell``."""
    source: str
    sink: str
    delay_ns: float


@dataclass
class Endpoint:
    """The worst path that ends at an input."""

    startpoint: str
    """The clock pin that starts it."""
    endpoint: str
    corner: str
    slack_ns: float
    requirement_ns: float
    """The input's set-up or hold time."""
    skew_ns: float
    """How much later the clock comes to the end than to the start."""
    segments: List[Segment]

    @property
    def delay_ns(self) -> float:
        return sum(segment.delay_ns for segment in self.segments)

    def to_dict(self) -> Dict[str, Any]:
        return {**_rounded(asdict(self)), "delay_ns": round(self.delay_ns, 3)}


@dataclass
class Report:
    """A design's timing at one clock."""

    clock_mhz: float
    uncertainty_ns: float = 0.0
    endpoints: int = 0
    """Inputs that were judged."""
    setup_slacks: List[float] = field(default_factory=list)
    hold_slacks: List[float] = field(default_factory=list)
    """Of every endpoint, the worst first."""
    setup_paths: List[Endpoint] = field(default_factory=list)
    hold_paths: List[Endpoint] = field(default_factory=list)
    constant: int = 0
    """Clocked inputs that nothing clocked leads to: constants."""
    unconstrained: List[str] = field(default_factory=list)
    """Clocked inputs that only untimed outputs lead to."""
    partly_untimed: List[str] = field(default_factory=list)
    """Judged, but an untimed output leads to them as well."""
    untimed: Dict[str, List[str]] = field(default_factory=dict)
    """Pins with a net and without timing, by kind of cell."""
    notes: List[str] = field(default_factory=list)

    @property
    def setup_slack_ns(self) -> Optional[float]:
        return self.setup_slacks[0] if self.setup_slacks else None

    @property
    def hold_slack_ns(self) -> Optional[float]:
        return self.hold_slacks[0] if self.hold_slacks else None

    @property
    def fmax_mhz(self) -> Optional[float]:
        """The fastest clock at which every set-up is met."""
        if self.setup_slack_ns is None:
            return None
        return 1000.0 / (1000.0 / self.clock_mhz - self.setup_slack_ns)

    @property
    def met(self) -> bool:
        """Whether something was judged, and every set-up and hold of it is met."""
        return bool(self.setup_slacks) and self.setup_slacks[0] >= 0 and self.hold_slacks[0] >= 0

    def to_dict(self) -> Dict[str, Any]:
        """For report.json; pins without timing are counted, and the first few named."""
        return _rounded({
            "clock_mhz": self.clock_mhz, "uncertainty_ns": self.uncertainty_ns, "met": self.met,
            "fmax_mhz": self.fmax_mhz, "endpoints": self.endpoints,
            "setup": {"slack_ns": self.setup_slack_ns, "violated": _violated(self.setup_slacks),
                      "endpoints_by_slack_ns": histogram(self.setup_slacks),
                      "paths": [path.to_dict() for path in self.setup_paths]},
            "hold": {"slack_ns": self.hold_slack_ns, "violated": _violated(self.hold_slacks),
                     "endpoints_by_slack_ns": histogram(self.hold_slacks, 0.1),
                     "paths": [path.to_dict() for path in self.hold_paths]},
            "constant": self.constant,
            "unconstrained": _counted(self.unconstrained),
            "partly_untimed": _counted(self.partly_untimed),
            "untimed": {kind: _counted(pins) for kind, pins in self.untimed.items()},
            "notes": self.notes,
        })

    def text(self) -> str:
        lines = [f"clock {self.clock_mhz:g} MHz, {self.endpoints} endpoints: "
                 + ("met" if self.met else "NOT met")]
        if self.setup_slacks:
            lines += [f"set-up: worst slack {self.setup_slack_ns:.3f} ns "
                      f"({self.fmax_mhz:.1f} MHz), {_violated(self.setup_slacks)} violated",
                      f"hold: worst slack {self.hold_slack_ns:.3f} ns, "
                      f"{_violated(self.hold_slacks)} violated",
                      "endpoints by set-up slack, ns: " + _bins(histogram(self.setup_slacks)),
                      "endpoints by hold slack, ns: " + _bins(histogram(self.hold_slacks, 0.1))]
        lines.append(f"not judged: {self.constant} constant, {len(self.unconstrained)} fed by "
                     f"untimed cells alone; judged in part: {len(self.partly_untimed)}")
        lines += [f"untimed pins of {kind}: {len(pins)} ({', '.join(pins[:3])} ...)"
                  for kind, pins in self.untimed.items()]
        lines += [f"note: {note}" for note in self.notes]
        for title, paths in (("set-up", self.setup_paths), ("hold", self.hold_paths)):
            for path in paths:
                lines.append(f"\n{title}, slack {path.slack_ns:.3f} ns ({path.corner} corner): "
                             f"{path.startpoint} to {path.endpoint}")
                lines += [f"  {part.delay_ns:7.3f}  {part.kind:15}  {part.sink}"
                          for part in path.segments]
                lines.append(f"  {path.delay_ns:7.3f}  in all; {title} {path.requirement_ns:.3f}, "
                             f"skew {path.skew_ns:.3f}")
        return "\n".join(lines) + "\n"


def histogram(slacks: List[float], width: float = 1.0) -> Dict[str, int]:
    """How many slacks begin in each bin, by the bin's lower end."""
    counts: Dict[int, int] = {}
    for slack in slacks:
        place = math.floor(slack / width)
        counts[place] = counts.get(place, 0) + 1
    return {f"{place * width:g}": count for place, count in sorted(counts.items())}


def _bins(counts: Dict[str, int]) -> str:
    return ", ".join(f"from {place}: {count}" for place, count in counts.items())


def _violated(slacks: List[float]) -> int:
    return sum(slack < 0 for slack in slacks)


def _counted(pins: List[str]) -> Dict[str, Any]:
    return {"count": len(pins), "first": pins[:_NAMED]}


def _rounded(value: Any) -> Any:
    """To the picosecond, which is what the database has."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return value
