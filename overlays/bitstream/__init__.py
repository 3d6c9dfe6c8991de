"""From a design's features (FASM) to the bitstream that configures a 7-series part, and back.

A placed and routed design is a list of features; :mod:`~overlays.bitstream.database` says which
bits of the configuration memory each one is, :mod:`~overlays.bitstream.frames` holds that memory,
and :mod:`~overlays.bitstream.configuration` writes the commands that load it.  The database is
Project X-Ray's (https://github.com/openXC7/prjxray-db), which isn't part of this package.

:func:`assemble` and :func:`disassemble` are all that a build needs.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Union

from overlays.bitstream import configuration, fasm
from overlays.bitstream.assembler import Assembler
from overlays.bitstream.bitfile import EPOCH, BitFile, read_bit
from overlays.bitstream.database import Database
from overlays.bitstream.disassembler import Disassembly, UnknownBit, disassemble_frames
from overlays.bitstream.errors import (
    BitFileError,
    BitstreamError,
    DatabaseError,
    FasmError,
    FeatureError,
)
from overlays.bitstream.frames import Frames

__all__ = [
    "BitFileError", "BitstreamError", "DatabaseError", "Disassembly", "FasmError", "FeatureError",
    "UnknownBit", "assemble", "disassemble", "read_frames",
]

_Path = Union[str, Path]


def assemble(fasm_path: _Path, bit_path: _Path, database_folder: _Path, part: str,
             design_name: str, when: datetime = EPOCH) -> Frames:
    """Write the .bit of a design.

    The part's required features are added.  The same design gives the same bytes, on any day.

    Parameters
    ----------
    fasm_path, bit_path : path
        The design's features, and where the bitstream goes.
    database_folder : path
        A Project X-Ray database of the family: prjxray-db/zynq7.
    part : str
        As it is ordered: xc7z020clg400-1.
    design_name : str
        For the .bit's header.
    when : datetime, optional
        For the .bit's header.

    Returns
    -------
    Frames
        What the configuration memory will hold.

    Raises
    ------
    BitstreamError
        If anything is wrong, above all if the database lacks a feature; nothing is written then.
    """
    database = Database(database_folder, part)
    assembler = Assembler(database)
    assembler.add(fasm.read(fasm_path))
    assembler.add(database.required_features())
    frames = assembler.frames()
    made = BitFile.made(design_name, database.part.header_name, configuration.to_words(frames),
                        when)
    Path(bit_path).write_bytes(made.to_bytes())
    return frames


def disassemble(bit_path: _Path, database_folder: _Path) -> Disassembly:
    """The features in a .bit, and its bits that no feature explains.

    Parameters
    ----------
    bit_path : path
        A bitstream of a whole die; its header says for which part.
    database_folder : path
        As for :func:`assemble`.

    Raises
    ------
    BitstreamError
        If the file is damaged, or the database doesn't know the part.
    """
    bitfile = read_bit(bit_path)
    database = Database(database_folder, _part_name(bitfile.part, Path(database_folder)))
    return disassemble_frames(database, _frames(bitfile, bit_path, database))


def read_frames(bit_path: _Path, database_folder: _Path) -> Frames:
    """The configuration memory that a .bit gives, with every frame of the die.

    Raises
    ------
    BitstreamError
        As :func:`disassemble`.
    """
    bitfile = read_bit(bit_path)
    database = Database(database_folder, _part_name(bitfile.part, Path(database_folder)))
    return _frames(bitfile, bit_path, database)


def _frames(bitfile: BitFile, path: _Path, database: Database) -> Frames:
    try:
        return configuration.from_words(database.part, bitfile.words)
    except BitFileError as error:
        raise BitFileError(f"the bitstream {path} can't be used: {error}") from None


def _part_name(header: str, folder: Path) -> str:
    """The database's name of the part in a header, which has neither prefix nor speed grade."""
    wanted = re.sub(r"^xc", "", header.split("-")[0])
    for path in sorted(folder.glob("*/part.json")):
        if path.parent.name.split("-")[0] == f"xc{wanted}":
            return path.parent.name
    raise DatabaseError(f"{folder} has no part {header}, for which the bitstream says it is")
