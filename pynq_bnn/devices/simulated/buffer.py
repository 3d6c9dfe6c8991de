"""Simulated buffers: the CPU's arrays over contiguous memory, with PYNQ's interface."""

from __future__ import annotations

import math
from typing import Any, Optional, Tuple, Union

import numpy as np

from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.errors import ClosedError


class _Block:
    """The memory behind a buffer and all its slices."""

    def __init__(self, dram: Dram, address: int, cpu_address: int, size_bytes: int) -> None:
        self.dram = dram
        self.address = address
        self.cpu_address = cpu_address
        self.size_bytes = size_bytes
        self.freed = False

    def free(self) -> None:
        if not self.freed:
            self.freed = True
            self.dram.free(self.address)

    def __del__(self) -> None:
        self.free()  # as PYNQ's buffers do, when the last slice is gone


class Buffer(np.ndarray):
    """An array over a block of a :class:`Dram`, with the interface of PYNQ's buffers.

    The CPU's array and the DRAM hold separate copies, as behind a cache that is not coherent:
    the device sees what was flushed, the CPU sees what it invalidated. Slices share the block.

    Parameters
    ----------
    dram : Dram
    shape : int or tuple of int
    dtype : dtype

    Raises
    ------
    MemoryExhausted
        Says what was asked and how much is free.
    """

    _block: Optional[_Block]

    def __new__(cls, dram: Dram, shape: Union[int, Tuple[int, ...]], dtype: Any) -> Buffer:
        sides = np.atleast_1d(shape).tolist()
        size_bytes = math.prod(sides) * np.dtype(dtype).itemsize
        address = dram.allocate(size_bytes)
        buffer = np.zeros(sides, dtype).view(cls)
        buffer._block = _Block(dram, address, _cpu_address(buffer), size_bytes)
        return buffer

    def __array_finalize__(self, parent: Any) -> None:
        block = getattr(parent, "_block", None)
        if block is not None:
            # a copy or the result of arithmetic lies elsewhere and has no DRAM behind it
            offset = _cpu_address(self) - block.cpu_address
            if not 0 <= offset <= block.size_bytes - self.nbytes:
                block = None
        self._block = block

    @property
    def device_address(self) -> int:
        """Bus address of the array's first byte."""
        block = self._require_block()
        return block.address + _cpu_address(self) - block.cpu_address

    def flush(self) -> None:
        """Copy what the CPU wrote to the DRAM."""
        self._in_dram()[:] = self._on_cpu()

    def invalidate(self) -> None:
        """Copy what the device wrote from the DRAM."""
        self._on_cpu()[:] = self._in_dram()

    def freebuffer(self) -> None:
        """Give the memory back; a second call does nothing."""
        self._require_block().free()

    def _require_block(self) -> _Block:
        if self._block is None:
            raise AttributeError("this array is a copy of a buffer: it has no device memory")
        return self._block

    def _on_cpu(self) -> np.ndarray:
        if not self.flags.c_contiguous:
            raise ValueError("a slice with gaps can't be flushed or invalidated: take the whole")
        return self.view(np.ndarray).reshape(-1).view(np.uint8)

    def _in_dram(self) -> np.ndarray:
        block = self._require_block()
        if block.freed:
            raise ClosedError("this buffer was freed")
        start = self.device_address - block.dram.base
        return block.dram.memory[start:start + self.nbytes]


def _cpu_address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]
