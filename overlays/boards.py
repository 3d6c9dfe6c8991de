"""The boards: which part each one carries and which clocks drive it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Optional, Tuple


@dataclass(frozen=True)
class Board:
    """One board, under the name that its image puts into the environment variable BOARD.

    Clocks are the image's (UG585, chapter 25): the fabric's clock FCLK0 is
    ``ps_clk_mhz * io_pll_feedback / (divisor0 * divisor1)``.
    """

    name: str
    part: str
    ps_clk_mhz: float
    io_pll_feedback: int
    fclk0_divisors: Tuple[int, int]
    overlay: str
    """The folder with its overlay: one bitstream serves the PYNQ-Z1 and the Z2, since both carry
    the same part and PS_CLK, and the design uses no pins."""

    @property
    def io_pll_mhz(self) -> float:
        return self.ps_clk_mhz * self.io_pll_feedback

    @property
    def fclk0_mhz(self) -> float:
        """The clock that the accelerator is meant for; an overlay's own is in its .hwh."""
        return self.io_pll_mhz / (self.fclk0_divisors[0] * self.fclk0_divisors[1])

    def divided(self, first: int, second: int) -> "Board":
        """The same board with FCLK0 by other dividers."""
        return replace(self, fclk0_divisors=(first, second))


BOARDS: Tuple[Board, ...] = (
    Board("Pynq-Z1", "xc7z020clg400-1", 50.0, 20, (5, 2), "Pynq-Z1"),
    Board("Pynq-Z2", "xc7z020clg400-1", 50.0, 20, (5, 2), "Pynq-Z1"),
    # 33.333 MHz, where PYNQ's Clocks believes 50 on every Zynq-7000 board
    Board("ZedBoard", "xc7z020clg484-1", 100 / 3, 30, (5, 2), "ZedBoard"),
)


HP_PORTS: Tuple[int, ...] = (0, 2, 1, 3)
"""The AXI HP ports on which the accelerator's memory ports are, in their order.

0 and 1, and 2 and 3, share a port of the DDR controller (UG585, figure 10-1): so two ports are 0
and 2.
"""


def find(name: Optional[str]) -> Optional[Board]:
    """The board called `name`, or None.

    Case and punctuation don't count: ZedBoard images are home-made, and so is their BOARD.
    """
    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text.lower())

    for board in BOARDS:
        if name and plain(board.name) == plain(name):
            return board
    return None


def same_part(first: str, second: str) -> bool:
    """Whether two part names mean one die and package.

    Vivado's header says ``7z020clg400`` where the order code is ``xc7z020clg400-1``.
    """
    def die_and_package(part: str) -> str:
        match = re.match(r"(?:xc)?([a-z0-9]+)", part.lower())
        return match.group(1) if match else part

    return die_and_package(first) == die_and_package(second)
