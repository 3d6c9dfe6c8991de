"""``python -m overlays.simulation NETLIST.json OUT``: a synthesized netlist for the netlist device.

OUT is what :class:`pynq_bnn.devices.netlist.NetlistDevice` runs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from overlays.bitstream.errors import BitstreamError
from overlays.simulation import circuit_file
from overlays.simulation.circuit import CircuitError
from overlays.simulation.synthesized import read_circuit


def main(arguments: Optional[List[str]] = None) -> int:
    """Convert one netlist; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m overlays.simulation", description=__doc__)
    parser.add_argument("netlist", type=Path, help="as yosys's write_json gives it")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    try:
        circuit = read_circuit(options.netlist)
        circuit_file.write(circuit, options.out)
    except (BitstreamError, CircuitError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{options.out}: {circuit.counts()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
