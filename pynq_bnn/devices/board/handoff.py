"""The .hwh file beside a bitstream: it must describe our accelerator."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from pynq_bnn import registers
from pynq_bnn.errors import OverlayError


def require_accelerator(path: Path) -> None:
    """Raise OverlayError if the .hwh at `path` can't be read or does not describe our IP."""
    try:
        found = [module.get("VLNV") for module in ElementTree.parse(str(path)).iter("MODULE")]
    except OSError as error:
        raise OverlayError(
            f"{path} can't be read ({error.strerror}): PYNQ needs it beside the bitstream, under "
            "the same name; python -m overlays.hwh makes it") from None
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        # an unknown encoding is a LookupError or a ValueError
        raise OverlayError(f"{path} is not a valid .hwh file: {error}; copy it again") from None
    if registers.VLNV not in found:
        raise OverlayError(
            f"{path} describes a design without our accelerator {registers.VLNV}: it has "
            f"{', '.join(filter(None, found)) or 'nothing'}; load a bitstream of this package's "
            "version with the .hwh that came with it")
