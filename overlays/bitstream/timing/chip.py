"""Which wires of which tiles are one node: from nextpnr-xilinx's chip database.

The router names a node by one of its wires; the delays in prjxray-db belong to the wires and
switches of each tile that it passes.  Only the names, nodes and sites are read here, from the
memory-mapped file, as laid out in ``xilinx/arch.h`` of nextpnr-xilinx (commit e22bcf69): structures
of little-endian words, pointers in words relative to themselves.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Dict, List, Tuple, Union

from overlays.bitstream.timing.delay import TimingError

_TILE_TYPE_BYTES = 32
_WIRE_BYTES = 40
_TILE_BYTES = 24
_NODE_BYTES = 12
_SITE_BYTES = 32

TileWire = Tuple[str, str]
Node = Union[int, TileWire]
"""A node's number; a wire that is alone is its own node."""


class Chip:
    """Nodes, tiles and sites of one device."""

    def __init__(self, path: Path) -> None:
        try:
            with open(path, "rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._read_tables()
        except (OSError, ValueError, struct.error, IndexError, UnicodeDecodeError) as error:
            raise TimingError(f"{path}: not a chip database of nextpnr-xilinx: {error}") from error

    def _read_tables(self) -> None:
        root = self._pointer(0)
        tiles, types = self._word(root + 20), self._word(root + 24)
        if tiles <= 0 or types <= 0:
            raise ValueError("no tiles")
        self._types, self._tiles, self._nodes, names = (
            self._pointer(root + offset) for offset in (32, 36, 40, 44))
        # the first names are nextpnr's own and stand in its program; no wire of a tile has one
        self._known, extra = self._word(names), self._word(names + 4)
        table = self._pointer(names + 8)
        self._names = [self._text(self._pointer(table + 4 * k)) for k in range(extra)]
        self._wire_names = [self._names_of_type(self._types + _TILE_TYPE_BYTES * k)
                            for k in range(types)]
        self._wire_indices: List[Dict[str, int]] = [
            {name: k for k, name in reversed(list(enumerate(wires)))}
            for wires in self._wire_names]
        self._tile_names: List[str] = []
        self._tile_index: Dict[str, int] = {}
        self._tile_of_site: Dict[str, str] = {}
        for k in range(tiles):
            at = self._tiles + _TILE_BYTES * k
            name = self._text(self._pointer(at))
            self._tile_names.append(name)
            self._tile_index[name] = k
            sites = self._pointer(at + 20)
            for s in range(self._word(at + 16)):
                self._tile_of_site[self._text(self._pointer(sites + _SITE_BYTES * s))] = name

    def tiles(self) -> List[str]:
        """The names of all tiles."""
        return self._tile_names

    def tile_of_site(self, site: str) -> str:
        """The tile that a site stands in."""
        if site not in self._tile_of_site:
            raise TimingError(f"the chip database has no site {site}")
        return self._tile_of_site[site]

    def node(self, wire: str) -> List[TileWire]:
        """All wires (tile, name) of the node that ``tile/wire`` belongs to."""
        tile, _, name = wire.partition("/")
        if tile not in self._tile_index:
            raise TimingError(f"the chip database has no tile {tile}")
        if name not in self._wire_indices[self._tile_type(tile)]:
            raise TimingError(f"the chip database has no wire {wire}")
        return self.wires_of(self.node_of(tile, name))

    def node_of(self, tile: str, wire: str) -> Node:
        """The node that a tile's wire belongs to; one that nothing is known of is its own."""
        if tile not in self._tile_index:
            return tile, wire
        at = self._tiles + _TILE_BYTES * self._tile_index[tile]
        index = self._wire_indices[self._word(at + 4)].get(wire)
        if index is None or index >= self._word(at + 8):
            return tile, wire
        node = self._word(self._pointer(at + 12) + 4 * index)
        return (tile, wire) if node < 0 else node

    def wires_of(self, node: Node) -> List[TileWire]:
        """All wires (tile, name) of a node."""
        if not isinstance(node, int):
            return [node]
        at = self._nodes + _NODE_BYTES * node
        refs = struct.unpack_from(f"<{2 * self._word(at)}i", self._data, self._pointer(at + 8))
        return [self._tile_wire(refs[k], refs[k + 1]) for k in range(0, len(refs), 2)]

    def _tile_type(self, tile: str) -> int:
        return self._word(self._tiles + _TILE_BYTES * self._tile_index[tile] + 4)

    def _tile_wire(self, tile: int, index: int) -> TileWire:
        kind = self._word(self._tiles + _TILE_BYTES * tile + 4)
        return self._tile_names[tile], self._wire_names[kind][index]

    def _names_of_type(self, at: int) -> List[str]:
        wires = self._pointer(at + 16)
        indices = [self._word(wires + _WIRE_BYTES * k) for k in range(self._word(at + 12))]
        return [self._names[i - self._known] if i >= self._known else f"#{i}" for i in indices]

    def _word(self, at: int) -> int:
        return struct.unpack_from("<i", self._data, at)[0]

    def _pointer(self, at: int) -> int:
        return at + 4 * self._word(at)

    def _text(self, at: int) -> str:
        end = self._data.find(b"\0", at)
        return self._data[at:end].decode()
