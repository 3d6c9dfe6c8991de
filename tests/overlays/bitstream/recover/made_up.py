"""A fabric whose pins are inputs of a simulator, and a chip of a few nodes."""

from __future__ import annotations

import json

from overlays.bitstream.recover.fabric import CLOCK, Fabric
from overlays.bitstream.recover.slices import Slice
from overlays.simulation.circuit import Port
from overlays.simulation.netlist_library import Simulator


class Bench(Fabric):
    """Every pin of a site is a net of its own name; `ties` are those that are constant."""

    def __init__(self, ties=()):
        super().__init__(None, None)
        self.ties = dict(ties)

    def net(self, tile, wire):
        if wire in self.ties:
            return self.ties[wire]
        return CLOCK if wire.endswith("CLK") else wire

    def pin(self, tile, pin):
        return self.net(tile, pin.pin)

    def simulator(self, **outputs):
        """All nets that nothing drives are input ports."""
        self.finish()
        circuit = self.circuit
        driven = {each.output for each in (*circuit.unclocked(), *circuit.flip_flops)}
        driven |= {net for ram in circuit.block_rams for port in ram.ports for net in port.outputs}
        looked = set()
        for each in circuit.tables:
            looked.update(each.inputs)
        for each in circuit.flip_flops:
            looked.update((each.data, each.enable, each.reset))
        for each in circuit.lut_rams:
            looked.update((*each.address, *each.write_address, each.data, each.enable))
        for each in circuit.shift_registers:
            looked.update((*each.address, each.data, each.enable))
        for ram in circuit.block_rams:
            for port in ram.ports:
                looked.update((port.enable, port.reset, *port.address, *port.data,
                               *port.write_enables))
        looked.update(outputs.values())
        self.inputs = sorted(looked - driven - {"0", "1"})
        circuit.ports = [Port(net, True, (net,)) for net in self.inputs]
        circuit.ports += [Port(f"out_{name}", False, (net,)) for name, net in outputs.items()]
        return Simulator(circuit)


def slice_on(settings, ties=(), kind="SLICEM"):
    """A slice with these settings (a vector's value by its name) and its bench."""
    bench = Bench(ties)
    given = {name: 1 for name in settings} if not isinstance(settings, dict) else settings
    return Slice(bench, "CLBLM_L_X1Y1", kind, "X0", given), bench


class MadeUpChip:
    """Nodes from lists of (tile, wire)."""

    def __init__(self, *nodes):
        self._wires = [list(node) for node in nodes]
        self._nodes = {wire: number for number, node in enumerate(nodes) for wire in node}

    def tiles(self):
        return sorted({tile for node in self._wires for tile, _ in node})

    def node_of(self, tile, wire):
        return self._nodes.get((tile, wire), (tile, wire))

    def wires_of(self, node):
        return self._wires[node] if isinstance(node, int) else [node]


def write_tile_kind(folder, name, pips=(), sites=(), ppips=""):
    """A tile type as prjxray-db has it; pips as (destination, source, is_directional)."""
    tree = {"pips": {f"{destination}.{source}": {"dst_wire": destination, "src_wire": source,
                                                 "is_directional": str(int(directional))}
                     for destination, source, directional in pips},
            "sites": [{"type": kind, "name": site, "site_pins": {
                pin: {"wire": wire, **({"res": "1"} if drives else {"cap": "1"})}
                for pin, (wire, drives) in pins.items()}} for kind, site, pins in sites]}
    (folder / f"tile_type_{name}.json").write_text(json.dumps(tree))
    if ppips:
        (folder / f"ppips_{name.lower()}.db").write_text(ppips)
