"""Reading an .npz that nobody vouches for: sizes are looked at before anything is unpacked."""

from __future__ import annotations

from typing import Any, BinaryIO, Dict
from zipfile import ZipFile

import numpy as np


def read_members(file: BinaryIO, most_bytes: int) -> Dict[str, Any]:
    """Every member of an .npz by its name; never unpickled.

    Parameters
    ----------
    most_bytes : int
        What all of them together may unpack to: some kilobytes can hold gigabytes of zeros.

    Returns
    -------
    dict of str to ndarray
        What is not an array comes as bytes.

    Raises
    ------
    ValueError
        If they are larger; nothing was unpacked then.
    Exception
        Whatever zipfile, zlib or numpy make of a damaged file.
    """
    with ZipFile(file) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > most_bytes:
        raise ValueError(f"it unpacks to {size:,} bytes, at most {most_bytes:,} are read")
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
