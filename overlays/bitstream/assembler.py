"""From features to frames."""

from __future__ import annotations

from typing import Iterable, List

import numpy as np

from overlays.bitstream.database import Database, Tile
from overlays.bitstream.errors import FeatureError
from overlays.bitstream.fasm import Feature
from overlays.bitstream.frames import FRAME_BITS, Frames
from overlays.bitstream.segbits import Segbits

_NAMED = 10


class Assembler:
    """Collects features and sets their bits; all others of the die stay clear.

    Parameters
    ----------
    database : Database
        Of the part that the design is for.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        size = database.part.frames * FRAME_BITS
        self._ones = bytearray(size)
        self._zeros = bytearray(size)
        self._unknown: List[str] = []
        # in parallel, to tell afterwards who wanted a bit
        self._tiles: List[Tile] = []
        self._bits: List[Segbits] = []

    def add(self, features: Iterable[Feature]) -> None:
        """Set the bits of some features; :meth:`frames` tells of those that are unknown."""
        find_tile = self.database.tile
        for feature in features:
            tile_name, _, name = feature.name.partition(".")
            tile = find_tile(tile_name)
            if tile is None or not self._add(tile, name, feature):
                self._unknown.append(f"{feature.name} (line {feature.line})")

    def _add(self, tile: Tile, name: str, feature: Feature) -> bool:
        """Whether the tile has the feature; if so, its bits were noted."""
        kind = tile.type
        if name in kind.pseudo_pips:
            return True
        if feature.addresses is None:
            names: Iterable[str] = (name,)
        elif feature.addresses or kind.is_vector(name) or kind.find(name):
            names = [f"{name}[{address}]" for address in feature.addresses]
        else:
            return False
        for each in names:
            bits = kind.find(each)
            if bits is None or bits.block not in tile.windows:
                return False
            self._note(tile, bits)
        return True

    def _note(self, tile: Tile, bits: Segbits) -> None:
        ones, zeros = self._ones, self._zeros
        origin = tile.windows[bits.block].origin
        for place in bits.ones:
            ones[origin + place] = 1
        for place in bits.zeros:
            zeros[origin + place] = 1
        self._tiles.append(tile)
        self._bits.append(bits)

    def frames(self) -> Frames:
        """The configuration memory with every feature that was added, and no other.

        Raises
        ------
        FeatureError
            If the database lacks a feature, or two features want one bit differently.
        """
        if self._unknown:
            raise FeatureError(
                f"{len(self._unknown)} features are not in the database of "
                f"{self.database.part.name}, and a bitstream without them is not the design: "
                + _some(self._unknown))
        bits = np.frombuffer(self._ones, np.uint8)
        contested = np.flatnonzero(bits & np.frombuffer(self._zeros, np.uint8))
        if len(contested):
            raise FeatureError(self._contradiction(int(contested[0]), len(contested)))
        return Frames.from_bits(self.database.part, bits)

    def _contradiction(self, place: int, count: int) -> str:
        frame, bit = divmod(place, FRAME_BITS)
        setters, clearers = [], []
        for tile, bits in zip(self._tiles, self._bits):
            window = tile.windows[bits.block]
            if place - window.origin in bits.ones:
                setters.append(_name(tile, bits))
            if place - window.origin in bits.zeros:
                clearers.append(_name(tile, bits))
        return (f"{count} bits are wanted both set and clear, the first of them bit {bit} of frame "
                f"{self.database.part.addresses[frame]:#010x}: {_some(setters)} against "
                f"{_some(clearers)}")


def _name(tile: Tile, bits: Segbits) -> str:
    return next(f"{tile.name}.{name}" for name, each in tile.type.features.items() if each is bits)


def _some(names: List[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
