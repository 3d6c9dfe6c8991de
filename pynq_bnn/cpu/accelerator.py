"""What a Classifier drives where there is no accelerator: the same calls, on the processor."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitEnded
from typing import TYPE_CHECKING, Any, Iterator, NoReturn, Optional, Tuple

import numpy as np

from host_ref import network as net
from host_ref.parameters import Parameters
from pynq_bnn import registers
from pynq_bnn.cpu.engine import Engine
from pynq_bnn.cpu.library import source_hash
from pynq_bnn.driver.capabilities import Capabilities
from pynq_bnn.driver.pictures import require_pictures
from pynq_bnn.driver.run import Run
from pynq_bnn.driver.stage_log import StageCycles
from pynq_bnn.errors import BnnError, BusyError, ClosedError, DeviceError, DeviceTimeout

if TYPE_CHECKING:
    from pynq_bnn.devices.cpu import CpuDevice

BATCH = 64
"""Pictures that go through together: enough for every thread, and soon prepared."""


class CpuAccelerator:
    """A network on this processor, behind the calls of :class:`~pynq_bnn.Accelerator`.

    Threads may share it; their runs take turns.  A forked process makes its own.  `timeout_s` is
    the longest wait for a picture.
    """

    def __init__(self, device: CpuDevice, timeout_s: float = 10.0) -> None:
        self.device = device
        self._timeout_s = timeout_s
        self.capabilities = Capabilities(
            version="none", build=int(source_hash()[:8], 16),
            lanes=0, ports=0, counters=False, side=registers.MAX_SIDE,
            classes=registers.MAX_CLASSES, channels=registers.MAX_CHANNELS,
            fc_inputs=registers.MAX_FC_INPUTS, batch=BATCH, fmap_rows=0, program_steps=0,
            log_entries=0)
        self._engine: Optional[Engine] = None
        self._closed = False
        self._process = os.getpid()
        self._beside = ThreadPoolExecutor(1, "bnn-cpu-run")

    @property
    def parameters(self) -> Parameters:
        """The loaded parameters."""
        return self._loaded().parameters

    @property
    def batch(self) -> int:
        """Most pictures in a run."""
        return self.capabilities.batch

    @property
    def run_size(self) -> int:
        """Most pictures in a run: a batch, since batches gain nothing by being chained here."""
        return self.batch

    @property
    def loaded(self) -> bool:
        """Whether a network is loaded."""
        return self._engine is not None

    def load(self, parameters: Parameters) -> None:
        """Make a network ready, in place of the one before."""
        self._require_open()
        before = self._engine
        self._engine = Engine(parameters, self.device.threads, self.device.compiled)
        if before is not None:
            self._beside.submit(before.close)  # after the runs that still use it

    def run(self, pictures: np.ndarray) -> Run:
        """All layers of some pictures uint8 (N, H, W, 3), at most :attr:`batch` of them."""
        return self.finish(self.start(pictures))

    def start(self, pictures: np.ndarray, following: Optional[np.ndarray] = None,
              after: Optional["Future[Run]"] = None) -> "Future[Run]":
        """Begin a run and return at once; :meth:`finish` waits for it.

        What follows is nothing to a processor: all of it works on one layer.
        """
        engine = self._loaded()
        self._require_pictures(pictures, engine)
        # a copy: whose the array is may change it while this works
        return self._beside.submit(_run, engine, pictures.copy())

    def finish(self, started: "Future[Run]") -> Run:
        """What a run gave; a second call gives the same."""
        wait_s = self._timeout_s * self.batch  # of each picture: not every processor is quick
        try:
            return started.result(wait_s)
        except WaitEnded:
            raise DeviceTimeout(f"no sums from this processor in {wait_s:g} s: is it overloaded? "
                                "A longer timeout_s waits longer") from None

    def step_through(self, pictures: np.ndarray) -> Iterator[Tuple[net.Layer, np.ndarray]]:
        """Each layer and its output: bits uint8 (N, H, W, C), of the last its sums (N, classes)."""
        engine = self._loaded()
        network = engine.parameters.network
        self._require_pictures(pictures, engine)
        output = pictures
        for index, layer in enumerate(network.layers):
            output = engine.layer_output(index, output)
            yield layer, output

    def profile(self, pictures: np.ndarray) -> Tuple[Run, Tuple[StageCycles, ...]]:
        """Always an error: there are no cycles to count."""
        raise DeviceError("the cpu device counts no cycles; rtl and board do")

    def close(self) -> None:
        """End its threads; closing twice is fine."""
        self._closed = True
        if os.getpid() != self._process:  # the threads are the parent's
            return
        self._beside.shutdown()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _loaded(self) -> Engine:
        self._require_open()
        if self._engine is None:
            raise BnnError("no network is loaded: call load(parameters) first")
        return self._engine

    def _require_pictures(self, pictures: np.ndarray, engine: Engine) -> None:
        network = engine.parameters.network
        require_pictures(pictures, (network.height, network.width, net.PICTURE_CHANNELS),
                         self.batch)

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("this accelerator was closed: open a new one")
        if os.getpid() != self._process:
            raise BusyError(f"this device was opened by process {self._process}, of which this one "
                            "is a fork, and its threads stayed there: make a Classifier here")

    def __enter__(self) -> CpuAccelerator:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an engine belongs to one process: make one where it is needed")


def _run(engine: Engine, pictures: np.ndarray) -> Run:
    before = time.perf_counter()
    sums = engine.sums(pictures)
    return Run(sums, 0.0, time.perf_counter() - before, 0.0, None)
