"""What each kind of cell that nextpnr-xilinx leaves behind brings into the graph.

The kinds are those of its xc7 packer.  A kind that isn't timed here (DSP48E1, input and output
buffers, PLLs) is entered pin by pin as untimed, never passed over.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, Iterable, List, Optional, Tuple

from overlays.bitstream.timing.blocks import BlockPin, RamTiming, SystemTiming
from overlays.bitstream.timing.delay import Delay
from overlays.bitstream.timing.graph import Graph
from overlays.bitstream.timing.netlist import Cell
from overlays.bitstream.timing.routes import PIN, SITE
from overlays.bitstream.timing.sdf import Pair
from overlays.bitstream.timing.slices import LETTERS, SliceTiming

_CLOCK_PIN = re.compile(r"FCLKCLK\d|\w*CLK[LU]?")


class Library:
    """The figures of every kind of cell.

    Parameters
    ----------
    slices
        By ``SLICEL`` and ``SLICEM``.
    slice_kind
        Which of both a site is.
    ram, system
        Block RAM and PS7.
    """

    def __init__(self, slices: Dict[str, SliceTiming], slice_kind: Callable[[str], str],
                 ram: RamTiming, system: SystemTiming) -> None:
        self._slices = slices
        self._slice_kind = slice_kind
        self._ram = ram
        self._system = system
        self._entries: Dict[str, Callable[[Graph, Cell, List[str]], List[str]]] = {
            "SLICE_LUTX": self._lut, "SLICE_FFX": self._flip_flop,
            "CARRY4": self._carry, "SELMUX2_1": self._mux,
            "RAMB36E1_RAMB36E1": self._block_ram, "RAMB18E1_RAMB18E1": self._block_ram,
            "PS7_PS7": self._ps7, "BUFGCTRL": self._buffer,
            "PSEUDO_GND": self._buffer, "PSEUDO_VCC": self._buffer,
        }

    def inside(self, site: str, source: str, sink: str) -> Optional[Delay]:
        """The delay from wire to wire inside a site."""
        if site.startswith("SLICE_"):
            return self._slice(site).inside(source, sink)
        return Delay(0.0, 0.0, 0.0, 0.0)  # inverters; the database counts to the site's pin

    def _slice(self, site: str) -> SliceTiming:
        return self._slices[self._slice_kind(site)]

    def add(self, graph: Graph, cell: Cell, live: Iterable[str]) -> List[str]:
        """Enter a cell's delays and checks; `live` are its pins on nets that may change.

        Returns
        -------
        clocks
            Its clock pins.
        """
        pins = [pin for pin in live if pin in cell.pins]
        entry = self._entries.get(cell.kind, self._untimed)
        return entry(graph, cell, pins)

    def _lut(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        timing = self._slice(cell.site)
        size = cell.bel[1]
        for output in cell.outputs:
            for pin in pins:
                if len(pin) == 2 and pin[0] == "A":
                    # on a five-input LUT nextpnr may call the last input A6
                    place = "A5" if size == "5" and pin == "A6" else pin
                    delay = timing.luts[cell.bel].get((place, f"O{size}"))
                    if delay is not None:
                        graph.arc(cell.pin(pin), cell.pin(output), delay)
        memory = [kind for mark, kind in (("X_LUT_AS_DRAM", "LRAM"), ("X_LUT_AS_SRL", "SHFREG"))
                  if mark in cell.attributes]
        if not memory:
            return []
        kind = f"LUT_OR_MEM{size}{memory[0]}"
        clock = cell.pin("CLK")
        for output in cell.outputs:
            place = output if output == "MC31" else f"O{size}"
            graph.launch(cell.pin(output), clock, timing.clock_to(kind, cell.bel, place))
        for pin in pins:
            if pin.startswith(("WA", "WE", "DI")):
                self._check(graph, cell, pin, clock, timing, kind)
        return ["CLK"]

    def _flip_flop(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        timing = self._slice(cell.site)
        kind = "FF_INIT" if "5" in cell.bel else "REG_INIT_FF"
        clock = cell.pin("CK")
        for output in cell.outputs:
            graph.launch(cell.pin(output), clock, timing.clock_to(kind, "", output))
            if "SR" in pins and "X_FFSYNC" not in cell.attributes:
                graph.arc(cell.pin("SR"), cell.pin(output), timing.reset_to_output(kind))
        for pin in pins:
            if pin in ("D", "CE", "SR"):
                self._check(graph, cell, pin, clock, timing, kind)
        return ["CK"]

    @staticmethod
    def _check(graph: Graph, cell: Cell, pin: str, clock: str, timing: SliceTiming,
               kind: str) -> None:
        if pin == "SR":
            wanted = timing.reset_requirement(kind, cell.bel, "X_FFSYNC" in cell.attributes)
        else:
            wanted = timing.requirement(kind, cell.bel, "DIN" if pin == "D" else pin)
        if wanted is None:
            graph.untimed_pin(cell.pin(pin), cell.kind, is_output=False)
        else:
            graph.check(cell.pin(pin), clock, wanted)

    def _carry(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        return self._through(graph, cell, pins, self._slice(cell.site).carry)

    def _mux(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        return self._through(graph, cell, pins, self._slice(cell.site).muxes[cell.bel])

    @staticmethod
    def _through(graph: Graph, cell: Cell, pins: List[str], paths: Dict[Pair, Delay]
                 ) -> List[str]:
        for output in cell.outputs:
            for pin in pins:
                if (pin, output) in paths:
                    graph.arc(cell.pin(pin), cell.pin(output), paths[pin, output])
        return []

    def _block_ram(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        return self._block(graph, cell, pins, lambda pin: self._ram.pin(pin, cell.parameters))

    def _ps7(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        return self._block(graph, cell, pins, self._system.pin)

    def _block(self, graph: Graph, cell: Cell, pins: List[str],
               timing: Callable[[str], Optional[BlockPin]]) -> List[str]:
        clocks = set()
        untimed = []
        for pin in pins:
            found = timing(pin)
            if found is None:
                untimed.append(pin)
                continue
            clock = next((found.clock + half for half in ("", "U", "L")
                          if found.clock + half in cell.pins), None)
            if clock is None:
                untimed.append(pin)
                continue
            clocks.add(clock)
            if found.output is not None:
                graph.launch(cell.pin(pin), cell.pin(clock), found.output)
            if found.requirement is not None:
                graph.check(cell.pin(pin), cell.pin(clock), found.requirement)
        # clocks need no timing: those that come in, and the fabric clocks that go out
        self._untimed(graph, cell, [pin for pin in untimed if not _CLOCK_PIN.fullmatch(pin)])
        return sorted(clocks)

    def _buffer(self, graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        return []  # it carries the clock, whose arrival counts from here; or it is constant

    @staticmethod
    def _untimed(graph: Graph, cell: Cell, pins: List[str]) -> List[str]:
        for pin in pins:
            graph.untimed_pin(cell.pin(pin), cell.kind, pin in cell.outputs)
        return []


def places(cell: Cell, port: str) -> Tuple[str, ...]:
    """Where a route may reach a cell's pin, as :class:`~.routes.Routes` names it.

    From the bels of nextpnr's chip database.  Only slices have wires inside that aren't named
    after the pin.  The router swaps a LUT's inputs where it likes; after that the cell's port has
    the name of the slice's pin, and the wire behind it is another's.
    """
    if cell.bel.endswith("LUT") and port[0] == "A":
        return (f"{PIN}{cell.site}/{cell.bel[0]}{port[1]}",)
    return tuple(f"{SITE}{cell.site}/{wire}" for wire in _wires(cell, port))


def _wires(cell: Cell, port: str) -> Tuple[str, ...]:
    if not cell.site.startswith("SLICE_"):
        return (f"{port}INV_OUT", port)
    letter, bel = cell.bel[0], cell.bel
    if port in ("CK", "CLK"):
        return ("CLKINV_OUT",)
    if bel.endswith("LUT"):
        if port[0] == "O" or port == "MC31":
            return (f"{bel}_{port}",)
        if port.startswith("WA"):
            return (f"D{port[2]}",) if port[2] < "7" else (f"{port}USED_OUT",)
        data = "DI" if letter == "D" else f"{letter}DI1MUX_OUT"
        return {"WE": ("WEMUX_OUT",), "DI1": (data,), "DI2": (f"{letter}X",)}[port]
    if bel.endswith("FF"):
        output = f"{letter}Q" if bel == f"{letter}FF" else f"{bel}_Q"
        return {"D": (f"{bel}MUX_OUT",), "CE": ("CEUSEDMUX_OUT",), "SR": ("SRUSEDMUX_OUT",),
                "Q": (output,)}[port]
    if bel == "CARRY4":
        if port[0] in "CO" and port[-1].isdigit():
            return (f"CARRY4_{port}",)
        if port[-1].isdigit():
            place = LETTERS[int(port[-1])]
            return (f"{place}6LUT_O6",) if port[0] == "S" else (f"{place}CY0_OUT",)
        return ("PRECYINIT_OUT",) if port == "CYINIT" else (port,)
    return _MUX_WIRES.get((bel, port), (f"{bel}_{port}",))


_MUX_WIRES = {
    ("F7AMUX", "0"): ("B6LUT_O6",), ("F7AMUX", "1"): ("A6LUT_O6",), ("F7AMUX", "S0"): ("AX",),
    ("F7BMUX", "0"): ("D6LUT_O6",), ("F7BMUX", "1"): ("C6LUT_O6",), ("F7BMUX", "S0"): ("CX",),
    ("F8MUX", "0"): ("F7BMUX_OUT",), ("F8MUX", "1"): ("F7AMUX_OUT",), ("F8MUX", "S0"): ("BX",),
}
