"""The board: which one this is, its bitstream, and the accelerator in its fabric."""

from __future__ import annotations

from pynq_bnn.devices.board.bitfile import packaged_bitstream
from pynq_bnn.devices.board.device import BoardDevice
from pynq_bnn.devices.board.identity import this_board
from pynq_bnn.errors import DeviceError


def open_board() -> BoardDevice:
    """Download this board's own bitstream; what is quick to find out is asked first.

    Raises
    ------
    DeviceError
        If this is not a board known here, or PYNQ is missing or finds no device.
    OverlayError
        If there is no bitstream for this board, or it is not right.
    """
    bitstream = packaged_bitstream(this_board())
    try:
        # PYNQ is imported here, when a board is opened (7 s on one), and never before
        from pynq_bnn.devices.board.overlay import BnnOverlay
    except ImportError as error:
        raise DeviceError(
            f"the board needs PYNQ, and Python can't import it ({error}): on a board use the "
            "image's own Python, as root (Jupyter, or after sudo -i); elsewhere choose "
            'device="model"') from error
    return BnnOverlay(bitstream).driver.as_device()
