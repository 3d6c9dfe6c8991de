"""``python -m overlays.bitstream.recover FILE.bit OUT``: what a bitstream configures, to simulate.

OUT is what :class:`pynq_bnn.devices.netlist.NetlistDevice` runs.  Wants prjxray-db and nextpnr's
chip database, in PRJXRAY_DB and NEXTPNR_CHIPDB.  Ends with 1 if the bitstream can't be understood:
bits that no feature explains, a node with two drivers, a pin that nothing drives.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import List, Optional

from overlays.bitstream import disassemble
from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.recover import Recovered, RecoveryError, recover
from overlays.bitstream.timing.chip import Chip
from overlays.bitstream.timing.delay import TimingError
from overlays.bitstream.tools import ToolsMissing
from overlays.simulation import circuit_file
from overlays.simulation.circuit import CircuitError


def main(arguments: Optional[List[str]] = None) -> int:
    """Recover one bitstream's circuit; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m overlays.bitstream.recover",
                                     description=__doc__)
    parser.add_argument("bitstream", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    try:
        found = from_file(options.bitstream, _from_environment("NEXTPNR_CHIPDB"),
                          _from_environment("PRJXRAY_DB"))
        circuit_file.write(found.circuit, options.out)
    except (BitstreamError, TimingError, CircuitError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{options.out}: {found.switches} switches, {found.circuit.counts()}\n")
    return 0


def from_file(bitstream: Path, chip_database: Path, database: Path) -> Recovered:
    """The circuit in a .bit that is understood to its last bit.

    Raises
    ------
    RecoveryError
        If a bit has no meaning, or a pin that matters no driver.
    """
    said = disassemble(bitstream, database)
    if said.unknown:
        raise RecoveryError(f"{len(said.unknown)} bits of {bitstream} have no meaning, the first "
                            f"in frame {said.unknown[0].address:08x}")
    found = recover(said.features, Chip(chip_database), database)
    if found.open_pins:
        names = ", ".join("/".join(pin) for pin in found.open_pins[:5])
        raise RecoveryError(f"nothing drives {len(found.open_pins)} pins: {names}")
    return found


def _from_environment(variable: str) -> Path:
    if variable not in os.environ:
        raise ToolsMissing(f"{variable} does not say where its database is; docs/overlay.md has "
                           "its home")
    return Path(os.environ[variable])


if __name__ == "__main__":
    sys.exit(main())
