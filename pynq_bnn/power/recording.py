"""A run whose power is wanted: idle, windows of work with rests between them, idle again.

The windows' begins and ends are stamped here, by the board's clock, whoever measures the power:
a sensor of this machine, read beside the work, or a meter elsewhere, whose log comes later.  Five
windows of ten seconds and their median, as MLPerf Tiny's open submissions measured.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Type,
    Union,
)

import numpy as np

from pynq_bnn.measure.provenance import Provenance
from pynq_bnn.power import hwmon
from pynq_bnn.power.errors import NoPowerSource, PowerError
from pynq_bnn.power.sampler import Sampler
from pynq_bnn.power.trace import Trace
from pynq_bnn.progress import shown

if TYPE_CHECKING:
    from pynq_bnn.classifier import Classifier
    from pynq_bnn.power.connect import Readings
    from pynq_bnn.power.energy import Energy

WINDOWS, WINDOW_S, IDLE_S, REST_S = 5, 10.0, 10.0, 2.0


@dataclass
class Window:
    """One stretch of work.

    Attributes
    ----------
    begin, end : float
        In s of this machine's monotonic clock; `end` once it is over.
    pictures : int
        What :meth:`add` counted.
    """

    begin: float
    seconds: float
    end: float = float("nan")
    pictures: int = 0

    @property
    def is_open(self) -> bool:
        """Whether there is time left: ask between batches."""
        return time.monotonic() - self.begin < self.seconds

    def is_over(self, _: int = 0) -> bool:
        """For a stream that asks whether it is enough."""
        return not self.is_open

    def add(self, pictures: int) -> None:
        """Count pictures that are done."""
        self.pictures += pictures


@dataclass
class Recording:
    """A context manager around the work.

    Parameters
    ----------
    source : str or sequence of str, optional
        The sensors to read (:func:`pynq_bnn.power.sensors`).  Without it the only one there is; if
        there is none, a meter's log or readings are wanted afterwards.
    idle_s, rest_s : float
        How long the board rests before and after all windows, and between two.
    provenance : Provenance, optional
        What worked: the report carries it.

    Examples
    --------
    >>> with Recording() as recording:                       # doctest: +SKIP
    ...     for window in recording.windows():
    ...         while window.is_open:
    ...             window.add(len(classifier.classify(batch)))
    >>> recording.energy("meter.csv")                        # doctest: +SKIP
    """

    source: Union[str, Sequence[str], None] = None
    idle_s: float = IDLE_S
    rest_s: float = REST_S
    provenance: Optional[Provenance] = None
    trace: Optional[Trace] = None
    done: List[Window] = field(default_factory=list)
    span: Tuple[float, float] = (float("nan"), float("nan"))
    _sampler: Optional[Sampler] = None

    def __enter__(self) -> Recording:
        if not (self.idle_s > 0 and self.rest_s > 0):
            raise PowerError(f"idle {self.idle_s} s, rests {self.rest_s} s: more than 0 each")
        try:
            self._sampler = Sampler(hwmon.choose(self.source))
        except NoPowerSource:
            if self.source is not None:
                raise
        if self._sampler is not None:
            self._sampler.start()
        self.done, self.span = [], (time.monotonic(), float("nan"))
        try:
            time.sleep(self.idle_s)
        except BaseException:
            self._stop(quietly=True)
            raise
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        try:
            if kind is None:
                time.sleep(self.idle_s)
            self.span = self.span[0], time.monotonic()
        finally:
            self._stop(quietly=kind is not None)

    def _stop(self, quietly: bool) -> None:
        """End the sampling; its own error doesn't stand before one of the work."""
        sampler, self._sampler = self._sampler, None
        if sampler is not None:
            with suppress(*(PowerError,) if quietly else ()):
                self.trace = sampler.stop()

    def windows(self, count: int = WINDOWS, seconds: float = WINDOW_S) -> Iterator[Window]:
        """One window after the other: each runs from when it is given to when the next is asked."""
        if count < 1 or not seconds > 0:
            raise PowerError(f"{count} windows of {seconds} s: at least 1, of more than 0 s")
        for number in range(count):
            if number:
                time.sleep(self.rest_s)
            window = Window(time.monotonic(), seconds)
            yield window
            window.end = time.monotonic()
            self.done.append(window)

    def energy(self, measured: Union[str, Path, Trace, Readings, None] = None,
               offset_s: Optional[float] = None) -> Energy:
        """What it took.

        Parameters
        ----------
        measured : path, Trace or Readings, optional
            A meter's log, readings of it, or readings typed in.  Without it: the sensor's.
        offset_s : float, optional
            This machine's monotonic clock less the meter's; without it fitted to the steps.

        Raises
        ------
        NoPowerSource
            If nothing measured; says what to connect where.
        PowerError
            If the log can't be read, or doesn't fit the windows.
        """
        from pynq_bnn.power.energy import Energy

        return Energy.of(self, measured, offset_s)

    def save(self, path: Union[str, Path]) -> None:
        """Write the stamps, and what a sensor read, for :func:`load` on another machine."""
        trace = self.trace and {"seconds": self.trace.seconds.tolist(),
                                "watts": self.trace.watts.tolist(), "source": self.trace.source}
        Path(path).write_text(json.dumps({
            "recording": 1, "span": self.span, "windows": [asdict(each) for each in self.done],
            "provenance": self.provenance and asdict(self.provenance), "trace": trace,
        }, indent=1) + "\n", encoding="utf-8")


def load(path: Union[str, Path]) -> Recording:
    """Read what :meth:`Recording.save` wrote.

    Raises
    ------
    PowerError
        If it is not such a file.
    """
    try:
        document: Dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["recording"] != 1:
            raise ValueError(f"of version {document['recording']}")
        begin, end = map(float, document["span"])
        trace = document["trace"] and Trace(
            np.array(document["trace"]["seconds"], float),
            np.array(document["trace"]["watts"], float), str(document["trace"]["source"]))
        provenance = document["provenance"] and Provenance(**document["provenance"])
        done = [Window(float(each["begin"]), float(each["seconds"]), float(each["end"]),
                       int(each["pictures"])) for each in document["windows"]]
    except OSError as error:
        raise PowerError(f"{path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PowerError(f"{path} is not a recording of Recording.save: {error!r}") from error
    return Recording(provenance=provenance, trace=trace, done=done, span=(begin, end))


def record(classifier: Classifier, images: Any, windows: int = WINDOWS,
           seconds: float = WINDOW_S, progress: bool = False, **options: Any) -> Recording:
    """Record the power of ``stream`` on some pictures, over and over.

    Parameters
    ----------
    images
        One picture or several, as ``stream`` takes them.
    progress : bool
        Show a bar, where tqdm is there: it takes a minute and more.
    **options
        Of :class:`Recording`.
    """
    from pynq_bnn.measure.repeated import repeated

    for _ in classifier.stream(repeated(images, classifier.batch, lambda done: done > 0)):
        pass  # the first batch warms up, and shows bad pictures before anybody waits
    with Recording(provenance=Provenance.of(classifier), **options) as recording:
        for window in shown(recording.windows(windows, seconds), progress, "windows of work",
                            "window", windows):
            for _ in classifier.stream(repeated(images, classifier.batch, window.is_over)):
                window.add(1)
    return recording
