"""Where many pictures come from: files, folders and archives, one after another."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple, Union

from pynq_bnn.errors import PictureError
from pynq_bnn.frames import PICTURES

ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MEMBER_BYTES_MAX = 64 << 20
"""An archive's member is held whole while it is decoded; a larger one is no picture of ours."""


class Entry(NamedTuple):
    """One picture to come: its name, and its path or its bytes."""

    name: str
    content: Union[str, bytes]


def entries(sources: Iterable[Union[str, os.PathLike]]) -> Iterator[Entry]:
    """Pictures of files, folders (with all below them, by name) and archives (in their order).

    Of a folder only the names of what lies beside each other are held, of an archive a member.
    Files in folders and archives that are no pictures by their suffix are passed over.

    Raises
    ------
    PictureError
        If a source is missing, or an archive is damaged.
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


def _archive(path: str, members: object) -> Iterator[Entry]:
    try:
        yield from members(path)  # type: ignore[operator]
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise PictureError(f"{path} is damaged or no archive: {error}") from error


def _zip(path: str) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir() and _is_picture(member.filename):
                content = b"" if member.file_size > MEMBER_BYTES_MAX else archive.read(member)
                yield Entry(str(Path(path) / member.filename), content)


def _tar(path: str) -> Iterator[Entry]:
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            if member.isfile() and _is_picture(member.name):
                file = None if member.size > MEMBER_BYTES_MAX else archive.extractfile(member)
                yield Entry(str(Path(path) / member.name), b"" if file is None else file.read())
            archive.members = []  # type: ignore[attr-defined]  # it would keep all of them
