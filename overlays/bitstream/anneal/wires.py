"""A placed design's nets and delays, as arrays for anneal.c."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Set

import numpy as np

from overlays.bitstream.anneal.sites import Site
from overlays.bitstream.timing.blocks import read_blocks
from overlays.bitstream.timing.cells import Library
from overlays.bitstream.timing.delay import Delay
from overlays.bitstream.timing.graph import Graph
from overlays.bitstream.timing.netlist import Netlist
from overlays.bitstream.timing.slices import read_slices

WIDE = 1000
"""Pins of a net that is left out: it reaches everywhere, wherever its pins are."""
WIDE_NS = 2.5
INSIDE_NS = 0.1
CHAIN = "CIN"
"""A carry chain's input from the slice below: no wire, however the chain moves."""
SHARED = ("WA", "WE", "CLK", "CK", "CE", "SR", CHAIN)
"""Pins that a slice has once for its lanes (UG474, "Slice Description"), or that are no wire."""
NEVER = 1e9
LUT_RAM, FIXED = "X_LUT_AS_DRAM", 2.5
"""A LUT RAM's pins count for more: a wire to a LUT may take any of its pins, to memory one only,
and the write address, which its lanes share, comes to it besides.  Where such slices lie side by
side the router shared five times as many wires as elsewhere."""
CROSSING = (1.0, 1.0, 1.0, 1.0, 1.0828, 1.1536, 1.2206, 1.2823, 1.3385, 1.3991, 1.4493)
CROSSING_EACH = 0.0337
"""How much a net's box counts by its units (Cheng, RISA, 1994, as VPR has it), and each more."""


@dataclass
class Wires:
    """Arrays as anneal.c has them."""

    unit_ptr: np.ndarray
    unit_nets: np.ndarray
    unit_pins: np.ndarray
    net_ptr: np.ndarray
    pin_unit: np.ndarray
    crossing: np.ndarray
    apart: np.ndarray
    arc_source: np.ndarray
    arc_sink: np.ndarray
    arc_pin: np.ndarray
    arc_net: np.ndarray
    arc_delay: np.ndarray
    launch: np.ndarray
    required: np.ndarray


def read_library(database: Path, sites: Dict[str, Site]) -> Library:
    """The delays of cells."""
    ram, system = read_blocks(database)
    return Library(read_slices(database), lambda site: sites[site].kind, ram, system)


def read_wires(netlist: Netlist, unit_of: Dict[str, int], units: int, library: Library) -> Wires:
    """Nets between units, and what lies between clocked outputs and inputs."""
    graph = Graph()
    clocks: Set[int] = set()
    for cell in netlist.cells:
        live = [pin for pin, net in cell.pins.items() if not netlist.nets[net].is_constant]
        clocks.update(cell.pins[pin] for pin in library.add(graph, cell, live) if pin in cell.pins)

    net_ptr: List[int] = [0]
    pin_unit: List[int] = []
    crossing: List[float] = []
    apart: List[bool] = []
    ways: Dict[tuple, tuple] = {}  # the pin and net of a connection that can be made shorter
    nets_of: List[List[int]] = [[] for _ in range(units)]
    unit_pins = np.zeros(units, np.int32)
    for number, net in netlist.nets.items():
        if net.is_constant or number in clocks or net.driver is None or not net.sinks:
            continue
        source = net.driver[0].pin(net.driver[1])
        ends = [net.driver[0], *(cell for cell, _ in net.sinks)]
        members = {unit_of[cell.name] for cell in ends if cell.name in unit_of}
        inside = len(members) == 1
        counts = not inside and len(ends) <= WIDE and all(c.name in unit_of for c in ends)
        for cell, pin in net.sinks:
            fixed = 0.0 if pin == CHAIN else INSIDE_NS if inside else WIDE_NS
            graph.arc(source, cell.pin(pin), Delay(*[fixed] * 4), is_net=True)
        if not counts:
            continue
        pin_unit.append(unit_of[net.driver[0].name])
        apart.append(False)
        for cell, pin in net.sinks:
            apart.append(net.driver[0].kind == "SLICE_FFX" and cell.kind.startswith("RAMB"))
            if pin != CHAIN:
                ways[graph.pin(source), graph.pin(cell.pin(pin))] = (len(pin_unit), len(crossing))
            pin_unit.append(unit_of[cell.name])
        for unit in members:
            nets_of[unit].append(len(crossing))
        unit_pins[unit_of[net.driver[0].name]] += 1
        for unit in {unit_of[cell.name] for cell, pin in net.sinks if not pin.startswith(SHARED)}:
            unit_pins[unit] += 1
        crossing.append(CROSSING[len(members)] if len(members) < len(CROSSING) else
                        CROSSING[-1] + CROSSING_EACH * (len(members) - len(CROSSING) + 1))
        net_ptr.append(len(pin_unit))

    memories = {unit_of[cell.name] for cell in netlist.cells
                if LUT_RAM in cell.attributes and cell.name in unit_of}
    for unit in memories:
        unit_pins[unit] = round(FIXED * unit_pins[unit])

    arcs = []
    for node in graph.order():
        for arc in graph.fanout[node]:
            arcs.append((node, arc.sink, *ways.get((node, arc.sink), (-1, -1)), arc.delay.slow_max))
    launch = np.full(len(graph.names), -NEVER, np.float32)
    for node, begin in graph.launches.items():
        launch[node] = begin.delay.slow_max
    required = np.full(len(graph.names), -NEVER, np.float32)
    for check in graph.checks:
        required[check.pin] = max(required[check.pin], check.requirement.setup)
    *numbers, delays = zip(*arcs)
    sources, sinks, pins, nets = (np.array(column, np.int32) for column in numbers)
    return Wires(
        np.cumsum([0, *map(len, nets_of)]).astype(np.int32),
        np.array([number for numbers in nets_of for number in numbers], np.int32),
        unit_pins, np.array(net_ptr, np.int32), np.array(pin_unit, np.int32),
        np.array(crossing, np.float32), np.array(apart, np.uint8), sources, sinks, pins, nets,
        np.array(delays, np.float32), launch, required)
