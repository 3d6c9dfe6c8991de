"""What a bitstream says against what the design wanted, feature for feature and frame for frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Iterator, List, Set

from overlays.bitstream.assembler import Assembler
from overlays.bitstream.database import Database
from overlays.bitstream.disassembler import UnknownBit, disassemble_frames
from overlays.bitstream.fasm import Feature
from overlays.bitstream.frames import Frames


@dataclass(frozen=True)
class Readback:
    """How a bitstream differs from its design.

    Attributes
    ----------
    lost : list of str
        Features of the design that the bitstream doesn't have.
    gained : list of str
        Features that the design doesn't name.  They are not faults by themselves: one whose bits
        are among another's, or that wants bits clear, shows too.
    changed : list of int
        The addresses of frames that differ when what was read is assembled again.
    unknown : list of UnknownBit
        Bits that no feature explains.
    """

    lost: List[str]
    gained: List[str]
    changed: List[int]
    unknown: List[UnknownBit]

    @property
    def faithful(self) -> bool:
        """Whether the bitstream is the design, and can be said in features alone."""
        return not (self.lost or self.changed or self.unknown)


def read_back(database: Database, design: Iterable[Feature], frames: Frames) -> Readback:
    """Compare `frames`, as read from a .bit, with the features that were to go into it."""
    found = disassemble_frames(database, frames)
    wanted: Set[str] = set()
    for features in (design, database.required_features()):
        for feature in features:
            wanted.update(_with_bits(database, feature))
    there = set(found.features)
    again = Assembler(database)
    again.add(Feature(name, None, line) for line, name in enumerate(found.features, 1))
    changed = {address for address, _, _ in again.frames().differences(frames)}
    return Readback(sorted(wanted - there), sorted(there - wanted), sorted(changed), found.unknown)


def _with_bits(database: Database, feature: Feature) -> Iterator[str]:
    """The feature's single bits as the database calls them; pseudo-PIPs have none."""
    tile_name, _, name = feature.name.partition(".")
    tile = database.tile(tile_name)
    if tile is not None and name in tile.type.pseudo_pips:
        return
    for single in feature.single_bits():
        known = tile and tile.type.canonical(single[len(tile_name) + 1:])
        yield f"{tile_name}.{known}" if known else single
