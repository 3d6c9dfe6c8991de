"""The file of answers: a line a picture, JSON or CSV, that an interrupted run can go on with."""

from __future__ import annotations

import csv
import io
import json
import os
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np

from host_ref.parameters import Parameters
from pynq_bnn.errors import BnnError

SUFFIXES = (".jsonl", ".csv")
COLUMNS = ("index", "name", "label", "score", "error", "parameters")
"""Of a CSV file; a JSON line has the same keys, but `scores` of all classes."""


class AnswersError(BnnError, ValueError):
    """A file of answers that can't be begun or gone on with; the message says why."""


class Answers:
    """Appends answers to `path`, in order.

    What is there stays as it is until :meth:`begin`, so that it can be looked at first.  Its owner
    alone writes it: another process that wants it meanwhile is refused (not on Windows).

    Parameters
    ----------
    path : str or path
        Its suffix says the form: .jsonl or .csv.
    parameters : Parameters
        Whose classes the scores are of; their checksum is in every line.
    resume : bool
        Go on after the whole lines that are there; else the file must not exist.

    Attributes
    ----------
    count : int
        Answers in the file.
    """

    def __init__(self, path: Union[str, os.PathLike], parameters: Parameters, resume: bool) -> None:
        self.path, self._parameters = Path(path), parameters.checksum
        self._classes = parameters.classes
        if self.path.suffix.lower() not in SUFFIXES:
            raise AnswersError(f"{self.path} does not end in {' or '.join(SUFFIXES)}")
        self._csv = self.path.suffix.lower() == ".csv"
        self._made = not self.path.exists()
        try:
            self._file = _opened(self.path, "a" if resume else "x")
        except FileExistsError:
            raise AnswersError(
                f"{self.path} exists: resume goes on with it, or name another file") from None
        try:
            _lock(self._file)
            self.count, self._whole = self._length()
        except BaseException:
            self._file.close()
            raise

    def names(self) -> Iterator[str]:
        """Names of the pictures whose answers are there, in order, as :meth:`as_written`."""
        with _opened(self.path, "r") as file:
            for line in islice(_rows(file, self._csv), self.count):
                if line["parameters"] != self._parameters:
                    raise AnswersError(
                        f"{self.path}: its answers are of parameters {line['parameters']}, not "
                        f"{self._parameters}: name another file")
                yield line["name"]

    def as_written(self, name: str) -> str:
        """A picture's name as the file has it."""
        return _one_line(name) if self._csv else name

    def begin(self) -> None:
        """Drop the line that was being written when a run ended; from now on answers follow."""
        self._file.truncate(self._whole)
        if self._csv and not self._whole:
            self._file.write(_csv_line(COLUMNS))

    def write(self, name: str, scores: Optional[np.ndarray], error: str = "") -> str:
        """The next picture's answer, or why there is none; returns its label."""
        label = "" if scores is None else self._classes[int(scores.argmax())]
        if self._csv:
            score = "" if scores is None else f"{float(scores.max()):.6g}"
            line = _csv_line((self.count, name, label, score, error, self._parameters))
        else:
            rounded = None if scores is None else [float(f"{score:.6g}") for score in scores]
            line = json.dumps({
                "index": self.count, "name": name,
                "label": None if scores is None else label, "scores": rounded,
                "error": error or None, "parameters": self._parameters}) + "\n"
        self._file.write(line)
        self.count += 1
        return label

    def flush(self) -> None:
        """So that what was answered survives this process."""
        self._file.flush()

    def close(self) -> None:
        """A file that this one made, and that got no answer, is removed."""
        if self._made and not self.count:
            with suppress(OSError):
                self.path.unlink()
        self._file.close()

    def _length(self) -> Tuple[int, int]:
        """Answers, and bytes up to the end of the last whole line."""
        lines, whole, first = 0, 0, b""
        with open(self.path, "rb") as file:
            for line in file:
                first = first or line
                if line.endswith(b"\n"):
                    lines, whole = lines + 1, whole + len(line)
        start = _csv_line(COLUMNS).encode() if self._csv else b'{"index": 0, "name": "'
        # of a first line that is not whole, a beginning will do
        if not (first.startswith(start) or not lines and start.startswith(first)):
            raise AnswersError(f"{self.path} is no file of answers: name another file")
        return (max(lines - 1, 0) if self._csv else lines), whole


def _opened(path: Path, mode: str) -> IO[str]:
    # a file's name may be of bytes that are no UTF-8
    return open(path, mode, encoding="utf-8", errors="surrogateescape",
                newline="")


def _lock(file: IO[str]) -> None:
    """Until the file is closed, however its process ends."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AnswersError(f"{file.name} is being written by another run") from None


def _one_line(value: object) -> str:
    """A line break in a name or message would make two lines of one."""
    return str(value).replace("\r", " ").replace("\n", " ")


def _csv_line(values: Tuple[Any, ...]) -> str:
    row = io.StringIO()
    cells: List[str] = [_one_line(value) for value in values]
    csv.writer(row, lineterminator="\n").writerow(cells)
    return row.getvalue()


def _rows(file: IO[str], is_csv: bool) -> Iterator[Dict[str, str]]:
    try:
        if is_csv:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ValueError(f"its columns are {', '.join(reader.fieldnames or ())}")
            yield from reader
        else:
            for line in file:
                row = json.loads(line)
                yield {key: str(row[key]) for key in ("name", "parameters")}
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise AnswersError(f"{file.name} is no file of answers: {error}") from error
