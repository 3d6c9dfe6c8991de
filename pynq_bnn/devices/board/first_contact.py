"""A bitstream's first moments in a fabric: a low clock, the wires, a known answer, then faster.

Open-flow designs have run at half the clock that the tool had promised (openXC7/nextpnr-xilinx,
issue 91), and nobody's simulation is a board.  So the clock begins low and rises only as long as
the answers are right; what passed last is kept.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

from overlays.boards import Board
from pynq_bnn.errors import DeviceError, OverlayError

log = logging.getLogger(__name__)

SLOWEST = 2.0
"""How many times slower than the shipped clock the first one is: 50 MHz for 100."""
PACES = (SLOWEST, 1.5, 1.2, 1.0)
"""Periods of the clocks that are tried, in those of the last."""
MAX_DIVISOR = 63

Divisors = Tuple[int, int]


@dataclass(frozen=True)
class Contact:
    """How a board was brought up.

    Attributes
    ----------
    clock_mhz : float
        What the accelerator runs at now.
    tried : tuple of (float, str)
        Every clock in MHz, the slowest first, and what came of it: "passed", or the error.
    wires : str
        What the loopback tried.
    """

    clock_mhz: float
    tried: Tuple[Tuple[float, str], ...]
    wires: str

    def to_dict(self) -> Dict[str, Any]:
        """For ``info``."""
        return {"clock_mhz": self.clock_mhz, "loopback": self.wires,
                "clocks": {f"{mhz:.4g} MHz": outcome for mhz, outcome in self.tried}}


def clocks(board: Board, shipped: Divisors, wanted_mhz: Optional[float] = None) -> List[Divisors]:
    """The dividers of FCLK0 to try, the slowest clock first.

    Parameters
    ----------
    shipped : (int, int)
        What the bitstream was built and timed for.
    wanted_mhz : float, optional
        The last clock is the fastest that the board's PLL gives without exceeding this; without
        it, the shipped one.

    Raises
    ------
    OverlayError
        If no dividers give such a clock.
    """
    last: Optional[int] = shipped[0] * shipped[1]
    if wanted_mhz is not None:
        if not 0 < wanted_mhz < float("inf"):
            raise OverlayError(f"clock_mhz={wanted_mhz!r}: give a number of MHz above 0")
        last = _divider_above(board.io_pll_mhz / wanted_mhz)
        if last is None:
            raise OverlayError(
                f"clock_mhz={wanted_mhz:g}: FCLK0 of this board goes from "
                f"{board.io_pll_mhz / MAX_DIVISOR ** 2:.2g} to {board.io_pll_mhz:g} MHz")
        if last < shipped[0] * shipped[1]:
            log.warning("%.4g MHz is more than the %.4g MHz that this bitstream was timed for",
                        board.io_pll_mhz / last, board.io_pll_mhz / (shipped[0] * shipped[1]))
    assert last is not None
    products = sorted({_divider_above(last * pace) or last for pace in PACES}, reverse=True)
    return [_split(product) for product in products]


def _divider_above(quotient: float) -> Optional[int]:
    """The least product of two dividers that is not below `quotient`."""
    product = max(1, int(quotient) if quotient == int(quotient) else int(quotient) + 1)
    while product <= MAX_DIVISOR ** 2:
        if _has_split(product):
            return product
        product += 1
    return None


def _has_split(product: int) -> bool:
    return any(product % first == 0 and product // first <= MAX_DIVISOR
               for first in range(1, MAX_DIVISOR + 1))


def _split(product: int) -> Divisors:
    """Two dividers of 1 to 63, the second as small as it can be (UG585, FPGA0_CLK_CTRL)."""
    second = next(second for second in range(1, MAX_DIVISOR + 1)
                  if product % second == 0 and product // second <= MAX_DIVISOR)
    return product // second, second


def step_up(steps: List[Divisors], set_clock: Callable[[Divisors], float],
            wires: Callable[[], str], answer: Callable[[], None]) -> Contact:
    """Raise the clock as long as all is right.

    Parameters
    ----------
    steps : list of (int, int)
        Dividers, the slowest clock first.
    set_clock : callable
        Sets them; returns the clock that then runs, in MHz.
    wires, answer : callable
        Tests that raise DeviceError: the loopback, which says what it tried, and the known answer.

    Raises
    ------
    DeviceError
        If the slowest clock already fails; the message names the step.  The board stays usable.
    """
    tried: List[Tuple[float, str]] = []
    passed: List[Tuple[Divisors, float, str]] = []
    for divisors in steps:
        mhz = set_clock(divisors)
        stage = "the DMA loopback"
        try:
            said = wires()
            stage = "the known answer"
            answer()
        except DeviceError as error:
            if not passed:
                raise DeviceError(
                    f"first contact at {mhz:.4g} MHz: {stage} failed: {error}") from error
            tried.append((mhz, f"{stage} failed: {error}"))
            back = set_clock(passed[-1][0])
            log.warning("first contact: %s failed at %.4g MHz, so %.4g MHz is kept (%s)", stage,
                        mhz, back, error)
            break
        tried.append((mhz, "passed"))
        passed.append((divisors, mhz, said))
        log.info("first contact: %.4g MHz passed: %s, known answer", mhz, said)
    _, mhz, said = passed[-1]
    return Contact(mhz, tuple(tried), said)
