"""Where many pictures come from: files, folders and archives, one after another."""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Callable, Iterable, Iterator, NamedTuple, Union

from pynq_bnn.errors import PictureError
from pynq_bnn.frames import PICTURES

ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MEMBER_BYTES_MAX = 64 << 20
"""An archive's member is held whole while it is decoded; a larger one is no picture of ours."""
TOO_LARGE = f"more than {MEMBER_BYTES_MAX >> 20} MiB in an archive: unpack it first"
DAMAGED = (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError)


class Entry(NamedTuple):
    """One picture to come: its name, and its path or its bytes, or why there are none."""

    name: str
    content: Union[str, bytes]
    error: str = ""


def entries(sources: Iterable[Union[str, os.PathLike]]) -> Iterator[Entry]:
    """Pictures of files, folders (with all below them, by name) and archives (in their order).

    Of a folder only the names of what lies beside each other are held, of a .zip its directory, of
    any archive a member.  Files in folders and archives that are no pictures by their suffix are
    passed over; a .zip's member that can't be read is an entry with its error.

    Raises
    ------
    PictureError
        If a source is missing, or an archive is damaged so that nothing after it can be found.
    """
    for source in sources:
        path = os.fspath(source)
        lower = path.lower()
        if os.path.isdir(path):
            yield from _folder(path)
        elif not os.path.exists(path):
            raise PictureError(f"{path}: no such file, folder or archive")
        elif lower.endswith(ZIP):
            yield from _archive(path, _zip)
        elif lower.endswith(TAR):
            yield from _archive(path, _tar)
        else:
            yield Entry(path, path)


def _is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURES)


def _folder(path: str) -> Iterator[Entry]:
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise PictureError(f"{path} can't be listed: {error}") from error
    for name in names:
        each = os.path.join(path, name)
        if os.path.isdir(each):
            if not os.path.islink(each):  # it may lead back to where it lies
                yield from _folder(each)
        elif _is_picture(name):
            yield Entry(each, each)


def _archive(path: str, members: Callable[[str], Iterator[Entry]]) -> Iterator[Entry]:
    try:
        yield from members(path)
    except DAMAGED as error:
        raise PictureError(f"{path} is damaged or no archive: {error}") from error


def _zip(path: str) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir() and _is_picture(member.filename):
                content, reason = b"", TOO_LARGE
                if member.file_size <= MEMBER_BYTES_MAX:
                    try:
                        content, reason = archive.read(member), ""
                    except (*DAMAGED, RuntimeError) as error:  # encrypted; no such compression
                        reason = str(error)
                yield Entry(str(Path(path) / member.filename), content, reason)


def _tar(path: str) -> Iterator[Entry]:
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            if member.isfile() and _is_picture(member.name):
                file = None if member.size > MEMBER_BYTES_MAX else archive.extractfile(member)
                name = str(Path(path) / member.name)
                yield Entry(name, b"", TOO_LARGE) if file is None else Entry(name, file.read())
            archive.members = []  # type: ignore[attr-defined]  # it would keep all of them
