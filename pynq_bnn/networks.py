"""The parameter files that come with the package, and finding one by name or path."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Union

from host_ref.errors import shortened
from host_ref.parameters import ParameterError, Parameters
from host_ref.parameters import load as load_file

FOLDER = Path(__file__).parent / "weights"
DEFAULT = "cifar10"


def available() -> Dict[str, Path]:
    """The networks that come with the package: name to parameter file."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.npz"))}


def load_parameters(source: Union[str, Path, Parameters] = DEFAULT) -> Parameters:
    """Parameters from a name of :func:`available`, a path to an .npz, or as they are.

    Raises
    ------
    ParameterError
        If there is no such network or file, or the file is bad (it names the layer).
    """
    if isinstance(source, Parameters):
        return source
    known = available()
    if str(source) in known:
        return load_file(known[str(source)])
    try:
        path = Path(source)
    except TypeError:
        raise ParameterError(f"a {type(source).__name__} is not a network: give a name of "
                             "available(), a path or Parameters") from None
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a NUL, or a name longer than any file's
        there = False
    if not there:
        raise ParameterError(
            f"no network {shortened(repr(str(source)), 200)}: it is neither a parameter file nor "
            f"one of the package's ({', '.join(known) or 'none'})")
    return load_file(path)
