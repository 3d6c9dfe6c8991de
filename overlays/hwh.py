"""The hardware handoff file that PYNQ reads beside a bitstream, made without Vivado.

PYNQ takes three things from it: the clocks to set, where the accelerator stands in the address
space, and the names of its registers.  They come from :mod:`overlays.boards` and the register
table, in the least XML that the parsers of PYNQ 3 and 4 accept.

``python -m overlays.hwh BOARD OUT`` writes one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import List, Tuple
from xml.dom import minidom
from xml.etree.ElementTree import Element, SubElement, tostring

from overlays.boards import BOARDS, Board, find
from pynq_bnn import registers
from pynq_bnn.registers import BASE_ADDRESS, WINDOW_BYTES

INSTANCE = "bnn"

_AXI_VLNV = "xilinx.com:interface:aximm:1.0"
_PORT = "S_AXI"
_FCLKS = 4


def hwh(board: Board) -> str:
    """The text of the .hwh for the accelerator on `board`."""
    system = Element("EDKSYSTEM")
    SubElement(system, "EXTERNALPORTS")
    modules = SubElement(system, "MODULES")
    _processing_system(modules, board)
    _accelerator(modules)
    return minidom.parseString(tostring(system)).toprettyxml(indent=" ")


def _processing_system(modules: Element, board: Board) -> None:
    system = SubElement(modules, "MODULE", FULLNAME="/processing_system7_0",
                        INSTANCE="processing_system7_0", MODTYPE="processing_system7",
                        VLNV="xilinx.com:ip:processing_system7:5.5")
    parameters = SubElement(system, "PARAMETERS")
    for name, value in _clock_parameters(board):
        SubElement(parameters, "PARAMETER", NAME=name, VALUE=value)
    SubElement(SubElement(system, "BUSINTERFACES"), "BUSINTERFACE", NAME="M_AXI_GP0",
               TYPE="MASTER", VLNV=_AXI_VLNV)
    SubElement(SubElement(system, "MEMORYMAP"), "MEMRANGE", INSTANCE=INSTANCE,
               BASEVALUE=f"0x{BASE_ADDRESS:08X}",
               HIGHVALUE=f"0x{BASE_ADDRESS + WINDOW_BYTES - 1:08X}", MEMTYPE="REGISTER",
               MASTERBUSINTERFACE="M_AXI_GP0", SLAVEBUSINTERFACE=_PORT)


def _clock_parameters(board: Board) -> List[Tuple[str, str]]:
    """FCLK0 on, the others off; PYNQ wants to hear about all four."""
    parameters: List[Tuple[str, str]] = []
    for clock in range(_FCLKS):
        divisors = board.fclk0_divisors if clock == 0 else (1, 1)
        parameters += [
            (f"PCW_FPGA_FCLK{clock}_ENABLE", str(int(clock == 0))),
            (f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC", "IO PLL"),
            (f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0", str(divisors[0])),
            (f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1", str(divisors[1]))]
    megahertz = f"{board.fclk0_mhz:.6f}"
    # the second is an UltraScale's: PYNQ 4.0 reads it on every part, and fails where it is missing
    return [*parameters, ("PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ", megahertz),
            ("PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ", megahertz)]


def _accelerator(modules: Element) -> None:
    module = SubElement(modules, "MODULE", FULLNAME=f"/{INSTANCE}", INSTANCE=INSTANCE,
                        MODTYPE=INSTANCE, VLNV=registers.VLNV)
    block = SubElement(SubElement(module, "ADDRESSBLOCKS"), "ADDRESSBLOCK", INTERFACE=_PORT,
                       USAGE="register")
    block_registers = SubElement(block, "REGISTERS")
    for offset, register, index in registers.words():
        name = register.name if register.count == 1 else f"{register.name}_{index}"
        # without SIZE PYNQ believes in registers of 4 bits
        entry = _described(block_registers, "REGISTER", name, register.meaning, register.access,
                           ADDRESS_OFFSET=f"0x{offset:X}", SIZE="32")
        fields = SubElement(entry, "FIELDS") if register.fields else entry
        for field in register.fields:
            _described(fields, "FIELD", field.name, _field_meaning(field), register.access,
                       BIT_OFFSET=str(field.low), BIT_WIDTH=str(field.width))
    SubElement(SubElement(module, "BUSINTERFACES"), "BUSINTERFACE", NAME=_PORT, TYPE="SLAVE",
               VLNV=_AXI_VLNV)


def _described(parent: Element, kind: str, name: str, meaning: str, access: str,
               **properties: str) -> Element:
    """A register or field: PYNQ reads everything about it from PROPERTY elements."""
    entry = SubElement(parent, kind, NAME=name)
    for key, value in dict(properties, DESCRIPTION=meaning, ACCESS=access).items():
        SubElement(entry, "PROPERTY", NAME=key, VALUE=value)
    return entry


def _field_meaning(field: registers.Field) -> str:
    values = ", ".join(f"{number} {label}" for label, number in field.values)
    return field.meaning + (f": {values}" if values else "")


def _main(arguments: List[str]) -> None:
    board = find(arguments[0]) if len(arguments) == 2 else None
    if board is None:
        names = ", ".join(board.name for board in BOARDS)
        sys.exit(f"usage: python -m overlays.hwh BOARD OUT, where BOARD is one of {names}")
    Path(arguments[1]).write_text(hwh(board), encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
