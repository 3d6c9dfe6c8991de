"""The .bit as a whole: what is in it, and how each kind of damage is refused."""

from datetime import datetime

import numpy as np
import pytest

from overlays.bitstream import (
    BitFileError,
    DatabaseError,
    FeatureError,
    assemble,
    disassemble,
    read_frames,
)
from overlays.bitstream.bitfile import BitFile, read_bit
from overlays.bitstream.configuration import from_words, to_words
from overlays.bitstream.frames import Frames
from overlays.bitstream.packets import NOP, Command, Register, command, read, write
from overlays.bitstream.part import read_part
from pynq_bnn.devices.board.bitfile import read_header
from tests.overlays.bitstream.conftest import FRAMES, PART

ROWS = 5
PADDED = FRAMES + 2 * ROWS


@pytest.fixture
def bit(folder, design, tmp_path):
    assemble(design, tmp_path / "a.bit", folder, PART, "bnn")
    return tmp_path / "a.bit"


@pytest.fixture
def part(folder):
    return read_part(folder, PART)


@pytest.fixture
def random_frames(part, rng):
    bits = rng.integers(0, 2, part.frames * 3232, dtype=np.uint8)
    return Frames.from_bits(part, bits)


def rewritten(path, change):
    """The .bit at `path` with its words changed."""
    bitfile = read_bit(path)
    words = bitfile.words.copy()
    path.write_bytes(bitfile._replace(words=change(words)).to_bytes())


def test_frames_survive(random_frames):
    words = to_words(random_frames)
    assert np.array_equal(from_words(random_frames.part, words).words, random_frames.words)
    assert np.array_equal(random_frames.from_bits(random_frames.part, random_frames.bits()).words,
                          random_frames.words)


def test_assemble_and_disassemble(folder, design, bit):
    found = disassemble(bit, folder)
    assert (found.part, found.unknown) == (PART, [])
    assert {"LOGIC_X0Y0.MUX.A", "RAM_X1Y0.INIT_00[1]"} <= set(found.features)
    assert len(read_frames(bit, folder).words) == FRAMES


def test_another_package_of_the_die(folder, design, tmp_path):
    assemble(design, tmp_path / "b.bit", folder, "xc7tiny1xyz9-1", "bnn")
    assert disassemble(tmp_path / "b.bit", folder).part == "xc7tiny1xyz9-1"


def test_the_same_design_gives_the_same_bytes(folder, design, bit, tmp_path):
    assemble(design, tmp_path / "again.bit", folder, PART, "bnn")
    assert (tmp_path / "again.bit").read_bytes() == bit.read_bytes()


def test_nothing_is_written_where_a_feature_is_missing(folder, design, tmp_path):
    design.write_text(design.read_text() + "LOGIC_X0Y0.NONE\n")
    with pytest.raises(FeatureError, match=r"LOGIC_X0Y0\.NONE"):
        assemble(design, tmp_path / "c.bit", folder, PART, "bnn")
    assert not (tmp_path / "c.bit").exists()


def test_a_name_that_no_header_can_hold(folder, design, tmp_path):
    with pytest.raises(BitFileError, match="'bnn-é' must be ASCII"):
        assemble(design, tmp_path / "e.bit", folder, PART, "bnn-é")


def test_the_driver_reads_the_header(folder, design, tmp_path):
    assemble(design, tmp_path / "d.bit", folder, PART, "bnn", datetime(2024, 2, 29, 12, 30))
    header = read_header(tmp_path / "d.bit")
    assert (header.design, header.part) == ("bnn", "7tiny1abc1")
    assert (header.date, header.time) == ("2024/02/29", "12:30:00")


def test_commands_in_vivados_order(bit):
    """As in bitstreams by Vivado 2018.2 (word for word, its xc7z020 ones are rewritten alike)."""
    writes = list(read(read_bit(bit).words))
    assert [Register(packet.register).name for packet in writes] == [
        "TIMER", "WBSTAR", "CMD", "CMD", "UNNAMED", "COR0", "COR1", "IDCODE", "CMD", "MASK", "CTL0",
        "MASK", "CTL1", "FAR", "CMD", "FDRI", "CRC", "CMD", "CMD", "CMD", "FAR", "MASK", "CTL0",
        "CRC", "CMD"]
    commands = [Command(int(packet.words[0])).name for packet in writes
                if packet.register == Register.CMD]
    assert commands == ["NULL", "RCRC", "SWITCH", "WCFG", "GRESTORE", "LFRM", "START", "DESYNC"]
    (data,) = (packet.words for packet in writes if packet.register == Register.FDRI)
    assert len(data) == PADDED * 101
    assert writes[-2].words[0] == 0xE3AD7EA5


def test_two_empty_frames_follow_each_row(random_frames):
    (data,) = (packet.words for packet in read(to_words(random_frames))
               if packet.register == Register.FDRI)
    empty = ~data.reshape(PADDED, 101).any(1)
    assert np.flatnonzero(empty).tolist() == [6, 7, 14, 15, 22, 23, 27, 28, 32, 33]


def test_any_truncated_file_is_refused_by_name(folder, bit):
    content = bit.read_bytes()
    for size in [*range(0, 120), 200, 1000, len(content) - 1]:
        bit.write_bytes(content[:size])
        with pytest.raises(BitFileError, match=r"a\.bit"):
            disassemble(bit, folder)


def test_truncated_says_so(folder, bit):
    bit.write_bytes(bit.read_bytes()[:-400])
    with pytest.raises(BitFileError, match=r"a\.bit is truncated"):
        disassemble(bit, folder)


def test_any_flipped_bit_of_the_data_is_noticed(folder, bit, rng):
    content = bytearray(bit.read_bytes())
    for _ in range(20):
        place, mask = int(rng.integers(500, 12_000)), 1 << int(rng.integers(8))
        content[place] ^= mask
        bit.write_bytes(content)
        with pytest.raises(BitFileError, match=r"a\.bit can't be used: the checksum"):
            disassemble(bit, folder)
        content[place] ^= mask


def test_a_missing_file_is_named(folder, tmp_path):
    with pytest.raises(BitFileError, match=r"none\.bit can't be read"):
        disassemble(tmp_path / "none.bit", folder)


def test_a_file_that_never_synchronises(part):
    content = bytearray(BitFile.made("x", "y", np.zeros(3, np.uint32)).to_bytes())
    content[-16:-12] = b"\0\0\0\0"
    with pytest.raises(BitFileError, match="no synchronisation"):
        BitFile.from_bytes(bytes(content), "x.bit")


def test_a_part_that_the_database_lacks(folder, bit):
    bit.write_bytes(bit.read_bytes().replace(b"7tiny1abc1", b"7tiny1abc7"))
    with pytest.raises(DatabaseError, match="no part 7tiny1abc7"):
        disassemble(bit, folder)


def test_another_idcode(folder, bit):
    def change(words):
        words[np.flatnonzero(words == 0x1234093)] = 0x1235093
        return words

    rewritten(bit, change)
    with pytest.raises(BitFileError, match="IDCODE 0x01235093, xc7tiny1abc1-1 has 0x01234093"):
        disassemble(bit, folder)


def test_the_silicons_revision_does_not_matter(part, random_frames):
    revised = Frames(read_revised(part), random_frames.words)
    assert np.array_equal(from_words(part, to_words(revised)).words, random_frames.words)


def read_revised(part):
    return type(part)(part.name, part.idcode | 0x3000_0000, part.addresses)


def stream(*packets):
    return np.array([word for packet in packets for word in packet], np.uint32)


IDCODE = write(Register.IDCODE, 0x1234093)


@pytest.mark.parametrize("packets, message", [
    ([IDCODE], "writes 0 words into frames; xc7tiny1abc1-1 has 24, with padding 34"),
    ([IDCODE, write(Register.FAR, 0), write(Register.FDRI, 0)], "writes 1 words"),
    ([IDCODE, write(Register.FAR, 0x80), write(Register.FDRI, 0)], "in one piece"),
    ([write(Register.FAR, 0), write(Register.FDRI, 0)], "in one piece"),
    ([IDCODE, write(Register.FAR, 0), write(Register.FDRI, 0), write(Register.FDRI, 0)],
     "in one piece"),
    ([[0x6000_0000]], "0x60000000, is no packet"),
    ([[0x2800_6001]], "0x28006001 doesn't write"),
    ([[NOP, 0x3000_4005, 1, 2]], "5 words to register 2 is cut off after 2")])
def test_what_does_not_write_the_whole_die_is_refused(part, packets, message):
    with pytest.raises(BitFileError, match=message):
        from_words(part, stream(*packets))


def test_padding_that_is_not_empty_is_refused(part, random_frames):
    words = to_words(random_frames)
    wrong = Frames(type(part)(part.name, part.idcode, part.addresses), random_frames.words)
    start = int(np.flatnonzero(words == 0x5000_0000 | PADDED * 101)[0]) + 1
    data = words[start:start + PADDED * 101].copy()
    data[6 * 101] = 1
    with pytest.raises(BitFileError, match="padding"):
        from_words(wrong.part, np.concatenate([words[:start], data]))


def test_rcrc_in_place_of_the_checksum_is_accepted(part, random_frames):
    """As Project X-Ray's xc7frames2bit writes it."""
    words = to_words(random_frames)
    for place in np.flatnonzero(words == write(Register.CRC, 0)[0]):
        words[place:place + 2] = command(Command.RCRC)
    assert np.array_equal(from_words(part, words).words, random_frames.words)


def test_frames_of_another_size_are_refused(part):
    with pytest.raises(ValueError, match="24 frames of 101 words"):
        Frames(part, np.zeros((3, 101), np.uint32))
