"""The parameter files that come with the package, and finding one by name or path."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Tuple, Union

from host_ref.errors import shortened
from host_ref.parameters import ParameterError, Parameters
from host_ref.parameters import load as load_file

FOLDER = Path(__file__).parent / "weights"
DEFAULT = "cifar10"


class Available(Dict[str, Path]):
    """Names and parameter files; printed, or shown in a notebook, it is a table of what each does.

    Cycles are the gateware's, in simulation; pictures a second follow from them and the shipped
    overlay's clock: predictions.
    """

    def rows(self) -> List[Dict[str, object]]:
        """For each network its name, accuracy, cycles of one picture, and pictures a second.

        The last two are of :func:`pynq_bnn.measure.simulated`, a stream for the rate; None for
        a file that did not come with the package.
        """
        from pynq_bnn.measure.simulated import shipped_clock_mhz, simulated, stream_cycles

        rows: List[Dict[str, object]] = []
        for name, path in self.items():
            parameters = load_file(path)
            cycles = {profile.batch: profile.cycles for profile in simulated(name)
                      if profile.parameters == parameters.checksum}
            in_stream = stream_cycles(name) if cycles else None
            rows.append({
                "name": name, "accuracy": parameters.accuracy.get("accuracy"),
                "cycles": cycles.get(1),
                "images_per_s": shipped_clock_mhz() * 1e6 / in_stream if in_stream else None,
            })
        return rows

    def __repr__(self) -> str:
        lines: List[Tuple[str, ...]] = [
            ("network", "accuracy", "cycles of a picture", "pictures a second, predicted")]
        for row in self.rows():
            lines.append((str(row["name"]), *(
                "-" if row[key] is None else form.format(row[key]) for key, form in (
                    ("accuracy", "{:.2%}"), ("cycles", "{:,}"), ("images_per_s", "{:,.0f}")))))
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join((line[0].ljust(widths[0]), *(
            cell.rjust(width) for cell, width in zip(line[1:], widths[1:])))) for line in lines)


def available() -> Available:
    """The networks that come with the package: name to parameter file; print it for a table."""
    return Available(sorted((path.stem, path) for path in FOLDER.glob("*.npz")))


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
