"""The driver: a network into the accelerator, pictures through it, sums out.

It speaks PYNQ's own interface (``mmio.read/write``; buffers with ``device_address``, ``flush``,
``invalidate``, ``freebuffer``), so the same lines drive the board, the RTL and the model.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np

from host_ref import network as net
from host_ref.parameters import Parameters
from pynq_bnn import packing, program, registers
from pynq_bnn.capabilities import identify
from pynq_bnn.control import Control
from pynq_bnn.device_memory import READ_BACK_WORDS, DeviceMemory
from pynq_bnn.devices import Device
from pynq_bnn.errors import BnnError, ClosedError, DeviceError, PictureError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What one run gave: ``sums`` int16 (N, classes), and where its time went, in seconds."""

    sums: np.ndarray
    prepare_s: float
    copy_s: float
    run_s: float
    read_s: float
    cycles: Optional[int]


class Accelerator:
    """One accelerator and the network loaded into it.

    Parameters
    ----------
    device : Device
        What :func:`pynq_bnn.devices.open_device` gives; stays the caller's to close.
    timeout_s : float
        Longest wait for any run or stage.

    Raises
    ------
    IdentificationError
        If the device is not an accelerator this driver knows.
    """

    def __init__(self, device: Device, timeout_s: float = 10.0) -> None:
        self.device = device
        self.capabilities = identify(device.mmio)
        self.control = Control(device.mmio, timeout_s)
        self.control.reset()
        self._parameters: Optional[Parameters] = None
        self._stream: Optional[packing.ParameterStream] = None
        self._programs: Dict[int, List[program.Step]] = {}
        self._cycles: Dict[int, int] = {}
        self._memory: Optional[DeviceMemory] = None
        self._closed = False

    @property
    def parameters(self) -> Parameters:
        """The loaded parameters."""
        if self._closed:
            raise ClosedError("this accelerator was closed: open a new one")
        if self._parameters is None:
            raise BnnError("no network is loaded: call load(parameters) first")
        return self._parameters

    @property
    def batch(self) -> int:
        """Most pictures in a run of the loaded network."""
        return self.capabilities.largest_batch(self.parameters.network)

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
        """
        if self._closed:
            raise ClosedError("this accelerator was closed: open a new one")
        network = parameters.network
        stream = packing.pack_parameters(parameters)
        steps = program.network_program(network, stream, program.Addresses(0, 0, 0), batch=1)
        self.capabilities.refuse_unfit(network, len(steps))
        self._free()
        self._memory = DeviceMemory(
            self.device, network, len(stream.words), packing.whole_bursts(len(steps)),
            self.capabilities.largest_batch(network))
        try:
            self._memory.write("parameters", stream.words)
            self._parameters, self._stream = parameters, stream
            self._read_back()
        except BaseException:  # Ctrl-C too
            self.control.reset()  # parameters that wait in the accelerator would meet the next ones
            self._free()
            raise
        log.info("loaded %s (%d bytes of parameters)", parameters.name, stream.words.nbytes)

    def _read_back(self) -> None:
        """Send the parameters through the accelerator's own ports and back, and compare."""
        words, memory = self._stream.words, self._memory
        self.control.run_stage(program.load_parameters(memory.address("parameters"), len(words)))
        for start in range(0, len(words), READ_BACK_WORDS):
            expected = words[start:start + READ_BACK_WORDS]
            self.control.run_stage(
                program.store(registers.PARAMS, memory.address("scratch"), len(expected)))
            got = memory.read("scratch", len(expected))
            differing = np.flatnonzero(got != expected)
            if len(differing):
                place = int(differing[0])
                raise DeviceError(
                    f"parameters read back wrong: {self._layer_at(start + place)}, word "
                    f"{start + place}: wrote 0x{int(expected[place]):016X}, read "
                    f"0x{int(got[place]):016X} ({len(differing)} words differ "
                    "in this piece of 64 KiB); is something else using this memory?")

    def _layer_at(self, word: int) -> str:
        network = self.parameters.network
        for layer, span in zip(network.layers, self._stream.spans):
            if span.start <= word < span.start + span.count:
                return f"layer {layer.name!r}"
        raise IndexError(word)

    def run(self, pictures: np.ndarray) -> Run:
        """Program mode: all layers in one go, with a handful of register accesses.

        Parameters
        ----------
        pictures : uint8 (N, H, W, 3)
            At most :attr:`batch` of them, of the network's size.

        Raises
        ------
        PictureError
            If the pictures are anything else.
        DeviceError, DeviceTimeout
            After a reset: the accelerator can run again.
        """
        network, count = self._check_pictures(pictures)
        started = time.perf_counter()
        words = packing.pack_pictures(pictures)
        prepared = time.perf_counter()
        self._memory.write("pictures", words)
        steps = self._program(count)
        copied = time.perf_counter()
        address = self._memory.program_address(count)
        self.control.run_program(address, steps, self._expected_s(count))
        finished = time.perf_counter()
        words = self._memory.read("sums", count * packing.SUMS_WORDS)
        sums = packing.unpack_sums(words, network.classes, count)
        cycles = self.control.read("CYCLES") if self.capabilities.counters else None
        if cycles is not None:
            self._cycles[count] = cycles
        return Run(sums, prepared - started, copied - prepared, finished - copied,
                   time.perf_counter() - finished, cycles)

    def step_through(self, pictures: np.ndarray) -> Iterator[Tuple[net.Layer, np.ndarray]]:
        """Stepped mode: run layer after layer and read each one's output back.

        Yields
        ------
        layer : Layer
        output : uint8 bits (N, H, W, C), 1 is -1; int16 sums (N, classes) of the last layer
        """
        network, count = self._check_pictures(pictures)
        memory = self._memory
        memory.write("pictures", packing.pack_pictures(pictures))
        self.control.run_stage(program.load_pictures(network, memory.address("pictures"), count))
        for index, (layer, span) in enumerate(zip(network.layers, self._stream.spans)):
            self.control.run_stage(program.load_parameters(
                memory.address("parameters", span.start), span.count))
            self.control.run_stage(program.compute(network, index, count))
            yield layer, self._read_output(network, index, count)

    def _read_output(self, network: net.Network, index: int, count: int) -> np.ndarray:
        layer, memory = network.layers[index], self._memory
        size = packing.output_words(layer, count)
        source = program.output_buffer(network, index)
        self.control.run_stage(program.store(source, memory.address("scratch"), size))
        words = memory.read("scratch", size)
        if layer.kind == net.LAST:
            return packing.unpack_sums(words, network.classes, count)
        return packing.unpack_fmap(words, layer, count)

    def _check_pictures(self, pictures: np.ndarray) -> Tuple[net.Network, int]:
        network = self.parameters.network
        shape = (network.height, network.width, net.PICTURE_CHANNELS)
        if not isinstance(pictures, np.ndarray) or pictures.dtype != np.uint8 \
                or pictures.shape[1:] != shape:
            given = f"{getattr(pictures, 'dtype', type(pictures).__name__)} {np.shape(pictures)}"
            raise PictureError(f"pictures must be uint8 (N, {shape[0]}, {shape[1]}, {shape[2]}), "
                               f"not {given}: images.to_pictures makes them")
        if not 1 <= len(pictures) <= self.batch:
            raise PictureError(f"{len(pictures)} pictures in a run: with this network this device "
                               f"takes 1 to {self.batch}")
        return network, len(pictures)

    def _program(self, count: int) -> List[program.Step]:
        """The program for `count` pictures; written to device memory when first asked for."""
        if count not in self._programs:
            memory = self._memory
            addresses = program.Addresses(*map(memory.address, ("pictures", "parameters", "sums")))
            steps = program.network_program(self.parameters.network, self._stream, addresses, count)
            memory.write_program(count, program.encode(steps))
            self._programs[count] = steps
        return self._programs[count]

    def _expected_s(self, count: int) -> float:
        """How long such a run took on a real clock, so that the first poll finds it done."""
        clock = self.device.clock_mhz
        return self._cycles.get(count, 0) / (clock * 1e6) if clock else 0.0

    def _free(self) -> None:
        self._parameters, self._stream = None, None
        self._programs, self._cycles = {}, {}
        if self._memory is not None:
            self._memory.free()

    def close(self) -> None:
        """Stop the accelerator and free its memory; closing twice is fine."""
        if not self._closed:
            self._closed = True
            try:
                self.control.reset()
            finally:
                self._free()

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
