"""Simulated contiguous memory: DRAM that the accelerator's DMA and the CPU's buffers share."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from pynq_bnn.errors import MemoryExhausted
from pynq_bnn.registers import BURST_BYTES, WORD_BYTES

PAGE_BYTES = 4096
WORD = np.dtype("<u8")
"""What the accelerator's 64-bit ports move."""

RESPONSES = ("SLVERR", "DECERR")


class AxiFault(Exception):
    """The memory's error response to the accelerator; never leaves a device.

    Attributes
    ----------
    address : int
        The failing burst's.
    response : {"SLVERR", "DECERR"}
    words : numpy.ndarray
        What was read before it.
    """

    words: np.ndarray

    def __init__(self, address: int, response: str) -> None:
        super().__init__(f"AXI {response} at 0x{address:08X}")
        self.address = address
        self.response = response
        self.words = np.zeros(0, WORD)


class _Injected(NamedTuple):
    start: int
    end: int
    on: str
    response: str


class Dram:
    """Memory at the bus addresses `base` to `base + size_bytes`, with an allocator.

    Attributes
    ----------
    memory : numpy.ndarray
        uint8, every byte; touched pages alone take memory of this process.
    bytes_read, bytes_written : int
        What the accelerator's DMA moved; the CPU's flush and invalidate don't count.
    """

    def __init__(self, size_bytes: int = 64 << 20, base: int = 0x1000_0000) -> None:
        if size_bytes < PAGE_BYTES or size_bytes % PAGE_BYTES or base % PAGE_BYTES:
            raise ValueError(f"{size_bytes} bytes at {base:#x}: not whole pages of {PAGE_BYTES}")
        self.base = base
        self.size_bytes = size_bytes
        self.memory = np.zeros(size_bytes, np.uint8)
        self.bytes_read = 0
        self.bytes_written = 0
        self._words = self.memory.view(WORD)
        self._free: List[Tuple[int, int]] = [(base, size_bytes)]  # by address, never adjacent
        self._allocated: Dict[int, int] = {}
        self._faults: List[_Injected] = []

    # The allocator.

    @property
    def free_bytes(self) -> int:
        return sum(size for _, size in self._free)

    @property
    def largest_free_block(self) -> int:
        return max((size for _, size in self._free), default=0)

    def allocate(self, size_bytes: int) -> int:
        """The address of the first free block of whole pages that holds `size_bytes`.

        Raises
        ------
        MemoryExhausted
            Says what was asked, how much is free and the largest free block.
        """
        if size_bytes <= 0:
            raise ValueError(f"{size_bytes} bytes can't be allocated")
        needed = -(-size_bytes // PAGE_BYTES) * PAGE_BYTES
        for position, (address, size) in enumerate(self._free):
            if size >= needed:
                rest = [(address + needed, size - needed)] if size > needed else []
                self._free[position:position + 1] = rest
                self._allocated[address] = needed
                return address
        raise MemoryExhausted(
            f"{size_bytes} bytes of contiguous memory asked for, {self.free_bytes} of "
            f"{self.size_bytes} free, the largest free block has {self.largest_free_block}: free "
            "or close what is no longer used, or take a smaller batch")

    def free(self, address: int) -> None:
        """Give an allocated block back and merge it with its free neighbours."""
        if address not in self._allocated:
            raise ValueError(f"nothing is allocated at {address:#x}")
        blocks = sorted([*self._free, (address, self._allocated.pop(address))])
        merged = blocks[:1]
        for start, size in blocks[1:]:
            last_start, last_size = merged[-1]
            if last_start + last_size == start:
                merged[-1] = (last_start, last_size + size)
            else:
                merged.append((start, size))
        self._free = merged

    # The accelerator's side.

    def read_words(self, address: int, count: int) -> np.ndarray:
        """Read `count` words, whole bursts from `address`, as the DMA engine does.

        Returns
        -------
        numpy.ndarray
            (count,) little-endian uint64, a copy.

        Raises
        ------
        AxiFault
            At the first burst that is outside the memory (DECERR) or was made to fail.
        """
        fault = self._first_fault(address, count, "read")
        if fault is not None:
            count = (fault.address - address) // WORD_BYTES
        self.bytes_read += count * WORD_BYTES
        start = max(address - self.base, 0) // WORD_BYTES
        words = self._words[start:start + count].copy()
        if fault is not None:
            fault.words = words
            raise fault
        return words

    def write_words(self, address: int, words: np.ndarray) -> None:
        """Write (n,) uint64 `words`, whole bursts from `address`, as the DMA engine does.

        Raises
        ------
        AxiFault
            As :meth:`read_words`; the bursts before the failing one are written.
        """
        fault = self._first_fault(address, len(words), "write")
        done = len(words) if fault is None else (fault.address - address) // WORD_BYTES
        start = (address - self.base) // WORD_BYTES
        if done:
            self._words[start:start + done] = words[:done]
        self.bytes_written += done * WORD_BYTES
        if fault is not None:
            raise fault

    def _first_fault(self, address: int, count: int, on: str) -> Optional[AxiFault]:
        if address % BURST_BYTES or count * WORD_BYTES % BURST_BYTES:
            raise ValueError(f"{count} words at {address:#x}: not whole bursts of {BURST_BYTES} "
                             "bytes at a multiple of their size")
        end, limit = address + count * WORD_BYTES, self.base + self.size_bytes
        faults = [AxiFault(max(address, fault.start // BURST_BYTES * BURST_BYTES), fault.response)
                  for fault in self._faults
                  if fault.on == on and fault.start < end and address < fault.end]
        if count and (address < self.base or end > limit):
            outside = address if address < self.base else max(address, limit)
            faults.append(AxiFault(outside, "DECERR"))
        return min(faults, key=lambda fault: fault.address, default=None)

    # Faults, for tests.

    def fail(self, address: int, count: int = 1, on: str = "read",
             response: str = "SLVERR") -> None:
        """Answer every burst that touches one of `count` words from `address` with an AXI error.

        Parameters
        ----------
        on : {"read", "write"}
        response : {"SLVERR", "DECERR"}
        """
        if on not in ("read", "write") or response not in RESPONSES:
            raise ValueError(f"on={on!r}, response={response!r}: on is 'read' or 'write', "
                             f"response is one of {RESPONSES}")
        self._faults.append(_Injected(address, address + count * WORD_BYTES, on, response))

    def flip_bit(self, address: int, bit: int) -> None:
        """Flip bit 0 to 63 of the word at `address`, once."""
        if address % WORD_BYTES or not (
                self.base <= address < self.base + self.size_bytes and 0 <= bit < 64):
            raise ValueError(f"no bit {bit} of a word at {address:#x} in this memory")
        self._words[(address - self.base) // WORD_BYTES] ^= WORD.type(1 << bit)

    def clear_faults(self) -> None:
        """Forget what :meth:`fail` injected; flipped bits stay as they are."""
        self._faults.clear()
