"""From frames to features, and the bits that no feature explains.

A feature is there when all its bits are as it wants them.  Where one feature's bits contain
another's, both are named: a decoded bitstream has more features than went in, never fewer (but for
pseudo-PIPs, which have no bits).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple, Union

import numpy as np

from overlays.bitstream.database import Database, Tile
from overlays.bitstream.ecc import WORD_BITS
from overlays.bitstream.frames import FRAME_BITS, Frames
from overlays.bitstream.segbits import Segbits, TileType

# bounds the memory for comparing many tiles with many features
_CHUNK = 16_000_000


class UnknownBit(NamedTuple):
    """A bit that is set and belongs to no feature: the frame's address, the word, the bit."""

    address: int
    word: int
    bit: int


@dataclass(frozen=True)
class Disassembly:
    """What a configuration memory says.

    Attributes
    ----------
    part : str
        The part that it is for.
    features : list of str
        One for each bit of a vector, grouped by the type of tile.
    unknown : list of UnknownBit
        In the order of the frames.
    """

    part: str
    features: List[str]
    unknown: List[UnknownBit]

    def write(self, path: Union[str, Path]) -> None:
        """As FASM, the unknown bits as annotations."""
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(f"{feature}\n" for feature in self.features)
            out.writelines(f'{{ unknown_bit = "{bit.address:08x}_{bit.word}_{bit.bit}" }}\n'
                           for bit in self.unknown)


def disassemble_frames(database: Database, frames: Frames) -> Disassembly:
    """The features in `frames`, which must be of the database's part."""
    bits = frames.bits()
    explained = np.zeros(len(bits), bool)
    features: List[str] = []
    groups: Dict[Tuple[int, str], List[Tile]] = defaultdict(list)
    for tile in database.tiles():
        for block in tile.windows:
            groups[id(tile.type), block].append(tile)
    for (_, block), tiles in groups.items():
        used = _used(tiles, block, bits)
        if used:
            features += _matches(used, block, bits, explained)
    unknown = [UnknownBit(int(frames.part.addresses[place // FRAME_BITS]),
                          place % FRAME_BITS // WORD_BITS, place % WORD_BITS)
               for place in np.flatnonzero(bits.astype(bool) & ~explained).tolist()]
    return Disassembly(frames.part.name, features, unknown)


def _used(tiles: List[Tile], block: str, bits: np.ndarray) -> List[Tile]:
    """The tiles with any bit set; the others are as if they were not there."""
    memory = bits.reshape(-1, FRAME_BITS)

    def used(tile: Tile) -> bool:
        window = tile.windows[block]
        first = window.word * WORD_BITS
        return bool(memory[window.frame:window.frame + window.frames,
                           first:first + window.words * WORD_BITS].any())

    return [tile for tile in tiles if used(tile)]


def _matches(tiles: List[Tile], block: str, bits: np.ndarray,
             explained: np.ndarray) -> Iterator[str]:
    """The features in tiles of one type; the bits that they set are noted as explained."""
    origins = np.array([tile.windows[block].origin for tile in tiles])
    for names, places, wanted in _by_size(tiles[0].type, block):
        # of all bits of the tiles only the columns that some feature looks at
        columns, column_of = np.unique(places, return_inverse=True)
        column_of = column_of.reshape(places.shape)
        step = max(1, _CHUNK // places.size)
        for first in range(0, len(tiles), step):
            some = origins[first:first + step]
            held = bits[some[:, None] + columns]
            found, which = np.nonzero((held[:, column_of] == wanted).all(2))
            explained[(some[found][:, None] + places[which])[wanted[which] == 1]] = True
            for tile, feature in zip(found.tolist(), which.tolist()):
                yield f"{tiles[first + tile].name}.{names[feature]}"


def _by_size(kind: TileType, block: str) -> Iterator[Tuple[List[str], np.ndarray, np.ndarray]]:
    """The features with equally many bits: names, places and wanted values, (features, bits)."""
    sizes: Dict[int, List[Tuple[str, Segbits]]] = defaultdict(list)
    for name, bits in kind.features.items():
        if bits.block == block:
            sizes[len(bits.ones) + len(bits.zeros)].append((name, bits))
    for same in sizes.values():
        yield ([name for name, _ in same],
               np.array([bits.ones + bits.zeros for _, bits in same]),
               np.array([[1] * len(bits.ones) + [0] * len(bits.zeros) for _, bits in same],
                        np.uint8))
