"""The classifier: pictures in, answers out, on whichever device there is."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Dict, List, Optional, Union

import numpy as np

from host_ref.parameters import Parameters
from pynq_bnn import selftest
from pynq_bnn.accelerator import Accelerator, Run
from pynq_bnn.check import CheckReport, check
from pynq_bnn.devices import Device, open_device
from pynq_bnn.errors import ClosedError
from pynq_bnn.images import is_single, to_pictures
from pynq_bnn.library import DEFAULT, load_parameters
from pynq_bnn.result import Result, Results
from pynq_bnn.timing import Timing


class Classifier:
    """A network loaded into a device.

    Parameters
    ----------
    parameters : str, path or Parameters
        A name of :func:`pynq_bnn.available`, a parameter file, or parameters already loaded.
    device : str, Device or None
        "model", "rtl" or "board"; None takes PYNQ_BNN_DEVICE, else the board on a board and the
        model elsewhere.  A :class:`~pynq_bnn.devices.Device` stays the caller's to close.
    timeout_s : float
        Longest wait for any run.
    known_answer : bool
        Run the known-answer test after loading.  A device that fails it can be checked and
        self-tested without.

    Examples
    --------
    >>> with Classifier() as classifier:          # doctest: +SKIP
    ...     print(classifier.classify("cat.png").top(3))
    """

    def __init__(self, parameters: Union[str, Any] = DEFAULT,
                 device: Union[str, Device, None] = None, timeout_s: float = 10.0,
                 known_answer: bool = True) -> None:
        self.parameters: Parameters = load_parameters(parameters)
        self._owns_device = not isinstance(device, Device)
        self.device = open_device(device) if self._owns_device else device
        self._closed = False
        try:
            self.accelerator = Accelerator(self.device, timeout_s)
            self.accelerator.load(self.parameters)
            if known_answer:
                selftest.require_known_answer(self.accelerator)
        except BaseException:
            self.close()
            raise

    @property
    def classes(self) -> List[str]:
        """The labels, in the order of the scores."""
        return list(self.parameters.classes)

    def classify(self, source: Any) -> Union[Result, Results]:
        """Classify one picture (a Result) or several (Results).

        Parameters
        ----------
        source : path, PIL image, ndarray, or a list or batch array of these
            See :func:`pynq_bnn.images.to_pictures`.
        """
        self._require_open()
        started = time.perf_counter()
        network = self.parameters.network
        pictures = to_pictures(source, network.height, network.width)
        prepare_s = time.perf_counter() - started
        results: List[Result] = []
        for start in range(0, len(pictures), self.batch):
            part = pictures[start:start + self.batch]
            share = prepare_s * len(part) / len(pictures)
            results += self._results(part, self.accelerator.run(part), share)
        return results[0] if is_single(source) else Results(results)

    def scores(self, pictures: np.ndarray) -> np.ndarray:
        """Scores float32 (N, classes) of prepared pictures uint8 (N, H, W, 3), nothing else."""
        self._require_open()
        parts = [self.accelerator.run(pictures[start:start + self.batch]).sums
                 for start in range(0, max(len(pictures), 1), self.batch)]
        return self._score(np.concatenate(parts))

    @property
    def batch(self) -> int:
        """Most pictures that go through the device together."""
        return self.accelerator.batch

    def _score(self, sums: np.ndarray) -> np.ndarray:
        last = self.parameters.layers[-1]
        return last.k * sums.astype(np.float32) + last.h

    def _results(self, pictures: np.ndarray, run: Run, images_s: float) -> List[Result]:
        started = time.perf_counter()
        scores = self._score(run.sums)
        read_s = run.read_s + time.perf_counter() - started
        prepare_s = images_s + run.prepare_s
        timing = Timing(
            device=self.device.name, batch=len(pictures), prepare_s=prepare_s, copy_s=run.copy_s,
            run_s=run.run_s, read_s=read_s, total_s=prepare_s + run.copy_s + run.run_s + read_s,
            cycles=run.cycles, clock_mhz=self.device.clock_mhz,
            build=f"{self.accelerator.capabilities.build:08x}",
            parameters=self.parameters.checksum)
        return [Result(classes=tuple(self.parameters.classes), scores=scores[n], sums=run.sums[n],
                       picture=pictures[n], timing=timing) for n in range(len(pictures))]

    def check(self, source: Any) -> CheckReport:
        """Compare every layer of the device with the reference on these pictures."""
        self._require_open()
        network = self.parameters.network
        return check(self.accelerator, to_pictures(source, network.height, network.width))

    def selftest(self) -> selftest.SelfTestReport:
        """Test registers, known answer, batches, error recovery and every layer."""
        self._require_open()
        return selftest.self_test(self.accelerator)

    def info(self) -> Dict[str, Any]:
        """Device, versions, hashes, clocks and limits, for reports and JSON."""
        self._require_open()
        capabilities = self.accelerator.capabilities
        return {
            "device": self.device.describe(),
            "interface": capabilities.version,
            "build": f"{capabilities.build:08x}",
            "capabilities": asdict(capabilities),
            "clock_mhz": self.device.clock_mhz,
            "batch": self.batch,
            "network": {
                "name": self.parameters.name, "checksum": self.parameters.checksum,
                "classes": self.classes, "macs": self.parameters.network.macs,
                "weight_bits": self.parameters.network.weight_bits,
                "accuracy": self.parameters.accuracy, "training": self.parameters.training},
        }

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

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"on {self.device.name}"
        return f"<Classifier {self.parameters.name}, {len(self.classes)} classes, {state}>"
