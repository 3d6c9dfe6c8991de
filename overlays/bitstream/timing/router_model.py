"""The router's own idea of timing, to compare: what nextpnr-xilinx reports, from the same routes.

As in ``xilinx/arch.h`` (getPipDelay) and ``xilinx/arch.cc`` of commit e22bcf69: a switch counts
with its greatest delay and its own resistance and capacitance, 0.035 ns at least; every step into,
out of or inside a site is 0.025 ns, a way through a LUT 0.3; a flip-flop has 0.1 ns for everything;
block RAM, LUT RAM, shift registers and the PS7 aren't timed; the clock arrives everywhere at once.
"""

from __future__ import annotations

from typing import Dict, List

from overlays.bitstream.timing.cells import Library
from overlays.bitstream.timing.delay import ZERO, Delay, Requirement
from overlays.bitstream.timing.graph import Graph
from overlays.bitstream.timing.netlist import Cell
from overlays.bitstream.timing.routes import NS_PER_OHM_FEMTOFARAD, Routes

_PLACEHOLDER = 0.1
_SITE_STEP = 0.025
_THROUGH_LUT = 0.3
_LEAST_SWITCH = 0.035


class RouterRoutes(Routes):
    """Routes as the router sums them."""

    def delays(self, routing: str, source: str) -> Dict[str, Delay]:
        order, hops, nodes = self._tree(routing, source)
        times = {source: 0.0}
        for wire in order[1:]:
            driver, switch, pin = hops[wire]
            if wire in nodes and driver in nodes:
                step = max(_LEAST_SWITCH, switch.delay.slow_max + NS_PER_OHM_FEMTOFARAD
                           * switch.resistance * switch.capacitance)
            elif wire not in nodes and driver not in nodes and "LUT_O" in wire:
                step = _THROUGH_LUT
            else:
                step = _SITE_STEP
            times[wire] = times[driver] + step
            if pin:
                times[pin] = times[wire]
        return {wire: Delay(time, time, time, time) for wire, time in times.items()}


class RouterLibrary(Library):
    """Cells as the router times them."""

    def _lut(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        super()._lut(graph, cell, [pin for pin in pins if pin[0] == "A"])
        for output in cell.outputs:
            graph.launches.pop(graph.pin(cell.pin(output)), None)
        return []

    def _flip_flop(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        clock = cell.pin("CK")
        time = _PLACEHOLDER
        for output in cell.outputs:
            graph.launch(cell.pin(output), clock, Delay(time, time, time, time))
        for pin in pins:
            if pin in ("D", "CE", "SR"):
                graph.check(cell.pin(pin), clock, Requirement(time, time, time))
        return ["CK"]

    def _block_ram(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        return self._untimed(graph, cell, pins)

    def _ps7(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        return self._untimed(graph, cell, pins)


def without_clock(graph: Graph) -> Graph:
    """The graph with a clock that arrives everywhere at once."""
    graph.clocks = dict.fromkeys(graph.clocks, ZERO)
    graph.notes = ["the router's own figures: placeholders for flip-flops; no block RAM, LUT RAM, "
                   "shift register or PS7; greatest delays for hold too"]
    return graph
