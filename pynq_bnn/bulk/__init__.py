"""Any number of pictures: decoded beside the device, or a cluster's, answers into a file."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Deque, Dict, Iterable, Iterator, Optional, Tuple, Union

import numpy as np

from pynq_bnn.bulk.answers import Answers, AnswersError
from pynq_bnn.bulk.decoding import CHUNK, decode
from pynq_bnn.bulk.sources import Entry, entries
from pynq_bnn.classifier import Classifier
from pynq_bnn.progress import shown

if TYPE_CHECKING:
    from pynq_bnn.cluster import Cluster

__all__ = ["Answers", "AnswersError", "Summary", "classify_all"]

WORKERS_MAX = 8
"""Each process holds numpy and Pillow, 60 MiB; more feed no device that there is."""


@dataclass
class Summary:
    """What became of the pictures.

    Attributes
    ----------
    classified, bad, before : int
        Answered now; not readable; already in the file when this run began.
    labels : dict of str to int
        Pictures of each class, of those classified now.
    seconds : float
        Wall clock of this run.
    """

    output: str
    classified: int = 0
    bad: int = 0
    before: int = 0
    labels: Dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def to_dict(self) -> Dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        rate = self.classified / self.seconds if self.seconds else 0.0
        lines = [f"{self.output}: {self.classified:,} pictures classified, {self.bad:,} could not "
                 f"be read, {self.before:,} were there already; {rate:,.0f} a second"]
        lines += [f"  {label:<12} {count:>9,}" for label, count in sorted(
            self.labels.items(), key=lambda item: -item[1])]
        return "\n".join(lines)


def classify_all(classifier: Union[Classifier, Cluster], sources: Iterable[Union[str, os.PathLike]],
                 output: Union[str, os.PathLike], resume: bool = False,
                 workers: Optional[int] = None, progress: bool = False) -> Summary:
    """Classify files, folders and archives into a file, a few batches of them in memory.

    Every picture has one line, in order; one that can't be read has its error there.  A run that
    was interrupted goes on with ``resume=True`` where its file ends.

    Parameters
    ----------
    classifier : Classifier or Cluster
        A cluster gets whole chunks: so many pictures of a run that was interrupted may be lost.
    sources : iterable of paths
        Pictures, folders and archives (.zip, .tar and compressed ones).
    output : path
        .jsonl or .csv; see :mod:`pynq_bnn.bulk.answers`.
    workers : int, optional
        Processes that decode; by default one fewer than the processors, at most WORKERS_MAX.
    progress : bool
        Show a bar, where tqdm is there.

    Raises
    ------
    AnswersError
        If the file is there and not to be gone on with, or belongs to other pictures or parameters.
    PictureError
        If a source is missing or an archive damaged; what was answered before is in the file.
    BnnError
        If a process that decodes dies.
    """
    begun = time.perf_counter()
    network = classifier.parameters.network
    count = min((os.cpu_count() or 1) - 1, WORKERS_MAX) if workers is None else workers
    answers = Answers(output, classifier.parameters, resume)
    summary = Summary(str(output), before=answers.count)
    labels: Counter = Counter()
    waiting: Deque[Tuple[str, str]] = deque()  # decoded and not yet in the file: name, error

    def settle() -> None:
        """Write the errors that nothing before them has to wait for."""
        while waiting and waiting[0][1]:
            name, error = waiting.popleft()
            answers.write(name, None, error)
            summary.bad += 1

    def pictures() -> Iterator[np.ndarray]:
        for each in decode(remaining, network.height, network.width, count):
            waiting.append((each.name, each.error))
            if each.picture is None:
                settle()
            else:
                yield each.picture

    try:
        remaining = _after(entries(sources), answers)
        answers.begin()
        for scores in shown(_scores(classifier, pictures()), progress, "classify", "picture"):
            settle()
            labels[answers.write(waiting.popleft()[0], scores)] += 1
            summary.classified += 1
            if summary.classified % CHUNK == 0:
                answers.flush()
        settle()
    finally:
        answers.close()
    summary.labels, summary.seconds = dict(labels), time.perf_counter() - begun
    return summary


def _scores(classifier: Union[Classifier, Cluster],
            pictures: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Each picture's scores float32 (classes,)."""
    if isinstance(classifier, Classifier):
        return (result.scores for result in classifier.stream(pictures))
    from pynq_bnn.cluster import CHUNK

    chunks = (np.stack(some) for some in iter(lambda: list(islice(pictures, CHUNK)), []))
    return (scores for some in classifier.stream(chunks) for scores in some)


def _after(source: Iterator[Entry], answers: Answers) -> Iterator[Entry]:
    """What is not in the file yet; what is has to be the same pictures."""
    for number, name in enumerate(answers.names()):
        entry = next(source, None)
        if entry is None or answers.as_written(entry.name) != name:
            raise AnswersError(
                f"{answers.path}: its answer {number} is of {name!r}, these pictures have "
                f"{entry.name if entry else 'nothing'!r} there: name another file")
    return source
