"""What the Zynq's processing system is set to: the fabric's clock, and the memory ports' width.

Registers as in UG585, appendix B.  Reading and writing them is left to the caller, who has PYNQ.
"""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Sequence, Tuple

from overlays.boards import Board
from pynq_bnn.errors import DeviceError

Read = Callable[[int], int]
Write = Callable[[int, int], None]

SLCR, SLCR_BYTES = 0xF800_0000, 0x200
"""System level control registers (B.28)."""
_FPGA0_CLK_CTRL = 0x170
_ARM_PLL_CTRL, _DDR_PLL_CTRL, _IO_PLL_CTRL = 0x100, 0x104, 0x108
_PLL_CTRL_OF_SOURCE = (_IO_PLL_CTRL, _IO_PLL_CTRL, _ARM_PLL_CTRL, _DDR_PLL_CTRL)
_SOURCES = ("IO PLL", "IO PLL", "ARM PLL", "DDR PLL")

AFI, AFI_STRIDE, AFI_BYTES = 0xF800_8000, 0x1000, 0x4000
"""The AXI HP ports' own registers (B.4), a page for each port."""
_RDCHAN_CTRL, _WRCHAN_CTRL = 0x00, 0x14
_32_BIT = 1


class ClockTree(NamedTuple):
    """How FCLK0 is made."""

    source: str
    pll_mhz: float
    divisors: Tuple[int, int]
    mhz: float


def clock_tree(read: Read, board: Board) -> ClockTree:
    """FCLK0 as it really runs, from the SLCR's registers and the board's own PS_CLK.

    PYNQ's ``Clocks.fclk0_mhz`` takes 50 MHz for every board: 150 MHz on a ZedBoard means 100.
    """
    control = read(_FPGA0_CLK_CTRL)
    source, divisors = control >> 4 & 3, (control >> 8 & 0x3F, control >> 20 & 0x3F)
    feedback = read(_PLL_CTRL_OF_SOURCE[source]) >> 12 & 0x7F
    pll_mhz = board.ps_clk_mhz * feedback
    return ClockTree(_SOURCES[source], pll_mhz, divisors, pll_mhz / (divisors[0] * divisors[1]))


def widen_ports(read: Read, write: Write, ports: Sequence[int]) -> Dict[str, str]:
    """Make HP ports 64 bits wide, as the accelerator uses them, and look whether they are.

    PYNQ leaves them as the boot image set them.  In 32-bit mode half of every beat is garbage.

    Returns
    -------
    dict of str to str
        What each port is, and was where that was something else: for reports.

    Raises
    ------
    DeviceError
        If a port stays in 32-bit mode.
    """
    said: Dict[str, str] = {}
    for port in ports:
        widths = []
        for channel, offset in (("read", _RDCHAN_CTRL), ("write", _WRCHAN_CTRL)):
            place = port * AFI_STRIDE + offset
            before = read(place)
            if before & _32_BIT:
                write(place, before & ~_32_BIT)
                widths.append(f"{channel} was 32")
            if read(place) & _32_BIT:
                raise DeviceError(
                    f"the memory port HP{port} stays in 32-bit mode ({channel} channel, register "
                    f"0x{AFI + place:08X}): the accelerator needs 64 bits. Boot an image of PYNQ's "
                    "own for this board, or one whose FSBL sets S_AXI_HP to 64 bits")
        said[f"HP{port}"] = "64 bit" + (f" ({', '.join(widths)} at boot)" if widths else "")
    return said


def describe_ports(ports: Dict[str, str]) -> str:
    """For a message."""
    return ", ".join(f"{name} {width}" for name, width in ports.items())

