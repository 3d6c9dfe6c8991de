"""The classifier: pictures in, answers out, on whichever device there is."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from itertools import accumulate, islice, repeat
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    NoReturn,
    Optional,
    Tuple,
    Union,
    overload,
)

import numpy as np

from host_ref.errors import printable
from host_ref.parameters import Parameters
from pynq_bnn import notebook
from pynq_bnn.devices import Device, as_device, open_device
from pynq_bnn.driver.accelerator import DEFAULT_TIMEOUT_S, Accelerator
from pynq_bnn.driver.run import Run, Started
from pynq_bnn.errors import ClosedError
from pynq_bnn.images import is_single, to_pictures
from pynq_bnn.networks import DEFAULT, load_parameters
from pynq_bnn.profile import Profile
from pynq_bnn.result import Result, Results
from pynq_bnn.timing import Timing
from pynq_bnn.verify import selftest
from pynq_bnn.verify.check import CheckReport, check


class _Batch(NamedTuple):
    """Pictures of one run of the device, and when and how long they were prepared."""

    pictures: np.ndarray
    begun: float
    prepare_s: float


class _Facts(NamedTuple):
    """Where every number of a classifier comes from: see Timing."""

    device: str
    clock_mhz: Optional[float]
    build: str
    parameters: str


class Classifier:
    """A network loaded into a device.

    Threads may share one: they take turns.

    Parameters
    ----------
    parameters : str, path or Parameters
        A name of :func:`pynq_bnn.available`, a parameter file, or parameters already loaded.
    device : str, Device, overlay or None
        "model", "cpu", "rtl" or "board"; None takes PYNQ_BNN_DEVICE, else the board on a board and
        the cpu elsewhere, or the model where there is no C compiler.  A
        :class:`~pynq_bnn.devices.Device` stays the caller's to close, and so does an overlay: a
        ``BnnOverlay``, or its accelerator, ``overlay.bnn``.
    timeout_s : float
        Longest wait for any run; of the cpu, for a picture.
    known_answer : bool
        Run the known-answer test after loading.  Without it a device that gives wrong answers can
        be opened too, to be checked and self-tested.

    Examples
    --------
    >>> with Classifier() as classifier:          # doctest: +SKIP
    ...     print(classifier.classify("cat.png").top(3))
    """

    def __init__(self, parameters: Union[str, Any] = DEFAULT,
                 device: Union[str, Device, Any, None] = None,
                 timeout_s: float = DEFAULT_TIMEOUT_S, known_answer: bool = True) -> None:
        self.parameters: Parameters = load_parameters(parameters)
        self._owns_device = device is None or isinstance(device, str)
        self.device: Device = (open_device(device) if device is None or isinstance(device, str)
                               else as_device(device))
        self._closed = False
        try:
            self.accelerator: Accelerator = self.device.open_accelerator(timeout_s)
            self.accelerator.load(self.parameters)
            if known_answer:
                selftest.require_known_answer(self.accelerator)
        except BaseException:
            self.close()
            raise
        self._classes = tuple(self.parameters.classes)
        self._temperature = self.parameters.temperature
        self._build = f"{self.accelerator.capabilities.build:08x}"
        self._facts = _Facts(self.device.name, self.device.clock_mhz, self._build,
                             self.parameters.checksum)

    @property
    def classes(self) -> List[str]:
        """The labels, in the order of the scores."""
        return list(self.parameters.classes)

    @property
    def batch(self) -> int:
        """Most pictures that go through the device together."""
        return self.accelerator.batch

    @property
    def run_size(self) -> int:
        """Most pictures in a run of the device: one full batch after another."""
        return self.accelerator.run_size

    # Answers.

    @overload
    def classify(self, source: Union[List[Any], Tuple[Any, ...]]) -> Results: ...

    @overload
    def classify(self, source: Any) -> Union[Result, Results]: ...

    def classify(self, source: Any) -> Union[Result, Results]:
        """Classify one picture (a Result) or several (Results).

        Parameters
        ----------
        source : path, PIL image, ndarray, or a list or batch array of these
            See :func:`pynq_bnn.images.to_pictures`.
        """
        begun = time.perf_counter()
        self._require_open()
        network = self.parameters.network
        if is_single(source):
            before = time.perf_counter()
            pictures = to_pictures(source, network.height, network.width)
            prepare_s = time.perf_counter() - before
            run = self.accelerator.run(pictures)
            return next(self._results(pictures, run, begun, prepare_s))
        if len(source) == 0:
            to_pictures(source)  # says what is wrong
        parts, runs, prepare_s = [], [], 0.0
        for batch, run in self._runs(self._batches(source, self._sizes(len(source))), fixed=True):
            parts.append(batch.pictures)
            runs.append(run)
            prepare_s += batch.prepare_s
        before = time.perf_counter()
        sums, pictures = _joined([run.sums for run in runs]), _joined(parts)
        scores = self._score(sums)
        now = time.perf_counter()
        timing = _timing(self._facts, runs, min(len(parts[0]), self.batch), len(sums),
                         now - begun, prepare_s, now - before)
        return Results(self._classes, scores, sums, pictures, timing, self._temperature)

    def _results(self, pictures: np.ndarray, run: Run, begun: float,
                 prepare_s: float) -> Iterator[Result]:
        """What one run gave, picture by picture; what nobody may look at is made when looked at."""
        before = time.perf_counter()
        sums, scores = run.sums, self._score(run.sums)
        for array in (pictures, sums, scores):
            array.setflags(write=False)
        now = time.perf_counter()
        timing = partial(_timing, self._facts, [run], min(len(sums), self.batch), len(sums),
                         now - begun, prepare_s, now - before)
        for answer in zip(scores, sums, pictures):
            yield Result._owning(self._classes, *answer, timing, self._temperature)

    def stream(self, pictures: Iterable[Any]) -> Iterator[Result]:
        """Classify any number of pictures, one answer after another, in constant memory.

        While the device works on a batch, and on the first layer of the next, the one after that
        is prepared; a batch's answers come when the next has been started.  Of a batch array whole
        runs go through the device so (:attr:`run_size`).  It may be left at any time, and others
        may use the device meanwhile.

        Parameters
        ----------
        pictures : iterable of paths, PIL images or arrays, or a batch array
            Without an end, too.

        Yields
        ------
        Result
            In the order of the pictures.  Its timing is the batch's (of an array the run's), from
            the first picture's preparation to the scores; batches overlap.
        """
        self._require_open()
        return self._stream(pictures)

    def _stream(self, source: Iterable[Any]) -> Iterator[Result]:
        if is_single(source) and isinstance(source, (str, np.ndarray)):
            source = [source]
        # of anything else nobody knows how long its next picture takes to come
        sizes = (self._sizes(len(source)) if isinstance(source, np.ndarray)
                 else repeat(self.batch))
        for batch, run in self._runs(self._batches(source, sizes)):
            yield from self._results(batch.pictures, run, batch.begun, batch.prepare_s)

    def scores(self, pictures: np.ndarray) -> np.ndarray:
        """Scores float32 (N, classes) of prepared pictures uint8 (N, H, W, 3), nothing else."""
        return self._score(self.sums(pictures))

    def sums(self, pictures: np.ndarray) -> np.ndarray:
        """The last layer's sums int16 (N, classes) of prepared pictures uint8 (N, H, W, 3)."""
        self._require_open()
        if len(pictures) == 0:
            return self.accelerator.run(pictures).sums  # says what is wrong
        sizes = list(self._sizes(len(pictures)))
        batches = (_Batch(pictures[end - size:end], 0.0, 0.0)
                   for size, end in zip(sizes, accumulate(sizes)))
        return _joined([run.sums for _, run in self._runs(batches, fixed=True)])

    def profile(self, source: Any) -> Profile:
        """Cycles of each layer, counted by the hardware, for one picture or up to a batch.

        Raises
        ------
        DeviceError
            If the device counts no cycles, as the model.
        """
        self._require_open()
        network = self.parameters.network
        pictures = to_pictures(source, network.height, network.width)
        run, stages = self.accelerator.profile(pictures)
        return Profile(stages, len(pictures), run.cycles or 0, self.device.name,
                       self.device.clock_mhz, self._build, self.parameters.checksum)

    def _sizes(self, count: int) -> Iterator[int]:
        """How many of `count` pictures each run takes: as many full batches as it can; the rest.

        A shorter one comes first, as the device has nothing to do while its pictures are prepared.
        """
        whole, rest = count - count % self.batch, count % self.batch
        if whole % self.run_size:
            yield whole % self.run_size
        yield from repeat(self.run_size, whole // self.run_size)
        if rest:
            yield rest

    def _batches(self, source: Iterable[Any], sizes: Iterable[int]) -> Iterator[_Batch]:
        """Pictures prepared, so many at a time, to the end of either."""
        network, first = self.parameters.network, 0
        items = iter(source)
        for size in sizes:
            begun = time.perf_counter()
            some = source[first:first + size] if isinstance(source, np.ndarray) else list(
                islice(items, size))
            if not len(some):
                return
            pictures = to_pictures(some, network.height, network.width, first)
            yield _Batch(pictures, begun, time.perf_counter() - begun)
            first += len(some)

    def _runs(self, batches: Iterator[_Batch], fixed: bool = False
              ) -> Iterator[Tuple[_Batch, Run]]:
        """Run after run; the pictures of each are prepared while the device works on those before.

        `fixed` if nobody comes to change their pictures in between.
        """
        before: Optional[Tuple[_Batch, Started]] = None
        batch = next(batches, None)
        while batch is not None:
            following = next(batches, None)
            started = self.accelerator.start(
                batch.pictures, None if following is None else following.pictures,
                before[1] if fixed and before is not None else None)
            if before is not None:
                yield before[0], self.accelerator.finish(before[1])
            before, batch = (batch, started), following
        if before is not None:
            yield before[0], self.accelerator.finish(before[1])

    def _score(self, sums: np.ndarray) -> np.ndarray:
        last = self.parameters.layers[-1]
        return last.k * sums.astype(np.float32) + last.h

    # Is it right?

    def check(self, source: Any) -> CheckReport:
        """Compare every layer of the device with the reference on these pictures."""
        self._require_open()
        network = self.parameters.network
        return check(self.accelerator, to_pictures(source, network.height, network.width),
                     self.classify)

    def selftest(self) -> selftest.SelfTestReport:
        """Test registers, known answer, batches, error recovery and every layer."""
        self._require_open()
        return selftest.self_test(self.accelerator, self.classify)

    def info(self) -> Dict[str, Any]:
        """Device, versions, hashes, clocks and limits, for reports and JSON."""
        self._require_open()
        capabilities = self.accelerator.capabilities
        return {
            "device": self.device.describe(),
            "interface": capabilities.version,
            "build": self._build,
            "capabilities": asdict(capabilities),
            "clock_mhz": self.device.clock_mhz,
            "batch": self.batch,
            "network": {
                "name": self.parameters.name, "checksum": self.parameters.checksum,
                "classes": self.classes, "macs": self.parameters.network.macs,
                "weight_bits": self.parameters.network.weight_bits,
                "accuracy": self.parameters.accuracy, "training": self.parameters.training},
        }

    # Closing.

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("this classifier was closed: make a new one")

    def close(self) -> None:
        """Free device memory, and the device if it was opened here; closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        accelerator: Optional[Accelerator] = getattr(self, "accelerator", None)
        try:
            if accelerator is not None:
                accelerator.close()
        finally:
            if self._owns_device:
                self.device.close()

    def __enter__(self) -> Classifier:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Classifier holds a device and can't be pickled or copied: give a worker process "
            "the parameter file's name, and let it make its own Classifier there (on a board only "
            "one process can have the accelerator)")

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"on {self.device.name}"
        name = printable(self.parameters.name)
        return f"<Classifier {name}, {len(self.classes)} classes, {state}>"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """What a notebook shows; it must not keep the device's memory because of that."""
        printer.text(repr(self))
        notebook.forget(self)


def _joined(parts: List[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _timing(facts: _Facts, runs: List[Run], batch: int, count: int, total_s: float,
            prepare_s: float, score_s: float) -> Timing:
    cycles = None if runs[0].cycles is None else sum(run.cycles or 0 for run in runs)
    return Timing(
        facts.device, batch, prepare_s, sum(run.copy_s for run in runs),
        sum(run.run_s for run in runs), score_s + sum(run.read_s for run in runs), total_s, cycles,
        facts.clock_mhz, facts.build, facts.parameters, count)
