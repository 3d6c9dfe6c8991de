"""The error-correcting code inside each frame: 13 bits in the word of the clock row.

A Hamming code with a parity bit over it (SECDED): every data bit has a number of its own, no two
alike and none a power of two, and the code is the exclusive or of the numbers of the bits that are
set.  Read back on the chip, a single wrong bit then gives its own number.

Source: UG470, "Readback CRC" and FRAME_ECCE2; the numbering is Project X-Ray's (``ecc.cc``), and
every frame of bitstreams made by Vivado agrees with it.
"""

from __future__ import annotations

import numpy as np

FRAME_WORDS = 101
WORD_BITS = 32

ECC_WORD = 50
"""The clock row's word, whose lower bits are the code."""

ECC_BITS = 13
ECC_MASK = (1 << ECC_BITS) - 1

_PARITY = ECC_BITS - 1


def _numbers() -> np.ndarray:
    """The number of every bit of a frame, (words, bits); 0 for the code's own place."""
    words = np.arange(FRAME_WORDS)
    # gaps, so that no number is a power of two, which belong to the code's own bits
    start = np.where(words > 0x25, 0x1360, np.where(words > 0x6, 0x1340, 0x1320))
    numbers = (start + words * WORD_BITS)[:, None] + np.arange(WORD_BITS)
    numbers[ECC_WORD, :ECC_BITS] = 0
    return numbers


def _masks() -> np.ndarray:
    """For each bit of the code, which bits of the frame go into it: (code bits, words)."""
    taken = (_numbers()[None] >> np.arange(ECC_BITS)[:, None, None]) & 1
    return (taken << np.arange(WORD_BITS)).sum(2).astype(np.uint32)


_MASKS = _masks()


def _parity(words: np.ndarray) -> np.ndarray:
    """Whether each word has an odd number of ones."""
    for shift in (16, 8, 4, 2, 1):
        words = words ^ (words >> np.uint32(shift))
    return words & np.uint32(1)


def codes(words: np.ndarray) -> np.ndarray:
    """The code of each frame of `words`, (frames, 101) of uint32."""
    code = np.zeros(len(words), np.uint32)
    for bit, mask in enumerate(_MASKS):
        code |= _parity(np.bitwise_xor.reduce(words & mask, axis=1)) << np.uint32(bit)
    # the parity bit also covers the code's other bits
    return code ^ (_parity(code & np.uint32((1 << _PARITY) - 1)) << np.uint32(_PARITY))


def insert(words: np.ndarray) -> np.ndarray:
    """The same frames with their codes in place."""
    protected = words.copy()
    protected[:, ECC_WORD] &= np.uint32(~ECC_MASK & 0xFFFFFFFF)
    protected[:, ECC_WORD] |= codes(words)
    return protected
