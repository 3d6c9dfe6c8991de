"""The accelerator's on-chip memories: input buffer, feature maps, sums, the parameter stream."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional

import numpy as np

from pynq_bnn.devices.model.layout import ROW_BYTES, map_rows, owned
from pynq_bnn.devices.model.stages import Limits
from pynq_bnn.devices.simulated.dram import WORD
from pynq_bnn.registers import BURST_BYTES, FMAP_A, FMAP_B, PICTURE_BYTES, QUARTERS, SUMS


class _StuckBit(NamedTuple):
    buffer: int
    row: int
    bit: int
    value: int


class Memories:
    """Memories for the largest batch, as bytes; what moves by DMA is little-endian uint64 words.

    The input buffer holds images end to end, as many words each as the stage at hand says. In the
    feature-map buffers each image starts at a row of its own, the sums have a burst for each image.
    What the contract calls undefined is random, so that whoever relies on it fails: all of it from
    the start and after a reset, and with each write the bits of its rows that no channel owns.
    """

    _stream: np.ndarray

    def __init__(self, limits: Limits) -> None:
        self._random = np.random.default_rng(0)
        self._limits = limits
        self._stuck: List[_StuckBit] = []
        self.reset()

    def reset(self) -> None:
        """Contents as after power-up: random, and no parameters."""
        limits = self._limits
        self._input = self._junk(limits.batch, PICTURE_BYTES).reshape(-1)
        self._rows: Dict[int, np.ndarray] = {
            FMAP_A: self._junk(limits.fmap_rows, ROW_BYTES),
            FMAP_B: self._junk(limits.fmap_rows, ROW_BYTES),
            SUMS: self._junk(limits.batch, BURST_BYTES)}
        quarter = limits.fmap_rows // 4
        for number, buffer in enumerate(QUARTERS, start=2):  # views
            self._rows[buffer] = self._rows[FMAP_B][number * quarter:(number + 1) * quarter]
        self.drop_parameters()

    def _junk(self, *shape: int) -> np.ndarray:
        return self._random.integers(0, 256, shape, np.uint8)

    def write_input(self, words: np.ndarray) -> None:
        """Write words (n,) from the input buffer's start."""
        self._input[:words.nbytes] = words.view(np.uint8)

    def read_input(self, images: int, words: int) -> np.ndarray:
        """The first `images`, of so many `words` each: (images, 8 * words) bytes."""
        return self._input[:images * words * WORD.itemsize].reshape(images, -1)

    def write_maps(self, buffer: int, maps: np.ndarray) -> None:
        """Write (images, pixels, channels // 8) bytes to a feature-map buffer."""
        images, pixels, channel_bytes = maps.shape
        rows = map_rows(pixels, 8 * channel_bytes)
        stored = self._junk(images, rows * ROW_BYTES)
        owned(stored, pixels, 8 * channel_bytes)[:] = maps
        self._rows[buffer][:images * rows] = stored.reshape(-1, ROW_BYTES)
        whole = FMAP_B if buffer in QUARTERS else buffer
        for stuck in self._stuck:
            if stuck.buffer == whole:
                byte, mask = stuck.bit // 8, np.uint8(1 << stuck.bit % 8)
                if stuck.value:
                    self._rows[whole][stuck.row, byte] |= mask
                else:
                    self._rows[whole][stuck.row, byte] &= ~mask

    def read_maps(self, buffer: int, images: int, pixels: int, channels: int) -> np.ndarray:
        """The first `images` in a feature-map buffer: (images, pixels, channels // 8) bytes."""
        rows = map_rows(pixels, channels)
        stored = self._rows[buffer][:images * rows].reshape(images, -1)
        return owned(stored, pixels, channels)

    def write_sums(self, sums: np.ndarray) -> None:
        """Write (images, classes) int16."""
        stored = self._junk(len(sums), BURST_BYTES)
        stored.view("<i2")[:, :sums.shape[1]] = sums
        self._rows[SUMS][:len(sums)] = stored

    def read_words(self, buffer: int, count: int) -> np.ndarray:
        """The first words of a feature-map buffer or SUMS, as STORE sends them: (count,)."""
        return self._rows[buffer].reshape(-1).view(WORD)[:count]

    @property
    def parameter_words(self) -> int:
        """Words of parameters that wait to be used."""
        return len(self._stream)

    def append_parameters(self, words: np.ndarray) -> None:
        self._stream = np.concatenate([self._stream, words])

    def drop_parameters(self) -> None:
        """Empty the stream."""
        self._stream = np.zeros(0, WORD)

    def take_parameters(self, count: int) -> Optional[np.ndarray]:
        """The next `count` words of the stream; None, and none taken, if there are fewer."""
        if count > len(self._stream):
            return None
        taken, self._stream = self._stream[:count], self._stream[count:]
        return taken

    def stick(self, buffer: int, row: int, bit: int, value: int) -> None:
        """Stick a bit of FMAP_A or FMAP_B at 0 or 1, from the next write of a map on."""
        if buffer not in (FMAP_A, FMAP_B):
            raise ValueError(f"buffer {buffer} is not a feature-map buffer")
        rows = self._limits.fmap_rows
        if not (0 <= row < rows and 0 <= bit < 8 * ROW_BYTES and value in (0, 1)):
            raise ValueError(f"no bit {bit} of row {row} to stick at {value}")
        self._stuck.append(_StuckBit(buffer, row, bit, value))

    def unstick(self) -> None:
        self._stuck.clear()
