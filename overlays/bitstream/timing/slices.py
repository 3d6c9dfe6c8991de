"""Delays and checks inside a slice, from prjxray-db's ``timings/slicel.sdf`` and ``slicem.sdf``.

How the entries add up can be told from what Vivado prints in published reports at speed grade 1:

- the wire from the slice's clock pin to its cells (``clk aff``) comes before every clocked delay:
  0.340 + 0.116 = 0.456 ns from clock to Q in a SLICEL (Prop_fdre_C_Q), 1.472 + 0.156 = 1.63 for a
  shift register.
- the same wire makes set-up shorter and hold longer: D from the LUT takes -0.060 + 0.109
  (``a6lut aff``) - 0.126 = -0.077 in a SLICEM (Setup_fdre_C_D), CE 0.109 + 0.189 (``ce aff``)
  - 0.093 = 0.21 in a SLICEL.
- what lies between a slice's pin and a flip-flop (``ax aff``, ``a6lut aff``, ``ce aff`` ...) is
  part of the route, as are the LUT's input pins, which differ by 0.5 ns.
- CARRY4 has variants for what surrounds it; the least and the greatest of all of them count.
- a synchronous set or reset isn't in the files (they have recovery and removal); see _RESET_SETUP.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from overlays.bitstream.timing.delay import (
    ZERO,
    Delay,
    Requirement,
    TimingError,
    requirement,
    union,
)
from overlays.bitstream.timing.sdf import Pair, SdfCell, read_sdf

LETTERS = "ABCD"

_RESET_SETUP = 0.52
"""Set-up of a synchronous set or reset at the slice's pin, ns, as docs/gateware.md has it."""

# wires inside a site that only hand on
_PLAIN = re.compile(r"CLKINV_OUT|PRECYINIT_OUT|COUT|[ABCD]|WA[78]USED_OUT")
_ROUTE_THROUGH = re.compile(r"([ABCD])([1-6])->\1([56])LUT_(O[56])")


class SliceTiming:
    """The figures of one kind of slice.

    Parameters
    ----------
    cells
        What the SDF file holds.
    kind
        ``SLICEL`` or ``SLICEM``.
    """

    def __init__(self, cells: List[SdfCell], kind: str) -> None:
        self.kind = kind
        self._cells = [cell for cell in cells if cell.instance.split("/")[0] == kind]
        self._wires: Dict[Pair, Delay] = {}
        for cell in self._cells:
            self._wires.update(cell.wires)
        logic = "LUT_OR_MEM{}LRAM" if kind == "SLICEM" else "LUT{}"
        self.luts = {f"{letter}{size}LUT": self._lut(logic.format(size), letter, size)
                     for letter in LETTERS for size in (5, 6)}
        self.carry = self._paths("CARRY4", "")
        for (source, sink), delay in self.carry.items():
            if source[0] == "S":  # from the LUT beside it, over a wire of its own
                wire = self._wires.get((f"{LETTERS[int(source[1])].lower()}6lut", "carry4"), ZERO)
                self.carry[source, sink] = delay.plus(wire)
        self.muxes = {name: self._paths("SELMUX2_1", f"/{name}")
                      for name in ("F7AMUX", "F7BMUX", "F8MUX")}
        self.clock_wire = self._wires.get(("clk", "aff"), ZERO)

    def _lut(self, kind: str, letter: str, size: int) -> Dict[Pair, Delay]:
        paths = self._paths(kind, f"/{letter}{size}LUT", exact=True)
        return {pair: delay for pair, delay in paths.items() if pair[0] != "CLK"}

    def _paths(self, kind: str, bel: str, exact: bool = False) -> Dict[Pair, Delay]:
        """The delays of a cell, over all its variants."""
        found: Dict[Pair, List[Delay]] = {}
        for cell in self._cells:
            fits = cell.kind == kind if exact else cell.kind.startswith(kind)
            if fits and cell.instance == self.kind + bel:
                for pair, delay in cell.paths.items():
                    found.setdefault(pair, []).append(delay)
        return {pair: union(delays) for pair, delays in found.items()}

    def clock_to(self, kind: str, bel: str, pin: str) -> Delay:
        """From the slice's clock pin to a bel's output."""
        instance = self.kind + (f"/{bel}" if bel else "")
        for cell in self._cells:
            if cell.kind == kind and cell.instance == instance and ("CLK", pin) in cell.paths:
                return cell.paths["CLK", pin].plus(self.clock_wire)
        raise TimingError(f"no delay from CLK to {pin} of {kind} {instance} in the database")

    def requirement(self, kind: str, bel: str, pin: str) -> Optional[Requirement]:
        """Set-up and hold, as stated for the bel or, for what all four share, for the slice."""
        for instance in (f"{self.kind}/{bel}", self.kind):
            setups, holds = [], []
            for cell in self._cells:
                if cell.instance != instance or cell.kind not in (kind, f"{kind}_QH",
                                                                  f"{kind}_QL"):
                    continue
                for (check, at, _), values in cell.checks.items():
                    if at == pin and check in ("SETUP", "RECOVERY"):
                        setups.append(max(values))
                    elif at == pin and check in ("HOLD", "REMOVAL"):
                        holds.append(max(values))
            if setups and holds:
                return requirement(max(setups), max(holds), self.clock_wire)
        return None

    def reset_requirement(self, kind: str, bel: str, is_synchronous: bool
                          ) -> Optional[Requirement]:
        """Set-up and hold of a flip-flop's set or reset."""
        wanted = self.requirement(kind, bel, "SR")
        if wanted is None or not is_synchronous:
            return wanted
        way = self.inside("SR", "SRUSEDMUX_OUT") or ZERO  # the route has it already
        return wanted._replace(setup=_RESET_SETUP - way.slow_max)

    def reset_to_output(self, kind: str) -> Delay:
        """From an asynchronous set or reset to the output."""
        return union(cell.paths["SR", "Q"] for cell in self._cells
                     if cell.kind in (f"{kind}_QH", f"{kind}_QL"))

    def inside(self, source: str, sink: str) -> Optional[Delay]:
        """The delay between two of the site's wires as nextpnr names them; None: not known."""
        if _PLAIN.fullmatch(sink):
            return ZERO
        through = _ROUTE_THROUGH.fullmatch(f"{source}->{sink}")
        if through:
            letter, pin, size, output = through.groups()
            return self.luts[f"{letter}{size}LUT"].get((f"A{pin}", output))
        return next((self._wires[pair] for pair in _database_names(source, sink)
                     if pair in self._wires), None)


def _database_names(source: str, sink: str) -> List[Tuple[str, str]]:
    """What prjxray-db may call the way from one wire to another, the likeliest first."""
    lut = re.fullmatch(r"([ABCD])([56])LUT_O[56]", source)
    if lut:
        sources = [f"{lut.group(1).lower()}{lut.group(2)}lut", f"o{lut.group(2)}"]
    else:
        sources = [re.sub(r"_(Q|OUT)$", "", source).lower()]
    letter = sink[0].lower()
    if sink in ("CEUSEDMUX_OUT", "SRUSEDMUX_OUT"):
        sinks = ["aff"]
    elif sink == "WEMUX_OUT":
        sinks = ["lut", "wemux"]
    elif sink.endswith("FFMUX_OUT"):
        sinks = [sink[:-len("MUX_OUT")].lower()]
    elif sink.endswith("DI1MUX_OUT"):
        sinks = [f"{letter}6lut", f"{letter}5lut"]
    elif sink.endswith("CY0_OUT"):
        sinks = [f"di{LETTERS.index(sink[0])}", "carry4"]
    else:
        sinks = [sink.lower()]
    return [(a, b) for a in sources for b in sinks]


def read_slices(database: Path) -> Dict[str, SliceTiming]:
    """Both kinds of slice, from the folder of a family in prjxray-db."""
    return {kind: SliceTiming(read_sdf(database / "timings" / f"{kind.lower()}.sdf"), kind)
            for kind in ("SLICEL", "SLICEM")}
