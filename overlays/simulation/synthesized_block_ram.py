"""A RAMB18E1 or RAMB36E1 of a netlist as a circuit's block RAM (UG473; UG953).

True dual port, which is all that overlays/gateware/block_rams.txt lets synthesis make, and simple
dual port in its widest form, so that what yosys would make of it can be shown to be wrong.
Everything else, output registers too, is an error.
"""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple

from overlays.bitstream.netlist import Cell
from overlays.simulation.circuit import ZERO, BlockRam, BlockRamPort, CircuitError, Net

_INIT_BITS = 256
_KILOBITS = {"RAMB18E1": 16, "RAMB36E1": 32}

Pin = Tuple[str, int]


class _Pins(NamedTuple):
    """The pins of one port: data and parity pins as (name, bit), from the lowest on."""

    enable: str
    reset: str
    address: str
    outputs: Sequence[Pin]
    inputs: Sequence[Pin]
    write_enable: str


def block_ram(cell: Cell) -> BlockRam:
    """The block RAM that `cell` is."""
    data_bits = _KILOBITS[cell.kind] << 10
    widest = data_bits // 16384 * 18
    widths = [cell.number(f"{what}_WIDTH_{port}") for what in ("READ", "WRITE") for port in "AB"]
    if cell.text("RAM_MODE", "TDP") == "TDP":
        understood = max(widths) <= widest
        ports = _true_ports(*widths)
    else:
        understood = set(widths[:1] + widths[3:]) == {2 * widest} and not any(widths[1:3])
        ports = _simple_ports(widest)
    if not understood:
        raise CircuitError(f"{cell.kind} {cell.name}: widths of {widths} are not simulated")
    if cell.number("DOA_REG") or cell.number("DOB_REG"):
        raise CircuitError(f"{cell.kind} {cell.name}: its output register is not simulated")
    first, second = (_port(cell, letter, pins) for letter, pins in zip("AB", ports))
    return BlockRam(cell.name, data_bits // 8 * 9, _ones(cell, data_bits), (first, second))


def _true_ports(read_a: int, read_b: int, write_a: int, write_b: int) -> Tuple[_Pins, _Pins]:
    return (_Pins("ENARDEN", "RSTRAMARSTRAM", "ADDRARDADDR", _word("DOADO", "DOPADOP", read_a),
                  _word("DIADI", "DIPADIP", write_a), "WEA"),
            _Pins("ENBWREN", "RSTRAMB", "ADDRBWRADDR", _word("DOBDO", "DOPBDOP", read_b),
                  _word("DIBDI", "DIPBDIP", write_b), "WEBWE"))


def _simple_ports(half: int) -> Tuple[_Pins, _Pins]:
    """Port A reads and port B writes; each uses the data pins of both."""
    data = half // 9 * 8
    low_out, high_out = _word("DOADO", "DOPADOP", half), _word("DOBDO", "DOPBDOP", half)
    low_in, high_in = _word("DIADI", "DIPADIP", half), _word("DIBDI", "DIPBDIP", half)
    return (_Pins("ENARDEN", "RSTRAMARSTRAM", "ADDRARDADDR",
                  low_out[:data] + high_out[:data] + low_out[data:] + high_out[data:], [], "WEA"),
            _Pins("ENBWREN", "RSTRAMB", "ADDRBWRADDR", [],
                  low_in[:data] + high_in[:data] + low_in[data:] + high_in[data:], "WEBWE"))


def _word(data: str, parity: str, width: int) -> List[Pin]:
    """The pins of a word: those of its data bits, then those of its parity bits."""
    parity_bits = width // 9
    return ([(data, place) for place in range(width - parity_bits)]
            + [(parity, place) for place in range(parity_bits)])


def _ones(cell: Cell, data_bits: int) -> Tuple[int, ...]:
    """The bits that begin as 1: INIT_00 ... are the data, INITP_00 ... the parity bits."""
    found: List[int] = []
    for prefix, first, bits in (("INIT_", 0, data_bits), ("INITP_", data_bits, data_bits // 8)):
        for number in range(bits // _INIT_BITS):
            digits = cell.bits(f"{prefix}{number:02X}")
            if "1" in digits:
                start = first + number * _INIT_BITS
                found += [start + place for place, digit in enumerate(reversed(digits))
                          if digit == "1"]
    return tuple(found)


def _port(cell: Cell, letter: str, pins: _Pins) -> BlockRamPort:
    address_bits = 14 if cell.kind == "RAMB18E1" else 15
    parity_from = len(pins.inputs) - len(pins.inputs) // 9
    bytes_written = [place - parity_from if place >= parity_from else place // 8
                     for place in range(len(pins.inputs))]
    return BlockRamPort(
        enable=_net(cell, pins.enable, 0), reset=_net(cell, pins.reset, 0),
        mode=cell.text(f"WRITE_MODE_{letter}", "WRITE_FIRST"),
        reset_value=_output_value(cell, f"SRVAL_{letter}", len(pins.outputs)),
        start=_output_value(cell, f"INIT_{letter}", len(pins.outputs)),
        address=tuple(_net(cell, pins.address, place) for place in range(address_bits)),
        outputs=tuple(_output(cell, *pin) for pin in pins.outputs),
        data=tuple(_net(cell, *pin) for pin in pins.inputs),
        write_enables=tuple(_net(cell, pins.write_enable, byte) for byte in bytes_written))


def _net(cell: Cell, pin: str, place: int) -> Net:
    bits = cell.pins.get(pin, ())
    found = bits[place] if place < len(bits) else ZERO
    return ZERO if found == "x" else found


def _output(cell: Cell, pin: str, place: int) -> Net:
    bits = cell.pins.get(pin, ())
    return bits[place] if place < len(bits) else f"{cell.name}.{pin}[{place}]"


def _output_value(cell: Cell, parameter: str, width: int) -> int:
    """INIT or SRVAL: in each of them the parity bits stand above the data bits (UG953)."""
    digits = cell.bits(parameter).replace("x", "0")
    return int(digits or "0", 2) & (1 << width) - 1
