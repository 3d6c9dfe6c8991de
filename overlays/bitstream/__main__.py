"""``python -m overlays.bitstream BOARD``: that board's .bit, .hwh and report.json.

Wants yosys, nextpnr-xilinx and prjxray-db; docs/overlay.md says how they are found and how long
each step takes.  Ends with 0 if the overlay was made, 1 if a check stopped it, 2 if something that
the build needs is missing.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import List, Optional

import overlays
from overlays.bitstream.board_files import make
from overlays.bitstream.build import Build, Settings
from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.tools import ToolsMissing, find
from overlays.boards import BOARDS, Board
from overlays.boards import find as find_board
from overlays.gateware.config import FULL, SMALL


def main(arguments: Optional[List[str]] = None) -> int:
    """Build one board's overlay; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m overlays.bitstream", description=__doc__)
    parser.add_argument("board", type=_board, help="Pynq-Z1 (its file serves the Z2) or ZedBoard")
    parser.add_argument("--work", type=Path, default=Path("build/overlay"),
                        help="folder for what the steps leave (default %(default)s)")
    parser.add_argument("--out", type=Path, help="default: the board's folder in overlays/")
    parser.add_argument("--small", action="store_true",
                        help="the configuration of quick tests; wants --out")
    parser.add_argument("--target-mhz", type=float, default=Settings.target_mhz,
                        help="what place and route tries for (default %(default)s)")
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--timing-weight", type=int, default=Settings.timing_weight,
                        help="how much the placer minds critical nets (default %(default)s)")
    parser.add_argument("--estimate-weight", type=float, default=Settings.estimate_weight,
                        help="how much the router hurries (default %(default)s)")
    parser.add_argument("--margin", type=int, default=Settings.margin,
                        help="tiles by which a way may leave its net's box (default %(default)s)")
    parser.add_argument("--moves", type=int, default=Settings.moves,
                        help="how long the placement is annealed: moves for each slice and "
                             "temperature, 0 for none (default %(default)s)")
    parser.add_argument("--divisors", type=int, nargs=2, metavar="N",
                        help="FCLK0's two dividers of the IO PLL's 1000 MHz, for a design that "
                             "misses the board's usual clock (default: the board's)")
    options = parser.parse_args(arguments)
    if options.small and options.out is None:
        parser.error("--small is not for a board: say --out FOLDER")
    if options.moves < 0:
        parser.error(f"--moves {options.moves}: 0 or more")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    board = options.board if options.divisors is None else options.board.divided(*options.divisors)
    out = options.out or Path(overlays.__file__).parent / board.overlay
    try:
        build = Build(SMALL if options.small else FULL, find(),
                      Settings(options.target_mhz, options.seed, options.timing_weight,
                               options.estimate_weight, options.margin, options.moves),
                      options.work.resolve())
        report = make(build, board, out)
    except BitstreamError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ToolsMissing) else 1
    timing = report["timing"]
    sys.stdout.write(f"{out}: {report['resources']}; {timing['clock_mhz']:g} MHz met, "
                     f"up to {timing['fmax_mhz']:.1f} MHz\n")
    return 0


def _board(name: str) -> Board:
    board = find_board(name)
    if board is None:
        names = ", ".join(sorted({each.overlay for each in BOARDS}))
        raise argparse.ArgumentTypeError(f"{name!r} is not a board: choose {names}")
    return board


if __name__ == "__main__":
    sys.exit(main())
