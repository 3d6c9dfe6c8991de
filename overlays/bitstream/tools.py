"""The programs and data that a build takes from elsewhere: where they are here, or what is missing.

Nothing of them is part of this package.  Each is looked for on PATH or in an environment variable.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Tuple

from overlays.bitstream.errors import BitstreamError

FABRIC = "xc7z020"


class ToolsMissing(BitstreamError):
    """Something that a build needs is not here; the message names it and its public home."""


@dataclass(frozen=True)
class Tools:
    """Where everything is.

    Attributes
    ----------
    yosys, nextpnr : str
        Commands.
    chipdb : Path
        nextpnr's database of the xc7z020.  Any package's will do: the design has no pins.
    database : Path
        prjxray-db's folder of the family.
    """

    yosys: str
    nextpnr: str
    chipdb: Path
    database: Path


def find(environment: Optional[Mapping[str, str]] = None) -> Tools:
    """Find them all.

    Raises
    ------
    ToolsMissing
        Names all that are missing, the variable that would say where each is, and its home.
    """
    environment = os.environ if environment is None else environment
    missing: List[str] = []
    yosys = _command(environment, missing, "YOSYS", "yosys", "https://github.com/YosysHQ/yosys, "
                     "or Debian's package yosys")
    nextpnr = _command(environment, missing, "NEXTPNR_XILINX", "nextpnr-xilinx",
                       "https://github.com/openXC7/nextpnr-xilinx")
    chipdb = _path(environment, missing, "NEXTPNR_CHIPDB", "nextpnr-xilinx's chip database of the "
                   f"{FABRIC} (chipdb-{FABRIC}clg400.bin)", (),
                   "made by the bbaexport of https://github.com/openXC7/nextpnr-xilinx")
    database = _path(environment, missing, "PRJXRAY_DB", "prjxray-db's folder zynq7",
                     (f"{FABRIC}/tilegrid.json", "tile_type_PSS2.json", "timings"),
                     "https://github.com/openXC7/prjxray-db")
    if missing:
        raise ToolsMissing("an overlay can't be built here:\n  " + "\n  ".join(missing))
    return Tools(yosys, nextpnr, chipdb, database)


def _command(environment: Mapping[str, str], missing: List[str], variable: str, name: str,
             home: str) -> str:
    asked = environment.get(variable, name)
    found = shutil.which(asked, path=environment.get("PATH"))
    if not found:
        missing.append(f"{asked} is not on PATH, and {variable} does not say where it is: {home}")
    return found or ""


def _path(environment: Mapping[str, str], missing: List[str], variable: str, what: str,
          members: Tuple[str, ...], home: str) -> Path:
    asked = environment.get(variable, "")
    path = Path(asked).resolve()
    if not asked:
        missing.append(f"{variable} does not say where {what} is: {home}")
    elif not path.exists():
        missing.append(f"{variable} is {asked}, which does not exist: {what}, {home}")
    else:
        lacking = [member for member in members if not (path / member).exists()]
        if lacking:
            missing.append(f"{asked} ({variable}) lacks {', '.join(lacking)}: {what}, {home}")
    return path
