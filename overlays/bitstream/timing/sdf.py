"""Standard Delay Format, as far as prjxray-db uses it.

Two brackets of numbers for a delay: (fast corner)(slow corner), each ``least::greatest``.  Timing
checks have one bracket, ``least::greatest`` of the slow corner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from overlays.bitstream.timing.delay import Delay, TimingError

Pair = Tuple[str, str]


@dataclass
class SdfCell:
    """One CELL: delays from pin to pin, checks by (kind, pin, clock), wires from pin to pin."""

    kind: str
    instance: str
    paths: Dict[Pair, Delay] = field(default_factory=dict)
    checks: Dict[Tuple[str, str, str], Tuple[float, ...]] = field(default_factory=dict)
    wires: Dict[Pair, Delay] = field(default_factory=dict)


_TOKEN = re.compile(r'\(|\)|"[^"]*"|[^\s()"]+')
_ESCAPE = re.compile(r"\\(.)")
_SCALES = {"1ps": 1e-3, "1ns": 1.0}


def read_sdf(path: Path) -> List[SdfCell]:
    """All cells of an SDF file, in nanoseconds."""
    try:
        text = path.read_text()
    except OSError as error:
        raise TimingError(f"{path}: {error.strerror}") from error
    return parse_sdf(text, str(path))


def parse_sdf(text: str, name: str = "SDF") -> List[SdfCell]:
    """All cells of an SDF text; `name` is for messages."""
    tokens = (match.group(0) for match in _TOKEN.finditer(text))
    if next(tokens, "") != "(":
        raise TimingError(f"{name}: not an SDF file")
    tree = _expression(tokens, name)
    if not tree or tree[0] != "DELAYFILE":
        raise TimingError(f"{name}: not an SDF file")
    scale = 1.0
    cells = []
    for entry in tree[1:]:
        if entry[0] == "TIMESCALE":
            if entry[1] not in _SCALES:
                raise TimingError(f"{name}: a TIMESCALE of {entry[1]} is not known")
            scale = _SCALES[entry[1]]
        elif entry[0] == "CELL":
            cells.append(_cell(entry, scale))
    return cells


def _expression(tokens: Iterator[str], name: str) -> List[Any]:
    """What stands between this bracket and its partner, as nested lists."""
    stack: List[List[Any]] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            if not stack:
                return done
            stack[-1].append(done)
        else:
            stack[-1].append(_ESCAPE.sub(r"\1", token.strip('"')))
    raise TimingError(f"{name}: ends inside a bracket")


def _cell(entry: List[Any], scale: float) -> SdfCell:
    cell = SdfCell("", "")
    for part in entry[1:]:
        if part[0] == "CELLTYPE":
            cell.kind = part[1]
        elif part[0] == "INSTANCE":
            cell.instance = part[1] if len(part) > 1 else ""
        elif part[0] == "DELAY":
            for statement in part[1][1:]:
                if statement[0] == "IOPATH":
                    cell.paths[statement[1], statement[2]] = _delay(statement[3:], scale)
                elif statement[0] == "INTERCONNECT":
                    cell.wires[statement[1], statement[2]] = _delay(statement[3:], scale)
        elif part[0] == "TIMINGCHECK":
            for kind, pin, clock, *values in part[1:]:
                key = (kind, _pin(pin), _pin(clock))
                cell.checks[key] = tuple(v for value in values for v in _range(value[0], scale))
    return cell


def _pin(expression: Any) -> str:
    """The pin in ``(posedge CLK)``; a bare pin is itself."""
    return expression if isinstance(expression, str) else expression[-1]


def _delay(brackets: List[List[str]], scale: float) -> Delay:
    fast = _range(brackets[0][0], scale)
    slow = _range(brackets[-1][0], scale)
    return Delay(fast[0], fast[1], slow[0], slow[1])


def _range(triple: str, scale: float) -> Tuple[float, float]:
    """Least and greatest; prjxray-db has a few of them the wrong way round."""
    numbers = [float(part) * scale for part in triple.split(":") if part]
    return min(numbers), max(numbers)
