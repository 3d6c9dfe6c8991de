"""The file of answers: a line a picture, JSON or CSV, that an interrupted run can go on with."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

from pynq_bnn.errors import BnnError
from pynq_bnn.result import Result

SUFFIXES = (".jsonl", ".csv")
COLUMNS = ("index", "name", "label", "score", "error", "parameters")
"""Of a CSV file; a JSON line has the same keys, and all scores in place of one."""


class AnswersError(BnnError, ValueError):
    """A file of answers that can't be gone on with; the message says why."""


class Answers:
    """Appends answers to `path`, in order.

    Parameters
    ----------
    path : str or path
        Its suffix says the form: .jsonl or .csv.
    parameters : str
        Checksum of the parameters, in every line.
    resume : bool
        Go on after the whole lines that are there; else the file must not exist.

    Attributes
    ----------
    count : int
        Answers in the file.
    """

    def __init__(self, path: Union[str, os.PathLike], parameters: str, resume: bool) -> None:
        self.path, self._parameters = Path(path), parameters
        if self.path.suffix.lower() not in SUFFIXES:
            raise AnswersError(f"{self.path} does not end in {' or '.join(SUFFIXES)}")
        self._csv = self.path.suffix.lower() == ".csv"
        if self.path.exists() and not resume:
            raise AnswersError(f"{self.path} exists: resume goes on with it, or name another file")
        self.count = self._cut() if self.path.exists() else 0
        self._file = open(self.path, "a", encoding="utf-8", newline="")  # noqa: SIM115 -- close()
        if self._csv and self._file.tell() == 0:
            self._line(list(COLUMNS))

    def names(self) -> Iterator[str]:
        """Names of the pictures whose answers were there, in order."""
        with open(self.path, encoding="utf-8", newline="") as file:
            for line in _rows(file, self._csv):
                if line["parameters"] != self._parameters:
                    raise AnswersError(
                        f"{self.path}: its answers are of parameters {line['parameters']}, not "
                        f"{self._parameters}: name another file")
                yield line["name"]

    def write(self, name: str, result: Optional[Result], error: str = "") -> None:
        """The next picture's answer, or why there is none."""
        label = "" if result is None else result.label
        if self._csv:
            score = "" if result is None else f"{float(result.scores[result.index]):.6g}"
            self._line([self.count, name, label, score, error, self._parameters])
        else:
            scores = None if result is None else [float(f"{s:.6g}") for s in result.scores]
            self._file.write(json.dumps({
                "index": self.count, "name": name, "label": label or None, "scores": scores,
                "error": error or None, "parameters": self._parameters}) + "\n")
        self.count += 1

    def flush(self) -> None:
        """So that what was answered survives this process."""
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _line(self, values: List[Any]) -> None:
        row = io.StringIO()
        # a line break in a name would make two lines of one
        csv.writer(row, lineterminator="\n").writerow(
            [str(value).replace("\r", " ").replace("\n", " ") for value in values])
        self._file.write(row.getvalue())

    def _cut(self) -> int:
        """Drop a line that was being written when the run ended; how many answers are left."""
        lines, whole = 0, 0
        with open(self.path, "rb+") as file:
            for line in file:
                if line.endswith(b"\n"):
                    lines, whole = lines + 1, whole + len(line)
            file.truncate(whole)
        return max(lines - 1, 0) if self._csv else lines


def _rows(file: Any, is_csv: bool) -> Iterator[Dict[str, str]]:
    try:
        if is_csv:
            reader = csv.DictReader(file)
            if reader.fieldnames and tuple(reader.fieldnames) != COLUMNS:
                raise ValueError(f"its columns are {', '.join(reader.fieldnames)}")
            yield from reader
        else:
            for line in file:
                row = json.loads(line)
                yield {key: str(row[key]) for key in ("name", "parameters")}
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise AnswersError(f"{file.name} is no file of answers: {error}") from error
