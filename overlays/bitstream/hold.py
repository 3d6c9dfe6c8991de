"""Delay before the pins that want their input to stand still longest.

A LUT RAM's write address has to stay for up to 0.43 ns after the clock edge at the fast corner (by
:mod:`overlays.bitstream.timing`, which scales the slow corner's figure), and a flip-flop in the
next slice changes sooner than that.  Vivado's router makes a detour then;
nextpnr-xilinx doesn't look at hold.  So each such address goes through a LUT that passes it on:
its least delay and one more piece of routing are what is missing.  At 10 ns a cycle the address,
which comes straight from a flip-flop, has time for both, if the router doesn't make a detour of its
own there: it did so with nets of some fifty pins, so no such LUT gets more than PINS.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from overlays.bitstream.netlist import FLIP_FLOPS

WRITE_ADDRESS: Dict[str, Tuple[str, ...]] = {
    "RAM32M": ("ADDRD",), "RAM64M": ("ADDRD",), "RAM128X1D": ("A",),
    **{kind: tuple(f"A{n}" for n in range(6)) for kind in (
        "RAM32X1D", "RAM64X1D", "RAM32X1S", "RAM64X1S")},
}
"""The pins of each LUT RAM that say where is written (UG953)."""
PINS = 16
"""LUT RAMs behind one LUT."""
PASSES = f"{0b10:032b}"
"""A LUT1's INIT that gives its input, as yosys writes numbers."""


def delay_write_addresses(source: Path, target: Path, top: str) -> int:
    """Write `source`, a netlist, to `target` with a LUT1 before every such address.

    Returns
    -------
    int
        How many LUTs were put in: one for each PINS of a net.
    """
    document = json.loads(source.read_text(encoding="utf-8"))
    module = document["modules"][top]
    cells: Dict[str, Any] = module["cells"]
    registers = {bit for cell in cells.values() if cell["type"] in FLIP_FLOPS
                 for bit in cell["connections"]["Q"]}
    free = 1 + max(bit for cell in cells.values() for bits in cell["connections"].values()
                   for bit in bits if isinstance(bit, int))
    later: List[Tuple[int, int]] = []       # a net and the one behind its LUT
    newest: Dict[int, Tuple[int, int]] = {}  # of each net the last LUT's, and how many pins it has
    for bits in _write_addresses(cells):
        for n, bit in enumerate(bits):
            if bit in registers:
                delayed, pins = newest.get(bit, (0, PINS))
                if pins == PINS:
                    delayed, pins = free + len(later), 0
                    later.append((bit, delayed))
                bits[n], newest[bit] = delayed, (delayed, pins + 1)
    for bit, delayed in later:
        name = f"hold{delayed}"
        cells[name] = {
            "hide_name": 0, "type": "LUT1", "parameters": {"INIT": PASSES}, "attributes": {},
            "port_directions": {"I0": "input", "O": "output"},
            "connections": {"I0": [bit], "O": [delayed]}}
        module["netnames"][name] = {"hide_name": 0, "bits": [delayed], "attributes": {}}
    target.write_text(json.dumps(document), encoding="utf-8")
    return len(later)


def _write_addresses(cells: Dict[str, Any]) -> Iterator[List[Any]]:
    """The bits of each such pin, to be changed in place."""
    for cell in cells.values():
        for pin in WRITE_ADDRESS.get(cell["type"], ()):
            if pin in cell["connections"]:
                yield cell["connections"][pin]
