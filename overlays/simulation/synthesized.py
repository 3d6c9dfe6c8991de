"""A synthesized netlist, as yosys wrote it, as a circuit that runs under the harness.

The cells mean what UG953 says, block RAM what UG473 says; a kind of cell, a mode or a clock that
isn't understood is an error.  What yosys leaves undefined ("x") is 0, as it will be in the device.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Mapping, Sequence, Tuple, Union

from overlays.bitstream.netlist import Bit, Cell, Netlist, read
from overlays.simulation import ps7
from overlays.simulation.circuit import (
    ZERO,
    Circuit,
    CircuitError,
    FlipFlop,
    LutRam,
    Net,
    table,
)
from overlays.simulation.primitives import (
    carry4,
    last_of_shift_register,
    lut_ram_32_by_2,
    mux,
    shift_register,
)
from overlays.simulation.synthesized_block_ram import block_ram

_CLOCKS = ("C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK")
_LETTERS = "ABCD"


def read_circuit(path: Union[str, Path], top: str = "zynq") -> Circuit:
    """The circuit of a netlist around a PS7, whose pins become the harness's ports.

    Raises
    ------
    BitstreamError
        If the file isn't a netlist.
    CircuitError
        If a cell isn't understood, or its clock isn't FCLK0 through a BUFG.
    """
    return circuit_of(read(path, top))


def circuit_of(netlist: Netlist) -> Circuit:
    """The same of a netlist that was read already."""
    circuit, processor = cells_of(netlist)
    circuit.ports = ps7.ports(processor)
    return circuit


def cells_of(netlist: Netlist) -> Tuple[Circuit, Mapping[str, Sequence[Net]]]:
    """All but the ports, and the nets on each pin of the PS7."""
    reader = _Reader(netlist)
    for cell in netlist.cells:
        reader.add(cell)
    return reader.circuit, reader.processor


class _Reader:
    """Adds one cell after the other to `circuit`."""

    def __init__(self, netlist: Netlist) -> None:
        self.circuit = Circuit()
        self.processor: Dict[str, Sequence[Net]] = {}
        self.clock = next((cell.pins["O"][0] for cell in netlist.of("BUFG")), None)
        self._kinds: Dict[str, Callable[[Cell], None]] = {
            **{f"LUT{inputs}": self._lut for inputs in range(1, 7)},
            "INV": self._inverter, "MUXF7": self._mux, "MUXF8": self._mux,
            "CARRY4": self._carry4, "FDRE": self._flip_flop, "FDSE": self._flip_flop,
            "RAM32M": self._ram32m, "RAM64M": self._ram64m,
            "RAM32X1D": self._dual_port, "RAM64X1D": self._dual_port,
            "SRL16E": self._shift_register, "SRLC32E": self._shift_register,
            "RAMB18E1": self._block_ram, "RAMB36E1": self._block_ram,
            "BUFG": self._buffer, "PS7": self._ps7,
        }

    def add(self, cell: Cell) -> None:
        if cell.kind not in self._kinds:
            raise CircuitError(f"a {cell.kind} is not simulated: {cell.name}")
        for parameter in cell.parameters:
            if parameter.startswith("IS_") and cell.number(parameter):
                raise CircuitError(f"{cell.kind} {cell.name}: {parameter} is not simulated")
        for pin in _CLOCKS:
            if pin in cell.pins and cell.pins[pin][0] != self.clock:
                raise CircuitError(f"{cell.kind} {cell.name}: {pin} is not the BUFG's clock")
        self._kinds[cell.kind](cell)

    def _lut(self, cell: Cell) -> None:
        inputs = [_net(cell, f"I{place}") for place in range(int(cell.kind[3:]))]
        self.circuit.tables.append(table(cell.name, _content(cell, "INIT"), inputs,
                                         _output(cell, "O")))

    def _inverter(self, cell: Cell) -> None:
        self.circuit.tables.append(table(cell.name, 0b01, [_net(cell, "I")],
                                         _output(cell, "O")))

    def _mux(self, cell: Cell) -> None:
        self.circuit.tables.append(mux(cell.name, _net(cell, "I0"), _net(cell, "I1"),
                                       _net(cell, "S"), _output(cell, "O")))

    def _carry4(self, cell: Cell) -> None:
        first = _net(cell, "CI"), _net(cell, "CYINIT")
        if ZERO not in first:
            raise CircuitError(f"CARRY4 {cell.name}: both CI and CYINIT are used")
        carry = first[0] if first[1] == ZERO else first[1]
        data, select = _nets(cell, "DI", 4), _nets(cell, "S", 4)
        sums, carries = _outputs(cell, "O", 4), _outputs(cell, "CO", 4)
        self.circuit.tables += carry4(cell.name, carry, data, select, sums, carries)

    def _flip_flop(self, cell: Cell) -> None:
        sets = cell.kind == "FDSE"
        self.circuit.flip_flops.append(FlipFlop(
            cell.name, _net(cell, "D"), _net(cell, "CE"), _net(cell, "S" if sets else "R"),
            int(sets), _content(cell, "INIT"), _output(cell, "Q")))

    def _ram32m(self, cell: Cell) -> None:
        for letter in _LETTERS:
            self.circuit.lut_rams += lut_ram_32_by_2(
                f"{cell.name}.{letter}", _content(cell, f"INIT_{letter}"),
                _nets(cell, f"ADDR{letter}", 5), _nets(cell, "ADDRD", 5),
                _nets(cell, f"DI{letter}", 2), _net(cell, "WE"),
                _outputs(cell, f"DO{letter}", 2))

    def _ram64m(self, cell: Cell) -> None:
        for letter in _LETTERS:
            self.circuit.lut_rams.append(LutRam(
                f"{cell.name}.{letter}", _content(cell, f"INIT_{letter}"),
                _nets(cell, f"ADDR{letter}", 6), _nets(cell, "ADDRD", 6),
                _net(cell, f"DI{letter}"), _net(cell, "WE"),
                _output(cell, f"DO{letter}")))

    def _dual_port(self, cell: Cell) -> None:
        bits = 5 if cell.kind == "RAM32X1D" else 6
        write_address = tuple(_net(cell, f"A{place}") for place in range(bits))
        read_address = tuple(_net(cell, f"DPRA{place}") for place in range(bits))
        for pin, address in (("SPO", write_address), ("DPO", read_address)):
            self.circuit.lut_rams.append(LutRam(
                f"{cell.name}.{pin}", _content(cell, "INIT"), address, write_address,
                _net(cell, "D"), _net(cell, "WE"), _output(cell, pin)))

    def _shift_register(self, cell: Cell) -> None:
        if cell.kind == "SRL16E":
            address = [_net(cell, f"A{place}") for place in range(4)]
        else:
            address = list(_nets(cell, "A", 5))
        content, data, enable = _content(cell, "INIT"), _net(cell, "D"), _net(cell, "CE")
        self.circuit.shift_registers.append(shift_register(
            cell.name, content, address, data, enable, _output(cell, "Q")))
        if "Q31" in cell.pins:
            self.circuit.shift_registers.append(last_of_shift_register(
                f"{cell.name}.Q31", content, data, enable, _output(cell, "Q31")))

    def _block_ram(self, cell: Cell) -> None:
        self.circuit.block_rams.append(block_ram(cell))

    def _buffer(self, cell: Cell) -> None:
        if cell.pins["O"][0] != self.clock:
            raise CircuitError(f"BUFG {cell.name} makes a second clock")

    def _ps7(self, cell: Cell) -> None:
        self.processor = {pin: tuple(_constant(bit) for bit in bits)
                          for pin, bits in cell.pins.items()}


def _constant(bit: Bit) -> Net:
    return ZERO if bit == "x" else bit


def _net(cell: Cell, pin: str) -> Net:
    """What a pin of one bit is on; one that the netlist leaves out is 0."""
    return _constant(cell.pins.get(pin, [ZERO])[0])


def _nets(cell: Cell, pin: str, width: int) -> Tuple[Net, ...]:
    bits = cell.pins.get(pin, [])
    return tuple(_constant(bits[place]) if place < len(bits) else ZERO for place in range(width))


def _output(cell: Cell, pin: str) -> Net:
    return _outputs(cell, pin, 1)[0]


def _outputs(cell: Cell, pin: str, width: int) -> Tuple[Net, ...]:
    """The same of outputs: those that lead nowhere are nets all the same."""
    bits = cell.pins.get(pin, [])
    return tuple(bits[place] if place < len(bits) else f"{cell.name}.{pin}[{place}]"
                 for place in range(width))


def _content(cell: Cell, parameter: str) -> int:
    return int(cell.bits(parameter).replace("x", "0") or "0", 2)
