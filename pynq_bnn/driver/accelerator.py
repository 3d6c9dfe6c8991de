"""The driver: a network into the accelerator, pictures through it, sums out.

It speaks PYNQ's own interface (``mmio.read/write``; buffers with ``device_address``, ``flush``,
``invalidate``, ``freebuffer``), so the same lines drive the board, the RTL and the model.
"""

from __future__ import annotations

import logging
import time
import weakref
from typing import Any, Callable, Iterator, List, NoReturn, Optional, Tuple

import numpy as np

from host_ref import network as net
from host_ref.parameters import Parameters
from pynq_bnn import registers
from pynq_bnn.devices import Device
from pynq_bnn.devices.turn import Stepping
from pynq_bnn.driver import chain, packing, program
from pynq_bnn.driver.capabilities import identify
from pynq_bnn.driver.control import LOAD_AGAIN, Control
from pynq_bnn.driver.following import Prepared, Program
from pynq_bnn.driver.loaded import PROGRAMS, Loaded
from pynq_bnn.driver.memory import READ_BACK_WORDS, SLOTS, DeviceMemory
from pynq_bnn.driver.pictures import require_pictures
from pynq_bnn.driver.run import Run, Started
from pynq_bnn.driver.stage_log import StageCycles, read_log
from pynq_bnn.errors import BnnError, ClosedError, DeviceError

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 10.0


class Accelerator:
    """One accelerator and the network loaded into it.

    Threads, and other Accelerators of the same device, take turns; none sees another's results.

    Parameters
    ----------
    device : Device
        What :func:`pynq_bnn.devices.open_device` gives; stays the caller's to close.
    timeout_s : float
        Longest wait for any run or stage; for a run of several batches as many times, as long as
        it makes steps.

    Raises
    ------
    IdentificationError
        If the device is not an accelerator this driver knows.
    """

    def __init__(self, device: Device, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self.device = device
        self._loaded: Optional[Loaded] = None
        self._slots: List[Callable[[], Optional[Started]]] = [lambda: None] * SLOTS
        self._closed = False
        with device.turn.lock:
            device.require_ready()
            self.capabilities = identify(device.mmio)
            self.control = Control(device.mmio, timeout_s)
            device.turn.await_walk(timeout_s)
            device.turn.settle()
            self.control.reset()
            device.turn.prepared = None
            if not self.control.await_quiet():
                raise DeviceError(LOAD_AGAIN)

    @property
    def parameters(self) -> Parameters:
        """The loaded parameters."""
        return self._network().parameters

    @property
    def batch(self) -> int:
        """Most pictures of the loaded network that go through its layers together."""
        return self._network().batch

    @property
    def run_size(self) -> int:
        """Most pictures in a run of the loaded network: so many full batches one after another.

        What a device or a network that can't chain batches takes is :attr:`batch`.
        """
        return self._network().run_size

    @property
    def loaded(self) -> bool:
        """Whether a network is loaded."""
        return self._loaded is not None

    def _network(self) -> Loaded:
        loaded = self._loaded
        if self._closed:
            raise ClosedError("this accelerator was closed: open a new one")
        if loaded is None:
            raise BnnError("no network is loaded: call load(parameters) first")
        return loaded

    def take(self) -> None:
        """Make the accelerator ready for use: whoever calls this holds ``device.turn.lock``.

        A run that was started comes to its end first, and what was interrupted is reset.

        Raises
        ------
        BusyError
            If a :meth:`step_through` is under way.
        OverlayError, BusyError
            If the device is no longer the one that was opened, or another process's.
        """
        self._await_walk()
        self.device.turn.settle()

    def _await_walk(self) -> None:
        """Wait, then ask whether the device is still there: others may have come in between."""
        ready = self.device.require_ready
        self.device.turn.await_walk(self.control.timeout_s, ready)
        ready()

    # Loading.

    def load(self, parameters: Parameters) -> None:
        """Pack the parameters into device memory and read them back through the accelerator.

        Raises
        ------
        NetworkError
            If the network exceeds what the device takes; nothing has been written then.
        MemoryExhausted
            If the buffers don't fit; nothing stays allocated.
        DeviceError
            If what is read back differs; it names the layer.  No network is loaded then.
        BusyError
            If a :meth:`step_through` is under way.
        """
        if self._closed:
            raise ClosedError("this accelerator was closed: open a new one")
        network = parameters.network
        stream = packing.pack_parameters(parameters)
        steps = len(program.network_program(network, stream, program.Addresses(0, 0, 0), batch=1))
        self.capabilities.refuse_unfit(network, steps)
        batch = self.capabilities.largest_batch(network)
        overlaps = program.can_follow(network, batch, self.capabilities.fmap_rows)
        if overlaps:
            longest = len(program.network_program(network, stream,
                                                  program.Addresses(0, 0, 0, 0), batch))
            overlaps = longest <= self.capabilities.program_steps
            steps = longest if overlaps else steps
        chained = chain.plan(network, stream, batch, self.capabilities.fmap_rows,
                             self.capabilities.program_steps) if self.capabilities.chains else None
        batches = 1 if chained is None else chained.longest
        if chained is not None:
            steps = max(steps, len(chained.steps(chain.ANYWHERE, batches, False)))
        with self.device.turn.lock:
            self.take()
            self._free()
            memory = DeviceMemory(self.device, network, len(stream.words),
                                  packing.whole_bursts(steps), PROGRAMS, batch,
                                  _quieten(self.device, self.control), batches)
            loaded = Loaded(self.device, parameters, stream, memory, batch,
                            self.capabilities.counters,
                            (network.height, network.width, net.PICTURE_CHANNELS), overlaps,
                            chained)
            try:
                memory.write("parameters", stream.words)
                self._read_back(loaded)
                self._loaded = loaded
            except BaseException:  # Ctrl-C too
                try:
                    # parameters that wait in the accelerator would meet the next ones
                    self.control.reset()
                finally:
                    memory.free()
                raise
        log.info("loaded %s (%d bytes of parameters)", parameters.name, stream.words.nbytes)

    def _read_back(self, loaded: Loaded) -> None:
        """Send the parameters through the accelerator's own ports and back, and compare."""
        words, memory = loaded.stream.words, loaded.memory
        self.device.turn.unsettled = self.control
        self.control.run_stage(
            program.load_parameters(memory.address("parameters"), len(words)))
        for start in range(0, len(words), READ_BACK_WORDS):
            expected = words[start:start + READ_BACK_WORDS]
            self.control.run_stage(
                program.store(registers.PARAMS, memory.address("scratch"), len(expected)))
            got = memory.read("scratch", len(expected))
            differing = np.flatnonzero(got != expected)
            if len(differing):
                place = int(differing[0])
                raise DeviceError(
                    f"parameters read back wrong: {_layer_at(loaded, start + place)}, word "
                    f"{start + place}: wrote 0x{int(expected[place]):016X}, read "
                    f"0x{int(got[place]):016X} ({len(differing)} words differ "
                    "in this piece of 64 KiB); is something else using this memory? "
                    f"{self.device.hint()}".rstrip())
        self.device.turn.unsettled = None

    # Running.

    def run(self, pictures: np.ndarray) -> Run:
        """Program mode: all layers in one go, with a handful of register accesses.

        Parameters
        ----------
        pictures : uint8 (N, H, W, 3)
            Of the network's size: at most :attr:`batch` of them, or full batches, at most
            :attr:`run_size` pictures.

        Raises
        ------
        PictureError
            If the pictures are anything else.
        DeviceError, DeviceTimeout
            After a reset: the accelerator can run again.
        BusyError
            If a :meth:`step_through` is under way.
        """
        turn = self.device.turn
        with turn.lock:
            try:
                return self.start(pictures).result()
            except BaseException:  # Ctrl-C too
                turn.quieten(self.control)
                raise

    def start(self, pictures: np.ndarray, following: Optional[np.ndarray] = None,
              after: Optional[Started] = None) -> Started:
        """Begin a run and return at once; :meth:`finish` waits for it.

        The pictures are prepared while a run before it goes on; then that one is waited for.
        Arguments and errors as :meth:`run`.

        Parameters
        ----------
        following : uint8 (N, H, W, 3), optional
            What will be started next: its first batch's first layer is computed beside this run's
            last ones, if both are of full batches.  Whoever starts something else loses nothing but
            that time.
        after : Started, optional
            What announced these pictures as `following`, if nobody can have changed them since:
            then they are not compared with what they were, which takes an A9 longer than anything
            else here but packing.
        """
        turn = self.device.turn
        with turn.lock:
            loaded = self._network()
            sizes = loaded.shape, loaded.batch, loaded.run_size
            count = require_pictures(pictures, *sizes)
            if following is not None:
                require_pictures(following, *sizes)
            self._await_walk()
            before = time.perf_counter()
            prepared = turn.prepared
            unchanged = after is not None and after.prepares is prepared
            if prepared is not None and prepared.are(loaded, pictures, unchanged):
                slot = prepared.slot
            else:
                # first of all: its pictures may be written over now
                turn.prepared = prepared = None
                slot = self._free_slot()
                loaded.memory.write_pictures(slot, pictures)
            prepares = None
            if following is not None and loaded.can_follow(count, len(following)):
                prepares = Prepared(loaded, self._free_slot(slot), following)
                loaded.memory.write_pictures(prepares.slot, following)
            copy_s = time.perf_counter() - before
            turn.settle()
            # the run before may have failed, or been reset
            ready = prepared is not None and turn.prepared is prepared
            which = Program(slot, count, ready, prepares.slot if prepares else None)
            address, steps = loaded.program_of(which)
            started = Started(self.control, loaded, which, copy_s, self._expected_s(loaded, which))
            started.prepares = prepares
            self._slots[slot] = weakref.ref(started)
            turn.unsettled = self.control
            try:
                started.start(address, steps)
                turn.begin_run(started, prepares)
            except BaseException:  # Ctrl-C too
                turn.quieten(self.control)
                raise
            return started

    def finish(self, started: Started) -> Run:
        """What a run gave that :meth:`start` began; a second call gives the same.

        Raises
        ------
        DeviceError, DeviceTimeout
            After a reset: the accelerator can run again.
        """
        with self.device.turn.lock:
            return started.result()

    def _free_slot(self, but: Optional[int] = None) -> int:
        """A slot, another than `but`, whose sums nobody needs any more."""
        for slot, held in enumerate(self._slots):
            if slot != but and held() is None:
                return slot
        current = self.device.turn.current_run()
        for slot, held in enumerate(self._slots):
            started = held()
            if slot != but and started is not None and started is not current:
                started.collect()
                return slot
        raise AssertionError("only one run is under way, and two slots are another's")

    def _expected_s(self, loaded: Loaded, which: Program) -> float:
        """How long such a run took on a real clock, so that the first poll finds it done."""
        clock = self.device.clock_mhz
        return loaded.cycles.get(which.kind, 0) / (clock * 1e6) if clock and loaded.cycles else 0.0

    def profile(self, pictures: np.ndarray) -> Tuple[Run, Tuple[StageCycles, ...]]:
        """A run, and the cycles of each of its stages, from the device's own log.

        Raises
        ------
        DeviceError
            If the device counts no cycles; and as :meth:`run`.
        """
        if not self.capabilities.counters:
            raise DeviceError(f"the {self.device.name} device counts no cycles: a profile needs "
                              'device="rtl" or a board')
        with self.device.turn.lock:
            loaded = self._network()
            require_pictures(pictures, loaded.shape, loaded.batch)  # the log holds no chain
            run = self.run(pictures)
            return run, read_log(self.control, self.parameters.network)

    # Layer by layer.

    def step_through(self, pictures: np.ndarray) -> Iterator[Tuple[net.Layer, np.ndarray]]:
        """Stepped mode: run layer after layer and read each one's output back.

        From the first layer to the last, or until it is closed, the device is this walk's.

        Yields
        ------
        layer : Layer
        output : uint8 bits (N, H, W, C), 1 is -1; int16 sums (N, classes) of the last layer
        """
        turn, stepping = self.device.turn, Stepping(self.control)
        try:
            with turn.lock:
                loaded = self._network()
                count = require_pictures(pictures, loaded.shape, loaded.batch)
                self.take()
                turn.begin_stepping(stepping)
                memory, network = loaded.memory, loaded.parameters.network
                memory.write_pictures(0, pictures)
                turn.unsettled = self.control
                self.control.run_stage(program.load_pictures(
                    network, memory.address("pictures", memory.pictures_word(0)), count))
                turn.unsettled = None
            for index, layer in enumerate(network.layers):
                with turn.lock:
                    self._network()  # closed in the meantime?
                    turn.require_stepping(stepping)
                    self.device.require_ready()
                    output = self._step(loaded, index, count)
                yield layer, output
        finally:
            with turn.lock:
                turn.end_stepping(stepping)

    def _step(self, loaded: Loaded, index: int, count: int) -> np.ndarray:
        """Run one layer on the output of the one before, and give its own."""
        network, memory = loaded.parameters.network, loaded.memory
        layer, span = network.layers[index], loaded.stream.spans[index]
        size = packing.output_words(layer, count)
        source = program.output_buffer(network, index)
        # until all of it is done: parameters loaded and not used would meet the next run
        self.device.turn.unsettled = self.control
        for steps in (program.load_parameters(memory.address("parameters", span.start), span.count),
                      program.compute(network, index, count),
                      program.store(source, memory.address("scratch"), size)):
            self.control.run_stage(steps)
        if registers.decode("STATUS", self.control.read("STATUS"))["LOADING"]:
            raise DeviceError(
                f"{layer.kind.upper()} ({layer.name}) left parameters over: its weights as packed "
                "and its stage registers disagree")
        self.device.turn.unsettled = None
        words = memory.read("scratch", size)
        if layer.kind == net.LAST:
            return packing.unpack_sums(words, network.classes, count)
        return packing.unpack_fmap(words, layer, count)

    # Closing.

    def _free(self) -> None:
        """Give the network's memory back; sums that a user may still ask for are kept."""
        for held in self._slots:
            started = held()
            if started is not None:
                started.collect()
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.memory.free()

    def close(self) -> None:
        """Stop the accelerator and free its memory; closing twice is fine."""
        if self._closed:
            return
        if not self.device.ours:  # inherited by a forked process: it is the parent's
            self._closed, self._loaded = True, None
            return
        with self.device.turn.lock:
            self._closed = True
            for held in self._slots:
                started = held()
                if started is not None:
                    started.abandon("its accelerator was closed before this run was finished")
            loaded, self._loaded = self._loaded, None
            turn = self.device.turn
            try:
                if self.device.presence() and not turn.used_by_others(self.control):
                    self.control.reset()
                    turn.forget()
            finally:
                if loaded is not None:
                    loaded.memory.free()

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Accelerator belongs to one process and its device: it can't be "
                        "pickled or copied; open one where it is needed")


def _layer_at(loaded: Loaded, word: int) -> str:
    """The layer to which a word of the parameter stream belongs."""
    for layer, span in zip(loaded.parameters.network.layers, loaded.stream.spans):
        if span.start <= word < span.start + span.count:
            return f"layer {layer.name!r}"
    raise IndexError(word)


def _quieten(device: Device, control: Control) -> Callable[[], None]:
    """What stops a run of `control` that is still under way; it does not keep the device."""
    turn, present = device.turn, device.presence

    def quieten() -> None:
        with turn.lock:
            if present():
                turn.quieten(control)

    return quieten
