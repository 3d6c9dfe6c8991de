"""What a netlist may not hold, because some tool of the flow is known to get it wrong silently.

A simulation of the gateware sees none of these, and the build would be green.  Each rule says what
goes wrong and where that was found; a netlist that breaks one does not become a bitstream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, List, Sequence, Tuple

from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.netlist import (
    BLOCK_RAMS,
    FLIP_FLOPS,
    LUT_RAMS,
    SHIFT_REGISTERS,
    Cell,
    Netlist,
)

WIDTHS = ("READ_WIDTH_A", "READ_WIDTH_B", "WRITE_WIDTH_A", "WRITE_WIDTH_B")
SHOWN = 5
"""Cells that a message names; the rest are counted."""


@dataclass(frozen=True)
class Rule:
    """What is refused, and why; `broken_by` gives the cells."""

    name: str
    why: str
    broken_by: Callable[[Netlist], Iterator[Cell]]


def _lossy_parity(netlist: Netlist) -> Iterator[Cell]:
    for cell in netlist.of("RAMB36E1"):
        if any(cell.number(width) in (1, 9) for width in WIDTHS):
            yield cell


def _simple_dual_port(netlist: Netlist) -> Iterator[Cell]:
    for cell in netlist.of(*BLOCK_RAMS):
        widest = 36 if cell.kind == "RAMB36E1" else 18
        if cell.text("RAM_MODE", "TDP") != "TDP" or any(
                cell.number(width) > widest for width in WIDTHS):
            yield cell


def _output_register(netlist: Netlist) -> Iterator[Cell]:
    for cell in netlist.of(*BLOCK_RAMS):
        if cell.number("DOA_REG") or cell.number("DOB_REG"):
            yield cell


def _address_bit_15(netlist: Netlist) -> Iterator[Cell]:
    for cell in netlist.of("RAMB36E1"):
        for pin, extension in (("ADDRARDADDR", "RAM_EXTENSION_A"),
                               ("ADDRBWRADDR", "RAM_EXTENSION_B")):
            bits = cell.pins.get(pin, ())
            cascaded = cell.text(extension, "NONE") != "NONE"
            if not cascaded and (len(bits) != 16 or bits[15] != "1"):
                yield cell
                break


def _upper_write_enables(netlist: Netlist) -> Iterator[Cell]:
    for cell in netlist.of(*BLOCK_RAMS):
        lanes = 4 if cell.kind == "RAMB36E1" else 2
        if any(bit not in ("0", "x") for bit in cell.pins.get("WEBWE", ())[lanes:]):
            yield cell


def _shift_register_init(netlist: Netlist) -> Iterator[Cell]:
    return (cell for cell in netlist.of(*SHIFT_REGISTERS) if set(cell.bits("INIT")) - {"0"})


def _undefined_start(netlist: Netlist) -> Iterator[Cell]:
    return (cell for cell in netlist.of(*FLIP_FLOPS) if cell.bits("INIT")[-1:] not in ("0", "1"))


def _inverted_write_clock(netlist: Netlist) -> Iterator[Cell]:
    return (cell for cell in netlist.of(*LUT_RAMS) if cell.number("IS_WCLK_INVERTED"))


def _tied_dsp(netlist: Netlist) -> Iterator[Cell]:
    for cell in netlist.of("DSP48E1"):
        if any(bit in ("0", "1") for bits in cell.pins.values() for bit in bits):
            yield cell


RULES: Tuple[Rule, ...] = (
    Rule("RAMB36E1 of width 1 or 9", "nextpnr-xilinx of 2024 loses their parity bits "
         "(openXC7/nextpnr-xilinx issue 94, pull request 95)", _lossy_parity),
    Rule("simple dual port block RAM", "yosys up to April 2026 writes four parity bits of a 72-bit "
         "word from the wrong inputs (YosysHQ/yosys pull request 5833), and nextpnr-xilinx gives "
         "the width to the opposite port (pull request 150)", _simple_dual_port),
    Rule("block RAM with its output register", "nextpnr-xilinx of 2024 clocks it on the wrong edge "
         "(pull request 127)", _output_register),
    Rule("RAMB36E1 with address bit 15 not 1", "outside a cascade UG473 wants it high; else the "
         "output may come from the cascade input", _address_bit_15),
    Rule("block RAM with its upper write enables in use", "they are a simple dual port's; in true "
         "dual port UG473 wants them low", _upper_write_enables),
    Rule("shift register that does not begin with 0", "nextpnr-xilinx ignores INIT (issue 181)",
         _shift_register_init),
    Rule("flip-flop without a defined start", "nextpnr-xilinx starts FDSE and FDPE with INIT x at "
         "0 (issue 178)", _undefined_start),
    Rule("LUT RAM with an inverted write clock", "nextpnr-xilinx writes it on the rising edge all "
         "the same (issue 33)", _inverted_write_clock),
    Rule("DSP48E1 with pins tied to constants", "nextpnr-xilinx of 2024 ties them wrongly (pull "
         "request 159)", _tied_dsp),
)


def violations(netlist: Netlist, rules: Sequence[Rule] = RULES) -> List[str]:
    """One message for each rule that `netlist` breaks: its name, the cells, the reason."""
    messages = []
    for rule in rules:
        cells = [cell.name for cell in rule.broken_by(netlist)]
        if cells:
            more = f" and {len(cells) - SHOWN} more" if len(cells) > SHOWN else ""
            messages.append(f"{rule.name}: {', '.join(cells[:SHOWN])}{more}; {rule.why}")
    return messages


def require_safe(netlist: Netlist) -> None:
    """Stop a build whose netlist the tools would get wrong.

    Raises
    ------
    BitstreamError
        Names every rule that is broken and the cells that break it.
    """
    broken = violations(netlist)
    if broken:
        raise BitstreamError("the netlist holds what the tools get wrong:\n  "
                             + "\n  ".join(broken))
