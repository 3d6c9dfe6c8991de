"""A Project X-Ray database folder (zynq7): which tile has which bits, and what they mean.

Of a folder's hundreds of files only those are read, once, that the tiles asked for need.

Source: https://github.com/openXC7/prjxray-db; its format is in Project X-Ray's documentation,
"Database".
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from overlays.bitstream import fasm
from overlays.bitstream.ecc import FRAME_WORDS, WORD_BITS
from overlays.bitstream.errors import DatabaseError
from overlays.bitstream.frames import FRAME_BITS
from overlays.bitstream.part import Part, read_part
from overlays.bitstream.segbits import (
    Alias,
    TileType,
    has_segbits,
    read_features,
    read_pseudo_pips,
)

_REQUIRED = "required_features.fasm"


class Window(NamedTuple):
    """Where in the configuration memory one tile's bits are, of one kind of block.

    Attributes
    ----------
    frame : int
        The number of the first frame.
    frames : int
        How many there are.
    word, words : int
        The first of the tile's words in each of them, and how many.
    origin : int
        The place of the tile's first bit.
    """

    frame: int
    frames: int
    word: int
    words: int
    origin: int

    @classmethod
    def at(cls, frame: int, frames: int, word: int, words: int) -> "Window":
        return cls(frame, frames, word, words, frame * FRAME_BITS + word * WORD_BITS)


class Tile(NamedTuple):
    """One tile of the grid: its name, what its bits mean and where they are, by kind of block."""

    name: str
    type: TileType
    windows: Dict[str, Window]


class Database:
    """What is known of `part` in the database folder `folder`.

    Raises
    ------
    DatabaseError
        Here and in every method, if the folder lacks a file or a file contradicts another.
    """

    def __init__(self, folder: Union[str, Path], part: str) -> None:
        self.folder = Path(folder)
        self.part: Part = read_part(self.folder, part)
        self._tiles: Dict[str, Optional[Tile]] = {}
        self._types: Dict[Tuple[object, ...], TileType] = {}

    @cached_property
    def fabric(self) -> str:
        """The die that is in the part's package."""
        return _fabric(self.folder, self.part.name)

    @cached_property
    def _grid(self) -> Dict[str, dict]:
        return read_grid(self.folder, self.fabric)

    def tile(self, name: str) -> Optional[Tile]:
        """The tile called `name`, or None."""
        if name not in self._tiles:
            entry = self._grid.get(name)
            self._tiles[name] = None if entry is None else self._read_tile(name, entry)
        return self._tiles[name]

    def tiles(self) -> List[Tile]:
        """All tiles that have bits."""
        named = (self.tile(name) for name, entry in self._grid.items() if entry.get("bits"))
        return [tile for tile in named if tile is not None]

    def required_features(self) -> List[fasm.Feature]:
        """What every bitstream needs, whatever the design.

        They are a matter of the die: a package that the database has none for takes another's.
        """
        others = sorted(path.parent.name for path in self.folder.glob(f"*/{_REQUIRED}")
                        if _fabric(self.folder, path.parent.name) == self.fabric)
        chosen = self.part.name if self.part.name in others else next(iter(others), None)
        return [] if chosen is None else list(fasm.read(self.folder / chosen / _REQUIRED))

    def _read_tile(self, name: str, entry: dict) -> Tile:
        try:
            blocks = entry.get("bits", {})
            windows = {block: self._window(place) for block, place in blocks.items()}
            aliases = [Alias(place["alias"]["type"], place["alias"]["start_offset"],
                             place["alias"]["sites"])
                       for place in blocks.values() if "alias" in place]
            words = max((window.words for window in windows.values()), default=0)
            kind = self._type(entry["type"], aliases[0] if aliases else None, words)
        except (KeyError, TypeError, ValueError) as error:
            raise DatabaseError(f"the grid's {name} isn't understood: {error!r}") from None
        for block, window in windows.items():
            frames, width = kind.extent(block)
            if not (frames <= window.frames and width <= window.words * WORD_BITS
                    and window.word + window.words <= FRAME_WORDS
                    and self._in_one_column(window)):
                raise DatabaseError(f"the {block} bits of {name} lie outside its frames and words")
        return Tile(name, kind, windows)

    def _window(self, place: dict) -> Window:
        return Window.at(self.part.number(int(place["baseaddr"], 0)), place["frames"],
                         place["offset"], place["words"])

    def _in_one_column(self, window: Window) -> bool:
        last = window.frame + window.frames - 1
        return last < self.part.frames and bool(
            self.part.addresses[last] - self.part.addresses[window.frame] == window.frames - 1)

    def _type(self, name: str, alias: Optional[Alias], words: int) -> TileType:
        # a type with segbits of its own needs no other's
        if alias is None or has_segbits(self.folder, name):
            alias = None
        key = (name,) if alias is None else (name, alias.type, alias.start, words,
                                             tuple(alias.sites.items()))
        if key not in self._types:
            features = (read_features(self.folder, name) if alias is None
                        else self._type(alias.type, None, 0).seen_as(alias, words))
            self._types[key] = TileType(features, read_pseudo_pips(self.folder, name))
        return self._types[key]


def read_grid(folder: Path, fabric: str) -> Dict[str, dict]:
    """The tiles of a die: where each is, its sites, its bits."""
    path = folder / fabric / "tilegrid.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatabaseError(f"the grid {path} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise DatabaseError(f"the grid {path} is damaged: {error}") from None


def _fabric(folder: Path, part: str) -> str:
    """The die of a part, by the folder's mapping/parts.yaml and devices.yaml."""
    device = _mapping(folder / "mapping" / "parts.yaml").get(part)
    fabric = _mapping(folder / "mapping" / "devices.yaml").get(device or "")
    if fabric is None:
        raise DatabaseError(f"{folder / 'mapping'} doesn't say which die {part} is")
    return fabric


def _mapping(path: Path) -> Dict[str, str]:
    """The first field of each entry of a two-level YAML file, which is what we look for."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DatabaseError(f"{path} can't be read: {error.strerror}") from None
    return dict(re.findall(r'^"?([\w-]+)"?:\s*\n\s+\w+:\s*"?([\w-]+)"?', text, re.MULTILINE))
