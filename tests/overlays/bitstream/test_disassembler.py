import numpy as np
import pytest

from overlays.bitstream import Disassembly, UnknownBit, fasm
from overlays.bitstream.assembler import Assembler
from overlays.bitstream.disassembler import disassemble_frames
from overlays.bitstream.frames import Frames
from overlays.bitstream.readback import read_back


@pytest.fixture
def frames(database, design):
    assembler = Assembler(database)
    assembler.add(fasm.read(design))
    assembler.add(database.required_features())
    return assembler.frames()


def flipped(frames, address, word, bit):
    bits = frames.bits()
    bits[frames.part.number(address) * 3232 + word * 32 + bit] ^= 1
    return Frames.from_bits(frames.part, bits)


def test_all_features_come_back(database, frames):
    found = disassemble_frames(database, frames)
    assert not found.unknown
    assert len(found.features) == len(set(found.features))
    assert set(found.features) == {
        "LOGIC_X0Y0.LUT.INIT[0]", "LOGIC_X0Y0.LUT.INIT[2]", "LOGIC_X0Y0.LUT.INIT[10]",
        "LOGIC_X0Y0.MUX.A", "LOGIC_X0Y0.FF.CLEAR",
        "LOGIC_X0Y1.LUT.INIT[10]", "LOGIC_X0Y1.MUX.B", "LOGIC_X0Y1.FF.MODE[0]",
        "LOGIC_X0Y1.FF.CLEAR", "LOGIC_X0Y2.MUX.BOTH", "LOGIC_X0Y2.FF.CLEAR",
        "RAM_X1Y0.WIDTH_18", "RAM_X1Y0.INIT_00[0]", "RAM_X1Y0.INIT_00[1]",
        "SINGLE_X1Y3.PAD_Y0.SLEW", "CLOCK_X1Y1.ALWAYS"}


def test_an_empty_memory_has_no_features(database, frames):
    empty = Frames(frames.part, np.zeros_like(frames.words))
    assert disassemble_frames(database, empty) == Disassembly(frames.part.name, [], [])


def test_in_small_chunks_the_same(database, frames, monkeypatch):
    whole = disassemble_frames(database, frames)
    monkeypatch.setattr("overlays.bitstream.disassembler._CHUNK", 1)
    assert disassemble_frames(database, frames) == whole


def test_read_back(database, frames, design):
    result = read_back(database, fasm.read(design), frames)
    assert result.faithful
    assert result.gained == [f"LOGIC_X0Y{y}.FF.CLEAR" for y in range(3)]


@pytest.mark.parametrize("bit, lost, unknown", [
    ((0, 0, 0), ["LOGIC_X0Y0.LUT.INIT[0]"], False),
    ((1, 0, 1), ["LOGIC_X0Y0.MUX.A"], False),          # it reads as BOTH
    ((1, 99, 1), ["LOGIC_X0Y1.MUX.B"], False),
    ((0x20080, 100, 5), ["SINGLE_X1Y3.PAD_Y0.SLEW"], True),
    ((0xC00002, 10, 31), ["RAM_X1Y0.INIT_00[1]"], False),
    ((0xC00001, 10, 31), [], True),                    # belongs to nothing
    ((0x83, 77, 7), [], True)])
def test_a_flipped_bit_shows(database, frames, design, bit, lost, unknown):
    result = read_back(database, fasm.read(design), flipped(frames, *bit))
    assert not result.faithful
    assert result.lost == lost
    assert bool(result.unknown) == unknown
    if unknown and not lost:
        assert result.unknown == [UnknownBit(*bit)]
        assert result.changed == [bit[0]]


def test_a_wrong_error_correcting_code_shows(database, frames, design):
    frames.words[0, 50] ^= np.uint32(1)
    result = read_back(database, fasm.read(design), frames)
    assert not result.faithful
    assert result.changed == [0]


def test_written_as_fasm_it_assembles_to_the_same(database, frames, tmp_path):
    with_unknown = flipped(frames, 0x83, 77, 7)
    disassemble_frames(database, with_unknown).write(tmp_path / "back.fasm")
    assert 'unknown_bit = "00000083_77_7"' in (tmp_path / "back.fasm").read_text()
    assembler = Assembler(database)
    assembler.add(fasm.read(tmp_path / "back.fasm"))
    assert np.array_equal(assembler.frames().words, frames.words)
