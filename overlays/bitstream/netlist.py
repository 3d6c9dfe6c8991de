"""A synthesized netlist, as yosys's ``write_json`` gives it: cells with parameters and pins."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple, Union

from overlays.bitstream.errors import BitstreamError

Bit = Union[int, str]
"""A net's number, or one of the constants "0", "1", "x"."""

BLOCK_RAMS = ("RAMB36E1", "RAMB18E1")
FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
LUT_RAMS = ("RAM32M", "RAM64M", "RAM32X1D", "RAM64X1D", "RAM128X1D", "RAM32X1S", "RAM64X1S")
SHIFT_REGISTERS = ("SRL16E", "SRLC16E", "SRLC32E")


@dataclass(frozen=True)
class Cell:
    """One primitive: its parameters as yosys writes them, and what each of its pins is on."""

    name: str
    kind: str
    parameters: Mapping[str, Any]
    pins: Mapping[str, Sequence[Bit]]

    def text(self, parameter: str, default: str = "") -> str:
        """A parameter that is a word, without the blank with which yosys marks some."""
        return str(self.parameters.get(parameter, default)).strip()

    def bits(self, parameter: str) -> str:
        """A parameter's binary digits, the highest first; "" if the cell does not say it."""
        return str(self.parameters.get(parameter, "")).strip()

    def number(self, parameter: str, default: int = 0) -> int:
        """A parameter that is a number.

        Raises
        ------
        BitstreamError
            If a digit of it is undefined.
        """
        digits = self.parameters.get(parameter, default)
        if isinstance(digits, int):
            return digits
        try:
            return int(str(digits).strip() or "0", 2)
        except ValueError:
            raise BitstreamError(f"{self.kind} {self.name}: {parameter} is {digits!r}, which is "
                                 "not a number") from None


@dataclass(frozen=True)
class Netlist:
    """The cells of a design's only module."""

    top: str
    cells: Tuple[Cell, ...]

    def of(self, *kinds: str) -> Iterator[Cell]:
        """The cells of these kinds."""
        return (cell for cell in self.cells if cell.kind in kinds)

    def counts(self) -> Dict[str, int]:
        """How many cells there are of each kind, by kind."""
        return dict(sorted(Counter(cell.kind for cell in self.cells).items()))


def read(path: Union[str, Path], top: str = "zynq") -> Netlist:
    """Read a netlist.

    Raises
    ------
    BitstreamError
        If the file is not one, or `top` is not in it.
    """
    try:
        modules = json.loads(Path(path).read_text(encoding="utf-8"))["modules"]
    except (ValueError, KeyError, TypeError) as error:
        raise BitstreamError(f"{path} is not a netlist of yosys's write_json: {error}") from None
    if top not in modules:
        raise BitstreamError(f"{path} has no module {top}, only {', '.join(modules) or 'none'}")
    cells: List[Cell] = [
        Cell(name, each["type"], each.get("parameters", {}), each.get("connections", {}))
        for name, each in modules[top]["cells"].items()]
    return Netlist(top, tuple(cells))
