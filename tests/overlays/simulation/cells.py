"""Circuits of a few cells, as yosys would write them, with a port for each name."""

from __future__ import annotations

import itertools

from overlays.bitstream.netlist import Cell, Netlist
from overlays.simulation.circuit import Port
from overlays.simulation.netlist_library import Simulator
from overlays.simulation.synthesized import cells_of

CLOCK = 1
CLOCK_PINS = {"C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"}


class Design:
    """Cells on nets; the nets of an input or output have a name."""

    def __init__(self):
        self.cells = [Cell("bufg", "BUFG", {}, {"I": [0], "O": [CLOCK]})]
        self.ports = []
        self._nets = itertools.count(2)

    def nets(self, width):
        return [next(self._nets) for _ in range(width)]

    def input(self, name, width=1):
        made = self.nets(width)
        self.ports.append(Port(name, True, tuple(made)))
        return made

    def output(self, name, nets):
        self.ports.append(Port(name, False, tuple(nets)))

    def add(self, kind, parameters=(), **pins):
        """A cell; a parameter is a word or (number, bits)."""
        written = {name: value if isinstance(value, str) else f"{value[0]:0{value[1]}b}"
                   for name, value in dict(parameters).items()}
        pins = {pin: list(nets) for pin, nets in pins.items()}
        self.cells.append(Cell(f"{kind}_{len(self.cells)}", kind, written, pins))

    def circuit(self):
        circuit, _ = cells_of(Netlist("zynq", tuple(self.cells)))
        circuit.ports = self.ports
        return circuit

    def simulator(self):
        return Simulator(self.circuit())


def one_cell(kind, parameters, inputs, outputs, clock=None):
    """A simulator of one cell whose pins, with these widths, are ports."""
    design = Design()
    pins = {pin: design.input(pin, width) for pin, width in inputs.items()}
    for pin, width in outputs.items():
        pins[pin] = design.nets(width)
        design.output(pin, pins[pin])
    if clock:
        pins[clock] = [CLOCK]
    design.add(kind, parameters, **pins)
    return design.simulator()
