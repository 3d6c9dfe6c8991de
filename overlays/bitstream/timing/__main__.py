"""``python -m overlays.bitstream.timing ROUTED.json --clock-mhz F --database D --chipdb C``.

ROUTED.json is what nextpnr's ``--write`` left.  Ends with 0 if set-up and hold are met, 1 if not, 2
if the input can't be analysed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import List, Optional

from overlays.bitstream.timing import TimingError, analyse, graph_of_routed


def main(arguments: Optional[List[str]] = None) -> int:
    """Analyse, print, and say by the exit code whether the clock is met."""
    parser = argparse.ArgumentParser(prog="python -m overlays.bitstream.timing")
    parser.add_argument("routed", type=Path, help="nextpnr's --write")
    parser.add_argument("--clock-mhz", type=float, required=True)
    parser.add_argument("--database", type=Path, required=True, help="prjxray-db's folder zynq7")
    parser.add_argument("--chipdb", type=Path, required=True,
                        help="the chip database that nextpnr used")
    parser.add_argument("--uncertainty-ns", type=float,
                        help="taken off set-up slacks, for jitter and skew "
                             "(1.5 %% of the period and 0.1)")
    parser.add_argument("--paths", type=int, default=10, help="paths to show (%(default)s)")
    parser.add_argument("--as-router", action="store_true",
                        help="time it as nextpnr does, to compare with what it reports")
    parser.add_argument("--json", type=Path, help="write the report here as well")
    options = parser.parse_args(arguments)
    try:
        if not options.clock_mhz > 0:
            raise TimingError("--clock-mhz: a clock above 0 is wanted")
        graph = graph_of_routed(options.routed, options.database, options.chipdb,
                                options.as_router)
        report = analyse(graph, options.clock_mhz, options.uncertainty_ns, options.paths)
    except TimingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.json is not None:
        options.json.write_text(json.dumps(report.to_dict(), indent=1) + "\n")
    sys.stdout.write(report.text())
    return 0 if report.met else 1


if __name__ == "__main__":
    sys.exit(main())
