"""The configuration memory of one part: every frame of the die, as one array of words."""

from __future__ import annotations

from typing import Iterator, Tuple

import numpy as np

from overlays.bitstream import ecc
from overlays.bitstream.ecc import FRAME_WORDS, WORD_BITS
from overlays.bitstream.part import Part

FRAME_BITS = FRAME_WORDS * WORD_BITS
"""A bit's place in the memory is ``number of its frame * FRAME_BITS + place in the frame``."""


class Frames:
    """What every frame of `part` holds.

    Attributes
    ----------
    words : array of uint32, (frames, 101)
        In the order of the part's addresses.
    """

    def __init__(self, part: Part, words: np.ndarray) -> None:
        if words.shape != (part.frames, FRAME_WORDS) or words.dtype != np.uint32:
            raise ValueError(f"{part.name} has {part.frames} frames of {FRAME_WORDS} words of "
                             f"uint32, not {words.dtype} {words.shape}")
        self.part = part
        self.words = words

    @classmethod
    def from_bits(cls, part: Part, bits: np.ndarray) -> "Frames":
        """From one byte, 0 or 1, a bit; the error-correcting codes are put in."""
        octets = np.packbits(bits, bitorder="little")
        words = octets.view("<u4").astype(np.uint32).reshape(part.frames, FRAME_WORDS)
        return cls(part, ecc.insert(words))

    def bits(self) -> np.ndarray:
        """One byte, 0 or 1, a bit, without the error-correcting codes."""
        words = self.words.copy()
        words[:, ecc.ECC_WORD] &= np.uint32(~ecc.ECC_MASK & 0xFFFFFFFF)
        return np.unpackbits(words.astype("<u4").reshape(-1).view(np.uint8), bitorder="little")

    def wrong_codes(self) -> np.ndarray:
        """The addresses of frames whose error-correcting code isn't theirs."""
        stored = self.words[:, ecc.ECC_WORD] & np.uint32(ecc.ECC_MASK)
        return self.part.addresses[stored != ecc.codes(self.words)]

    def differences(self, other: "Frames") -> Iterator[Tuple[int, int, int]]:
        """Frame address, word and the bits that differ, wherever two memories do."""
        changed = self.words ^ other.words
        for frame, word in zip(*np.nonzero(changed)):
            yield int(self.part.addresses[frame]), int(word), int(changed[frame, word])
