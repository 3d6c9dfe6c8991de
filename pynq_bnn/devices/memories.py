"""The accelerator's on-chip memories: input buffer, feature maps, sums, the parameter stream."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional

import numpy as np

from pynq_bnn.devices.dram import WORD, WORD_BYTES
from pynq_bnn.devices.stages import SUMS_BYTES, Limits
from pynq_bnn.registers import FMAP_A, FMAP_B, SUMS


class _StuckBit(NamedTuple):
    buffer: int
    image: int
    word: int
    bit: int
    value: int


class Memories:
    """Memories for the largest batch; all words are little-endian uint64.

    The input buffer holds images end to end, as many words each as the stage at hand says. The
    feature-map buffers and the sums have a slot of fixed size for each image. Contents outlive
    what wrote them, and a reset.
    """

    def __init__(self, limits: Limits) -> None:
        def slots(each_bytes: int) -> np.ndarray:
            return np.zeros((limits.batch, each_bytes // WORD_BYTES), WORD)

        self._input = slots(limits.picture_bytes).reshape(-1)
        self._slots: Dict[int, np.ndarray] = {
            FMAP_A: slots(limits.fmap_bits // 8), FMAP_B: slots(limits.fmap_bits // 8),
            SUMS: slots(SUMS_BYTES)}
        self._stream = np.zeros(0, WORD)
        self._stuck: List[_StuckBit] = []

    def write_input(self, words: np.ndarray) -> None:
        self._input[:len(words)] = words

    def read_input(self, images: int, words: int) -> np.ndarray:
        """The first `images`, of so many `words` each: (images, words)."""
        return self._input[:images * words].reshape(images, words)

    def write(self, buffer: int, maps: np.ndarray) -> None:
        """Write (images, words) to the beginnings of the slots of FMAP_A, FMAP_B or SUMS."""
        slots = self._slots[buffer]
        slots[:maps.shape[0], :maps.shape[1]] = maps
        for stuck in self._stuck:
            if stuck.buffer == buffer:
                mask = 1 << stuck.bit
                word = int(slots[stuck.image, stuck.word])
                slots[stuck.image, stuck.word] = word | mask if stuck.value else word & ~mask

    def read(self, buffer: int, images: int, words: int) -> np.ndarray:
        """The beginnings of the slots of FMAP_A, FMAP_B or SUMS: (images, words)."""
        return self._slots[buffer][:images, :words]

    @property
    def parameter_words(self) -> int:
        """Words of parameters that wait to be used."""
        return len(self._stream)

    def append_parameters(self, words: np.ndarray) -> None:
        self._stream = np.concatenate([self._stream, words])

    def take_parameters(self, count: int) -> Optional[np.ndarray]:
        """The next `count` words of the stream; None, and none taken, if there are fewer."""
        if count > len(self._stream):
            return None
        taken, self._stream = self._stream[:count], self._stream[count:]
        return taken

    def clear_parameters(self) -> None:
        self._stream = np.zeros(0, WORD)

    def stick(self, buffer: int, image: int, word: int, bit: int, value: int) -> None:
        """Stick a bit of FMAP_A or FMAP_B at 0 or 1, from the next write of a map on."""
        if buffer not in (FMAP_A, FMAP_B):
            raise ValueError(f"buffer {buffer} is no feature-map buffer")
        images, words = self._slots[buffer].shape
        if not (0 <= image < images and 0 <= word < words and 0 <= bit < 64 and value in (0, 1)):
            raise ValueError(f"no bit {bit} of word {word} of image {image} to stick at {value}")
        self._stuck.append(_StuckBit(buffer, image, word, bit, value))

    def unstick(self) -> None:
        self._stuck.clear()
