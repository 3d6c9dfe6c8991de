"""The memory that CPU and accelerator share: what a loaded network keeps there, and where."""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np

from host_ref import network as net
from pynq_bnn.devices import Device
from pynq_bnn.driver import packing

READ_BACK_WORDS = 8192
"""Parameters are read back in pieces of 64 KiB, so that no second copy of all is allocated."""

SLOTS = 3
"""Pictures and sums of three runs: the accelerator works on one and on another's first layer, while
the third is prepared or read.
"""


class _Pictures(NamedTuple):
    """A run's pictures: the buffer's slice, and where in it the pixels go."""

    buffer: Any
    places: List[np.ndarray]


class _Sums(NamedTuple):
    """A run's sums: the buffer's slice, and where in it they are."""

    buffer: Any
    sums: np.ndarray


class DeviceMemory:
    """Buffers for one network, allocated once: all of them, or none and an error.

    Each is 64-bit words in whole bursts: "parameters"; "programs", `programs` of them; "pictures"
    and "sums", for each slot; and "scratch", a layer's output or a piece of the parameters.  They
    are given back by :meth:`free`, or with this object.

    Parameters
    ----------
    parameter_words, program_words : int
        Words of the parameter stream and of the longest program.
    programs : int
        How many programs.
    batch : int
        Most pictures that go through together.
    before_free : callable
        Called before anything is given back: nothing may write there any more.
    batches : int
        Most full batches in a run.

    Raises
    ------
    MemoryExhausted
        If they don't fit.
    """

    def __init__(self, device: Device, network: net.Network, parameter_words: int,
                 program_words: int, programs: int, batch: int,
                 before_free: Callable[[], None] = lambda: None, batches: int = 1) -> None:
        self._network = network
        self._program_words, self._batch, self._batches = program_words, batch, batches
        self._picture_words = packing.picture_burst_words(network.height, network.width, batch)
        sizes = {
            "parameters": parameter_words,
            "programs": programs * program_words,
            "pictures": SLOTS * batches * self._picture_words,
            "sums": SLOTS * batches * batch * packing.SUMS_WORDS,
            "scratch": max(READ_BACK_WORDS, *(packing.output_words(layer, batch)
                                              for layer in network.layers)),
        }
        # kept, since slicing a device's buffer costs more than using it
        self._pictures: Dict[Tuple[int, int], _Pictures] = {}
        self._sums: Dict[Tuple[int, int], _Sums] = {}
        self._buffers: Dict[str, Any] = {}
        # a dropped network gives its memory back too, but not in a process that inherited it
        self._finalizer = weakref.finalize(
            self, _free, os.getpid(), before_free, self._buffers, self._pictures,
            self._sums)
        try:
            for name, words in sizes.items():
                self._buffers[name] = device.allocate(words, np.dtype("<u8"))
        except BaseException:  # Ctrl-C too
            self.free()
            raise

    def address(self, name: str, word: int = 0) -> int:
        """Bus address of a buffer's word."""
        return int(self._buffers[name].device_address) + word * packing.WORD_BYTES

    def pictures_word(self, slot: int) -> int:
        """Where the pictures of a slot begin in their buffer."""
        return slot * self._batches * self._picture_words

    def sums_word(self, slot: int) -> int:
        """Where the sums of a slot begin in their buffer."""
        return slot * self._batches * self._batch * packing.SUMS_WORDS

    def program_word(self, number: int) -> int:
        """Where a program begins in its buffer."""
        return number * self._program_words

    def write_pictures(self, slot: int, pictures: np.ndarray) -> None:
        """Pack pictures uint8 (N, H, W, 3) to where the accelerator sees them.

        Each full batch begins at a burst of its own.
        """
        count = len(pictures)
        part = self._pictures.get((slot, count))
        if part is None:
            network, start = self._network, self.pictures_word(slot)
            together = min(count, self._batch)
            words = packing.picture_burst_words(network.height, network.width, together)
            batches = -(-count // together)
            buffer = self._buffers["pictures"][start:start + batches * words]
            part = self._pictures[slot, count] = _Pictures(buffer, [
                place for each in np.asarray(buffer).reshape(batches, words)
                for place in packing.pixel_places(each, network.height, network.width, together)])
        packing.place_pixels(pictures, part.places)
        part.buffer.flush()

    def write(self, name: str, words: np.ndarray, word: int = 0) -> None:
        """Place words where the accelerator sees them, from a buffer's `word` on."""
        buffer = self._buffers[name]
        buffer[word:word + len(words)] = words
        buffer.flush()

    def read_sums(self, slot: int, count: int) -> np.ndarray:
        """The sums int16 (count, classes) that the accelerator left in a slot, as a copy."""
        part = self._sums.get((slot, count))
        if part is None:
            start = self.sums_word(slot)
            buffer = self._buffers["sums"][start:start + count * packing.SUMS_WORDS]
            part = self._sums[slot, count] = _Sums(buffer, packing.sums_places(
                np.asarray(buffer), self._network.classes, count))
        part.buffer.invalidate()
        return part.sums.copy()

    def read(self, name: str, count: int) -> np.ndarray:
        """The first `count` words (uint64) that the accelerator left in a buffer, as a copy."""
        buffer = self._buffers[name]
        buffer.invalidate()
        return np.array(buffer[:count])

    def free(self) -> None:
        """Give everything back; a second call does nothing."""
        self._finalizer()


def _free(process: int, before_free: Callable[[], None], buffers: Dict[str, Any],
          *parts: Dict[Any, Any]) -> None:
    for kept in parts:
        kept.clear()
    if process != os.getpid():
        for buffer in buffers.values():
            # never deleted here: freeing a buffer in a forked child would free its parent's
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(buffer))
        buffers.clear()
        return
    try:
        before_free()
    finally:
        while buffers:
            buffers.popitem()[1].freebuffer()
