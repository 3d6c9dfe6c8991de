"""What the bits of one type of tile mean: a database's segbits and ppips files.

A line of ``segbits_TYPE.db`` is a feature and its bits, ``COLUMN_BIT``, a ``!`` before those that
must be clear; COLUMN counts frames from the tile's first, BIT from its first word.  A line of
``ppips_TYPE.db`` is a pseudo-PIP: a connection that is always there and has no bits.

Source: Project X-Ray's documentation, "Database development: .db files".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from overlays.bitstream.ecc import WORD_BITS
from overlays.bitstream.errors import DatabaseError
from overlays.bitstream.frames import FRAME_BITS

_ADDRESS = re.compile(r"\[0*(\d+)\]$")
_FILES = {"CLB_IO_CLK": "segbits_{}.db", "BLOCK_RAM": "segbits_{}.block_ram.db"}


class Segbits(NamedTuple):
    """The bits of one feature, counted from where the tile's begin.

    Attributes
    ----------
    block : str
        In which of the tile's blocks of frames they are.
    ones, zeros : tuple of int
        Which must be set and which clear: ``column * FRAME_BITS + bit``.
    """

    block: str
    ones: Tuple[int, ...]
    zeros: Tuple[int, ...]


class Alias(NamedTuple):
    """A tile that is a part of another type's.

    Attributes
    ----------
    type : str
        The other type.
    start : int
        Which of its words is the tile's first.
    sites : mapping
        The tile's names of sites to the other type's.
    """

    type: str
    start: int
    sites: Mapping[str, str]


class TileType:
    """The features of one type of tile, by their names without the tile's.

    Attributes
    ----------
    features : dict of str to Segbits
        Those that have bits.
    pseudo_pips : frozenset of str
        Those that have none.
    """

    def __init__(self, features: Dict[str, Segbits], pseudo_pips: FrozenSet[str]) -> None:
        self.features = features
        self.pseudo_pips = pseudo_pips
        self._vectors = {name[:name.rindex("[")] for name in features if name.endswith("]")}

        self._extents = _extents(features)

    def canonical(self, name: str) -> Optional[str]:
        """The name under which `features` has a feature: FASM lets address 0 be left out."""
        if name in self.features:
            return name
        other = name[:-3] if name.endswith("[0]") else f"{name}[0]"
        return other if other in self.features else None

    def find(self, name: str) -> Optional[Segbits]:
        """The bits of a feature."""
        found = self.features.get(name)
        return self.features.get(self.canonical(name) or "") if found is None else found

    def extent(self, block: str) -> Tuple[int, int]:
        """How many frames and how many bits of each the features of a kind of block need."""
        return self._extents.get(block, (0, 0))

    def is_vector(self, name: str) -> bool:
        return name in self._vectors

    def seen_as(self, alias: Alias, words: int) -> Dict[str, Segbits]:
        """The features of a tile of `words` words that is a part of this type's."""
        names = {there: here for here, there in alias.sites.items()}
        return {_with_site(name, names): moved
                for name, bits in self.features.items()
                for moved in [_moved(bits, alias.start * WORD_BITS, words * WORD_BITS)]
                if moved is not None}


def _extents(features: Dict[str, Segbits]) -> Dict[str, Tuple[int, int]]:
    extents: Dict[str, Tuple[int, int]] = {}
    for block, ones, zeros in features.values():
        frames, bits = extents.get(block, (0, 0))
        places = ones + zeros
        extents[block] = (max(frames, max(places) // FRAME_BITS + 1),
                          max(bits, max(place % FRAME_BITS for place in places) + 1))
    return extents


def _with_site(name: str, names: Mapping[str, str]) -> str:
    site, dot, rest = name.partition(".")
    return names.get(site, site) + dot + rest


def _moved(bits: Segbits, start: int, size: int) -> Optional[Segbits]:
    """The bits as counted from bit `start` of the words, if all are among the next `size`."""
    if all(start <= place % FRAME_BITS < start + size for place in bits.ones + bits.zeros):
        return Segbits(bits.block, tuple(place - start for place in bits.ones),
                       tuple(place - start for place in bits.zeros))
    return None


def has_segbits(folder: Path, name: str) -> bool:
    """Whether a database knows any bits of a type of tile."""
    return (folder / _FILES["CLB_IO_CLK"].format(name.lower())).exists()


def read_features(folder: Path, name: str) -> Dict[str, Segbits]:
    """The features with bits of the type of tile `name`; none, where the folder has no file."""
    features: Dict[str, Segbits] = {}
    for block, pattern in _FILES.items():
        path = folder / pattern.format(name.lower())
        for feature, places in _lines(path):
            try:
                features[_ADDRESS.sub(r"[\1]", feature)] = _segbits(block, places)
            except ValueError:
                raise DatabaseError(f"{path}: the bits of {feature} are not understood: "
                                    f"{places!r}") from None
    return features


def _segbits(block: str, places: str) -> Segbits:
    ones: List[int] = []
    zeros: List[int] = []
    for place in places.split():
        column, bit = place.lstrip("!").split("_")
        (zeros if place[0] == "!" else ones).append(int(column) * FRAME_BITS + int(bit))
    return Segbits(block, tuple(ones), tuple(zeros))


def read_pseudo_pips(folder: Path, name: str) -> FrozenSet[str]:
    """The features without bits of the type of tile `name`."""
    return frozenset(feature for feature, _ in _lines(folder / f"ppips_{name.lower()}.db"))


def _lines(path: Path) -> Iterator[Tuple[str, str]]:
    """Of every line the feature, without the type before its first dot, and the rest."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            feature = name.partition(".")[2]
            if not feature or not rest:
                raise DatabaseError(f"{path}, line {number}: a feature and more was expected, not "
                                    f"{line!r}")
            yield feature, rest
