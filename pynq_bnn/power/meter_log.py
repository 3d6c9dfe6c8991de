"""What a meter on another machine logged: columns of time, volts, amperes or watts.

Read as they come: the output of FNIRSI's USB meters through fnirsi-usb-power-data-logger,
Joulescope's CSV files, and what bench supplies and multimeters export: any separator, decimal
point or comma, units in the column's name, seconds, milliseconds, dates or times of day.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import numpy as np

from pynq_bnn.power.errors import PowerError
from pynq_bnn.power.trace import Trace

MOST_BYTES = 64 << 20
"""A board has 512 MB; a Joulescope's full rate doesn't belong on it."""
SEPARATORS = (";", "\t", ",", None)
"""None: white space."""
PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "k": 1e3}
NAMES = {
    "s": r"time|timestamp|t|elapsed|elapsed time|relative time|x|sec|second|seconds|date time",
    "V": r"(?:ch\d |output |bus )?(?:voltage|volts?|u|v|vbus|vout)(?: measured| avg)?",
    "A": r"(?:ch\d |output |bus )?(?:current|amp(?:ere)?s?|i|a|iout)(?: measured| avg)?",
    "W": r"(?:ch\d |output |bus )?(?:power|watts?|p|w|pout)(?: measured| avg)?",
}
"""What a quantity is called, by its unit."""
_UNIT = re.compile(r"(?:^|[\s_/\[(])[\[(]?\s*([mµμuk]?)(sec|s|v|a|w)\s*[\])]?\s*$", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2}):(\d{2}(?:[.,]\d+)?)\s*([ap]m)?\s*Z?(?:[+-]\d\d:?\d\d)?$",
                    re.IGNORECASE)

Column = Tuple[int, float]


def read_log(path: Union[str, Path], supply_v: Optional[float] = None,
             shunt_ohm: Optional[float] = None) -> Trace:
    """Read a meter's log.

    Parameters
    ----------
    supply_v : float, optional
        For a log without volts: what the supply holds.
    shunt_ohm : float, optional
        The log's volts are across this resistor (ZedBoard's J21: 0.01, with supply_v=12).

    Returns
    -------
    Trace
        In s of the meter's clock, which may have begun anywhere.

    Raises
    ------
    PowerError
        Names the file, and the columns that were found or the line that can't be read.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PowerError(f"{path}: over {MOST_BYTES >> 20} MiB: let the meter average over "
                             "10 ms or more, which is enough")
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise PowerError(f"{path}: {error.strerror or error}") from error
    separator, names, rows = _table(path, lines)
    columns = _columns(path, names, len(rows[0]), "V" if shunt_ohm is not None else "A")
    seconds = _seconds(path, rows, columns["s"])
    watts = _watts(path, rows, columns, supply_v, shunt_ohm, separator)
    seconds, watts = _in_order(seconds, watts)
    return Trace(seconds, watts, f"the log {path.name}")


def _table(path: Path, lines: List[str]) -> Tuple[Optional[str], List[str], List[List[str]]]:
    """Separator, names (none if there is no header) and the rows of numbers."""
    lines = [line.strip().lstrip("#").strip() for line in lines]
    for separator in SEPARATORS:
        split = [[cell.strip().strip('"') for cell in line.split(separator)]
                 for line in lines if line]
        numeric = [row for row in split if len(row) > 1 and _is_number(row[-1])
                   and sum(map(_is_number, row)) * 2 >= len(row)]
        if len(numeric) < 2:
            continue
        width = len(numeric[len(numeric) // 2])
        rows = [row for row in numeric if len(row) == width]
        header = [row for row in split[:split.index(rows[0])] if len(row) == width]
        if width >= 2 and len(rows) >= 2:
            return separator, header[-1] if header else [], rows
    raise PowerError(f"{path}: no table of numbers in it: columns of time, volts and amperes, or "
                     "of time and watts, are wanted")


def _columns(path: Path, names: List[str], width: int, least: str) -> Dict[str, Column]:
    """For each unit, the column and what to multiply it by."""
    if not names:
        if width not in (2, 3):
            raise PowerError(f"{path}: {width} columns without names: put a line like "
                             "'time,voltage,current' above them")
        return dict(zip(("s", "V", "A") if width == 3 else ("s", "W"),
                        ((n, 1.0) for n in range(width))))
    found: Dict[str, Column] = {}
    for number, name in enumerate(names):
        unit = _UNIT.search(name)
        stem = (name[:unit.start()] if unit else name).replace("_", " ").strip(" :.-").lower()
        prefix = PREFIXES[unit.group(1).lower()] if unit else 1.0
        for kind, pattern in NAMES.items():
            said = unit is None or unit.group(2).lower()[0] == kind.lower()
            if kind not in found and said and (
                    re.fullmatch(pattern, stem) or (not stem and unit is not None)):
                found[kind] = number, prefix
                break
    if "s" not in found or not ("W" in found or least in found):
        raise PowerError(f"{path}: its columns are {', '.join(map(repr, names))}; one of time and "
                         "one of power, or of current and voltage, are wanted: name them so")
    return found


def _watts(path: Path, rows: List[List[str]], columns: Dict[str, Column],
           supply_v: Optional[float], shunt_ohm: Optional[float],
           separator: Optional[str]) -> np.ndarray:
    values = {kind: scale * _numbers(path, [row[number] for row in rows])
              for kind, (number, scale) in columns.items() if kind != "s"}
    if shunt_ohm is not None:
        if "V" not in values or supply_v is None:
            raise PowerError(f"{path}: with a shunt, a column of volts across it and supply_v= are "
                             "wanted")
        return np.asarray(values["V"] / shunt_ohm * supply_v)
    if "W" in values:
        return values["W"]
    if "V" in values:
        return values["V"] * values["A"]
    if supply_v is None:
        raise PowerError(f"{path}: it has amperes and no volts: say supply_v=, what the supply "
                         "holds")
    return values["A"] * supply_v


def _seconds(path: Path, rows: List[List[str]], column: Column) -> np.ndarray:
    """Numbers, dates or times of day, as seconds from anywhere."""
    number, scale = column
    texts = [row[number] for row in rows]
    clock = _CLOCK.search(texts[0])
    if clock is None:
        times = scale * _numbers(path, texts)
        # milliseconds since 1970, without saying so
        return times / 1e3 if times[0] > 1e11 else times
    times = np.array([_of_day(path, text) for text in texts])
    midnights = np.concatenate(([0], np.cumsum(np.diff(times) < -43_200)))
    return times + 86_400.0 * midnights


def _of_day(path: Path, text: str) -> float:
    found = _CLOCK.search(text)
    if found is None:
        raise PowerError(f"{path}: {text!r} is not a time as in the lines before")
    hours, minutes, seconds, half = found.groups()
    hour = int(hours) % 12 + 12 * (half.lower() == "pm") if half else int(hours)
    return 3600.0 * hour + 60.0 * int(minutes) + float(seconds.replace(",", "."))


def _in_order(seconds: np.ndarray, watts: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Increasing times.

    A logger that stamps packets as they arrive counts back a little between them, though its
    readings are evenly spaced: a line through the stamps has the times then.  Equal times, from a
    clock that is coarser than the readings, become one reading.
    """
    if len(seconds) > 2 and (np.diff(seconds) < 0).any():
        order = np.arange(len(seconds))
        slope, start = np.polyfit(order, seconds - seconds[0], 1)
        line = seconds[0] + start + slope * order
        if slope > 0 and np.abs(line - seconds).max() < max(1.0, 20 * slope):
            return line, watts
        order = np.argsort(seconds, kind="stable")
        seconds, watts = seconds[order], watts[order]
    kinds, which = np.unique(seconds, return_inverse=True)
    return kinds, np.bincount(which, weights=watts) / np.bincount(which)


def _numbers(path: Path, texts: List[str]) -> np.ndarray:
    try:
        return np.array([float(text.replace(",", ".")) for text in texts])
    except ValueError as error:
        raise PowerError(f"{path}: {error}") from error


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return _CLOCK.search(text) is not None
    return True
