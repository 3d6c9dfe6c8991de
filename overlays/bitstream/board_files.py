"""A board's .bit, .hwh and report, from a design that is placed and routed.

Nothing is left in the board's folder unless the netlist passed the gate, the clock that ships is
met with every delay counted, and the .bit, read back, is the design.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict

from overlays.bitstream import assemble, fasm, read_frames
from overlays.bitstream.bitfile import read_bit
from overlays.bitstream.build import TOP, Build
from overlays.bitstream.database import Database
from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.netlist import Netlist
from overlays.bitstream.readback import read_back
from overlays.bitstream.timing import analyse, graph_of_routed
from overlays.boards import Board
from overlays.gateware.verilog import source_hash
from overlays.hwh import hwh

log = logging.getLogger(__name__)

PATHS = 5
"""Worst paths that the report spells out."""


def make(build: Build, board: Board, folder: Path) -> Dict[str, Any]:
    """Write bnn.bit, bnn.hwh and report.json of `board` into `folder`; return the report.

    Raises
    ------
    BitstreamError
        If any step fails or a check is not met; `folder` is then as it was.
    """
    netlist = build.cells()
    routed, features = build.routed(), build.features()
    clock_mhz = board.fclk0_mhz
    log.info("timing at %g MHz", clock_mhz)
    graph = graph_of_routed(routed, build.tools.database, build.tools.chipdb)
    timing = analyse(graph, clock_mhz, paths=PATHS)
    if not timing.met:
        raise BitstreamError(f"the routed design does not meet {clock_mhz:g} MHz:\n{timing.text()}")

    partial = build.folder / f"{board.name}.bit"
    log.info("assembling and reading back %s", partial)
    assemble(features, partial, build.tools.database, board.part, f"{TOP}_{board.overlay}")
    database = Database(build.tools.database, board.part)
    frames = read_frames(partial, build.tools.database)
    readback = read_back(database, fasm.read(features), frames)
    if not readback.faithful:
        raise BitstreamError(
            f"{partial}, read back, is not the design: {len(readback.lost)} features lost, "
            f"{len(readback.changed)} frames changed, {len(readback.unknown)} unknown bits")

    folder.mkdir(parents=True, exist_ok=True)
    bit, handoff = folder / "bnn.bit", folder / "bnn.hwh"
    bit.write_bytes(partial.read_bytes())
    handoff.write_text(hwh(board))
    report = {
        "board": board.name, "part": board.part,
        "gateware": {"build": f"0x{source_hash(build.config)[:8]}",
                     "source_sha256": source_hash(build.config), "design_sha256": build.hash,
                     "config": asdict(build.config)},
        "settings": asdict(build.settings), "fclk0_divisors": list(board.fclk0_divisors),
        "bit": {"sha256": _sha256(bit), "bytes": bit.stat().st_size,
                "part": read_bit(bit).part},
        "hwh": {"sha256": _sha256(handoff)},
        "resources": resources(netlist), "cells": netlist.counts(),
        "timing": timing.to_dict(),
        "readback": {"frames": database.part.frames, "features_lost": 0, "frames_changed": 0,
                     "unknown_bits": 0, "features_gained": len(readback.gained)},
        "seconds": build.seconds,
        "ran_on_a_board": False,
    }
    # yosys names cells after the file that they come from: where that lay is nobody's business
    text = json.dumps(report, indent=1).replace(f"{build.folder}/", "")
    (folder / "report.json").write_text(text + "\n")
    return report


def resources(netlist: Netlist) -> Dict[str, float]:
    """What the netlist takes of the part, before packing, in its own units."""
    counts = netlist.counts()

    def of(*kinds: str) -> int:
        return sum(counts.get(kind, 0) for kind in kinds)

    logic = of(*(f"LUT{inputs}" for inputs in range(1, 7)), "INV")
    memory = 4 * of("RAM32M", "RAM64M") + 2 * of("RAM32X1D", "RAM64X1D") + of(
        "SRL16E", "SRLC32E")
    return {"lut_logic": logic, "lut_memory": memory, "lut": logic + memory,
            "flip_flops": of("FDRE", "FDSE", "FDCE", "FDPE"),
            "bram36": of("RAMB36E1") + of("RAMB18E1") / 2, "dsp": of("DSP48E1")}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
