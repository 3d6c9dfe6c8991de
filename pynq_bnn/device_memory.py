"""The memory that CPU and accelerator share: what a loaded network keeps there, and where."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from host_ref import network as net
from pynq_bnn import packing
from pynq_bnn.devices import Device

READ_BACK_WORDS = 8192
"""Parameters are read back in pieces of 64 KiB, so that no second copy of all is allocated."""


class DeviceMemory:
    """Buffers for one network, allocated once: all of them, or none and an error.

    Each is 64-bit words in whole bursts: "parameters"; "programs", one for each batch from 1 to
    `batch`; "pictures"; "sums"; and "scratch", a layer's output or a piece of the parameters.

    Parameters
    ----------
    parameters, program : int
        Words of the parameter stream and of one program.
    batch : int
        Most pictures in a run.

    Raises
    ------
    MemoryExhausted
        If they don't fit.
    """

    def __init__(self, device: Device, network: net.Network, parameters: int, program: int,
                 batch: int) -> None:
        sizes = {
            "parameters": parameters,
            "programs": batch * program,
            "pictures": packing.whole_bursts(
                batch * packing.picture_words(network.height, network.width)),
            "sums": batch * packing.SUMS_WORDS,
            "scratch": max(READ_BACK_WORDS, *(packing.output_words(layer, batch)
                                              for layer in network.layers)),
        }
        self._program = program
        self._buffers: Dict[str, Any] = {}
        try:
            for name, words in sizes.items():
                self._buffers[name] = device.allocate(words, np.dtype("<u8"))
        except BaseException:  # Ctrl-C too
            self.free()
            raise

    def address(self, name: str, word: int = 0) -> int:
        """Bus address of a buffer's word."""
        return int(self._buffers[name].device_address) + word * packing.WORD_BYTES

    def program_address(self, count: int) -> int:
        """Bus address of the program for `count` pictures."""
        return self.address("programs", (count - 1) * self._program)

    def write_program(self, count: int, words: np.ndarray) -> None:
        """Place the program for `count` pictures."""
        self.write("programs", words, (count - 1) * self._program)

    def write(self, name: str, words: np.ndarray, word: int = 0) -> None:
        """Place words where the accelerator sees them, from a buffer's `word` on."""
        buffer = self._buffers[name]
        buffer[word:word + len(words)] = words
        buffer.flush()

    def read(self, name: str, count: int) -> np.ndarray:
        """The first `count` words (uint64) that the accelerator left in a buffer, as a copy."""
        buffer = self._buffers[name]
        buffer.invalidate()
        return np.array(buffer[:count])

    def free(self) -> None:
        """Give everything back; a second call does nothing."""
        while self._buffers:
            self._buffers.popitem()[1].freebuffer()
