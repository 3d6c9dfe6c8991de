"""The accelerator as PYNQ sees it: an Overlay that sets its clock right, and the IP's driver.

Importing it imports PYNQ: the package does so when a board is opened, not before.  Its entry point
in the group ``pynq.lib`` binds the driver in every overlay that holds our IP.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Union
from xml.etree import ElementTree

import pynq

from overlays.boards import Board
from pynq_bnn import registers
from pynq_bnn.bitfile import packaged_bitstream, require_part
from pynq_bnn.devices.board import BoardDevice, this_board
from pynq_bnn.errors import DeviceError, OverlayError

# System level control registers of the Zynq-7000 (UG585, appendix B.28).
_SLCR, _SLCR_BYTES = 0xF800_0000, 0x200
_FPGA0_CLK_CTRL = 0x170
_ARM_PLL_CTRL, _DDR_PLL_CTRL, _IO_PLL_CTRL = 0x100, 0x104, 0x108
_PLL_CTRL_OF_SOURCE = (_IO_PLL_CTRL, _IO_PLL_CTRL, _ARM_PLL_CTRL, _DDR_PLL_CTRL)


class BnnDriver(pynq.DefaultIP):
    """What ``overlay.bnn`` is: the accelerator's registers by name, and itself as a device."""

    bindto = [registers.VLNV]

    @property
    def clock_mhz(self) -> float:
        """The accelerator's clock as it really runs, in MHz."""
        return _fclk0_mhz(self.device, this_board())

    def as_device(self) -> BoardDevice:
        """The device to give to an Accelerator or a Classifier."""
        return BoardDevice(self)


class BnnOverlay(pynq.Overlay):
    """The accelerator's bitstream, checked before it is downloaded.

    Parameters
    ----------
    bitfile_name : str or path, optional
        A .bit with its .hwh beside it; without it, the one that this package brings for the
        board.
    **options
        As :class:`pynq.Overlay`.

    Raises
    ------
    DeviceError
        If this is no board known here, or PYNQ finds no device or may not use it.
    OverlayError
        If the bitstream is missing, damaged or for another part, or if its .hwh is missing or
        without our IP.  Nothing was downloaded then.
    """

    def __init__(self, bitfile_name: Optional[Union[str, Path]] = None, **options: Any) -> None:
        board = this_board()
        path = packaged_bitstream(board) if bitfile_name is None else Path(bitfile_name).absolute()
        require_part(path, board)
        _require_accelerator(path.with_suffix(".hwh"))
        if options.get("device") is None:
            options["device"] = _active_device()
        try:
            super().__init__(str(path), **options)
        except OSError as error:
            raise DeviceError(f"PYNQ can't load {path}: {error}; it needs root: use Jupyter, or "
                              "a shell after sudo -i") from error

    def download(self, dtbo: Optional[str] = None) -> None:
        """Set the clocks, then load the bitstream.

        Clocks are set by the divisors of the .hwh alone: setting them by MHz is wrong wherever
        PS_CLK is not 50 MHz (the ZedBoard), and PYNQ 4.0 doesn't know the MHz on a Zynq-7000.
        """
        for index, clock in self.clock_dict.items():
            if clock.get("enable"):
                pynq.Clocks.set_pl_clk(index, clock["divisor0"], clock["divisor1"])
        pynq.Bitstream.download(self, self.parser)
        if dtbo or self.dtbo:
            self.insert_dtbo(dtbo)

    @property
    def accelerator(self) -> BnnDriver:
        """The driver of our IP, whatever the design calls its instance."""
        name = next(name for name, ip in self.ip_dict.items() if ip["type"] == registers.VLNV)
        return getattr(self, name)


def _require_accelerator(path: Path) -> None:
    """Raise OverlayError if the .hwh at `path` does not describe our IP."""
    try:
        found = [module.get("VLNV") for module in ElementTree.parse(path).iter("MODULE")]
    except OSError as error:
        raise OverlayError(
            f"{path} can't be read ({error.strerror}): PYNQ needs it beside the bitstream, under "
            "the same name; python -m overlays.hwh makes it") from None
    except ElementTree.ParseError as error:
        raise OverlayError(f"{path} is no .hwh file: {error}; copy it again") from None
    if registers.VLNV not in found:
        raise OverlayError(
            f"{path} describes a design without our accelerator {registers.VLNV}: it has "
            f"{', '.join(filter(None, found)) or 'nothing'}; load a bitstream of this package's "
            "version with the .hwh that came with it")


def _active_device() -> Any:
    """PYNQ's device, or an error that says why there is none."""
    try:
        return pynq.Device.active_device
    except RuntimeError as error:
        raise DeviceError(
            f"PYNQ finds no device ({error}): its environment is missing, as after plain sudo. "
            "Use Jupyter or sudo -i, or first source /etc/profile.d/xrt_setup.sh and "
            "/etc/profile.d/boardname.sh") from error


def _fclk0_mhz(device: Any, board: Board) -> float:
    """FCLK0 from the registers and the board's own PS_CLK.

    PYNQ's ``Clocks.fclk0_mhz`` takes 50 MHz for every board: 150 MHz on a ZedBoard means 100.
    """
    slcr = pynq.MMIO(_SLCR, _SLCR_BYTES, device=device)
    control = slcr.read(_FPGA0_CLK_CTRL)
    source, divisor0, divisor1 = control >> 4 & 3, control >> 8 & 0x3F, control >> 20 & 0x3F
    feedback = slcr.read(_PLL_CTRL_OF_SOURCE[source]) >> 12 & 0x7F
    return board.ps_clk_mhz * feedback / (divisor0 * divisor1)
