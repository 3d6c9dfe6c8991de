"""The two checks inside a bitstream, by values that are known from elsewhere."""

import numpy as np
import pytest

from overlays.bitstream import crc, ecc


@pytest.mark.parametrize("register, word, before, expected", [
    # what Project X-Ray's own tests expect of its icap_crc
    (0, 0, 0, 0), (0x10, 0, 0, 0x82F63B78), (0x1F, 0xFFFFFFFF, 0, 0xBF86D4DF),
    (0, 0, 0xFFFFFFFF, 0xC631E365)])
def test_crc(register, word, before, expected):
    assert crc.update(before, register, [word]) == expected


def test_crc_of_what_ends_every_7_series_bitstream_of_vivado():
    """GRESTORE, LFRM, START, FAR, MASK, CTL0: the second checksum is the same in all of them."""
    value = 0
    for register, word in [(4, 10), (4, 3), (4, 5), (1, 0x3BE0000), (6, 0x501), (5, 0x501)]:
        value = crc.update(value, register, [word])
    assert value == 0xE3AD7EA5


def test_crc_step_by_step(rng):
    """Against the shift register itself, a bit at a time."""
    words = rng.integers(0, 1 << 32, 50).tolist()
    expected = 0
    for word in words:
        value = 2 << 32 | word
        for place in range(37):
            bit = (value >> place ^ expected) & 1
            expected = expected >> 1 ^ (crc.CASTAGNOLI if bit else 0)
    assert crc.update(0, 2, words) == expected


def frame(*bits):
    words = np.zeros((1, ecc.FRAME_WORDS), np.uint32)
    for word, bit in bits:
        words[0, word] |= np.uint32(1 << bit)
    return words


@pytest.mark.parametrize("word, number", [(0, 0x1320), (7, 0x1420), (0x26, 0x1820)])
def test_ecc_of_one_bit_is_its_number(word, number):
    (code,) = ecc.codes(frame((word, 0)))
    assert code & 0xFFF == number & 0xFFF
    assert bin(code).count("1") % 2 == 1, "with the bit itself, an even number of ones"


def test_ecc_bit_by_bit(rng):
    """Against the definition in Project X-Ray's ecc.cc, written out."""
    words = rng.integers(0, 1 << 32, (3, ecc.FRAME_WORDS), dtype=np.uint32)

    def code(frame):
        value = 0
        for index, word in enumerate(frame.tolist()):
            start = index * 32 + (0x1360 if index > 0x25 else 0x1340 if index > 6 else 0x1320)
            for bit in range(13 if index == 50 else 0, 32):
                value ^= (start + bit) * (word >> bit & 1)
        return value ^ (bin(value & 0xFFF).count("1") & 1) << 12

    assert ecc.codes(words).tolist() == [code(each) for each in words]


def test_ecc_points_at_a_flipped_bit(rng):
    words = ecc.insert(rng.integers(0, 1 << 32, (1, ecc.FRAME_WORDS), dtype=np.uint32))
    stored = words[0, ecc.ECC_WORD] & np.uint32(ecc.ECC_MASK)
    words[0, 7] ^= np.uint32(1 << 3)
    assert (ecc.codes(words)[0] ^ stored) & 0xFFF == (0x1340 + 7 * 32 + 3) & 0xFFF


def test_insert_replaces_an_old_code_and_keeps_the_clock_rows_other_bits():
    words = frame((ecc.ECC_WORD, 0), (ecc.ECC_WORD, 13))
    assert ecc.insert(words)[0, ecc.ECC_WORD] == 1 << 13 | ecc.codes(frame((ecc.ECC_WORD, 13)))[0]
