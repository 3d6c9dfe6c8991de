"""The numbered arrays of a source file: an .npz, or a .zip of raw float32; never unpickled."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union
from zipfile import is_zipfile

import numpy as np

from host_ref.errors import shortened
from host_ref.npz import read_members
from host_ref.parameters import ParameterError

MAX_BYTES = 256 << 20
"""What a source may unpack to: twice BinaryNet's network as float64; a laptop's work."""


@dataclass(frozen=True, eq=False)
class Source:
    """What a source file holds.

    Attributes
    ----------
    arrays : list of ndarray
        ``arr_0``, ``arr_1``, ... in the order of their numbers.
    raw : bool
        They are bare bytes in a .zip: one-dimensional float32, their shapes known only to the
        program that reads them.
    sha256 : str
        Of the file, in hex.
    """

    arrays: List[np.ndarray]
    raw: bool
    sha256: str

    def take(self, number: int, what: str, layer: str, shape: Tuple[int, ...]) -> np.ndarray:
        """Array `number`, which is `what` ("gamma") of the layer of that name, checked.

        Raw values take the shape; a scalar stands for all the values of a vector (BNN-PYNQ
        normalizes its last layer with scalars).

        Raises
        ------
        ParameterError
            Names the array and the layer if it has another shape, isn't of floats or isn't finite.
        """
        array = self.arrays[number]
        where = f"arr_{number} ({what} of layer {layer!r})"
        if self.raw and array.size == np.prod(shape):
            array = array.reshape(shape)
        if array.ndim == 0 and len(shape) == 1:
            array = np.full(shape, array)
        if array.shape != shape:
            found = f"{array.size} values" if self.raw else f"shape {array.shape}"
            raise ParameterError(f"{where} has {found}, must be {shape}")
        if array.dtype.kind != "f":
            raise ParameterError(f"{where} holds {array.dtype}, must be of floats")
        if not np.isfinite(array).all():
            raise ParameterError(f"{where} holds NaN or infinity")
        return array


def read(path: Union[str, Path]) -> Source:
    """Read every array of a file.

    Raises
    ------
    OSError
        If there is no such file.
    ParameterError
        If it is not an archive of ``arr_0``, ``arr_1``, ..., or is damaged.
    """
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise ParameterError(f"is larger than {MAX_BYTES:,} bytes: not a parameter file")
        content = Path(path).read_bytes()
    except ValueError as error:  # a NUL in the name
        raise ParameterError(f"is not a file's path: {error}") from None
    if not is_zipfile(io.BytesIO(content)):
        raise ParameterError("is neither an .npz nor a .zip")
    try:
        members: Dict[str, Any] = read_members(io.BytesIO(content), MAX_BYTES)
    except Exception as error:  # zip, zlib and numpy have a dozen kinds for bad files
        raise ParameterError(f"is not a readable .npz or .zip of arrays: {error}") from None
    names = [f"arr_{number}" for number in range(len(members))]
    if not names or set(names) != set(members):
        shown = shortened(", ".join(sorted(members)[:5]), 200) or "nothing"
        raise ParameterError(f"holds {shown}{', ...' * (len(members) > 5)} where arr_0, arr_1, ... "
                             "belong: not of a format that can be converted")
    raw = isinstance(members["arr_0"], bytes)  # numpy hands over as it is what is not an array
    if any(isinstance(member, bytes) != raw for member in members.values()):
        raise ParameterError("mixes numpy's arrays and raw bytes")
    arrays = [_floats(name, members[name]) if raw else members[name] for name in names]
    return Source(arrays, raw, hashlib.sha256(content).hexdigest())


def _floats(name: str, content: bytes) -> np.ndarray:
    if len(content) % 4:
        raise ParameterError(f"{name} has {len(content)} bytes: not a whole number of float32")
    return np.frombuffer(content, "<f4")
