import numpy as np
import pytest

from overlays.bitstream import FeatureError, ecc, fasm
from overlays.bitstream.assembler import Assembler


@pytest.fixture
def assemble(database):
    def from_lines(*lines):
        assembler = Assembler(database)
        assembler.add(fasm.parse(lines))
        return assembler.frames()
    return from_lines


def ones(frames):
    """(frame address, word, bit) of what is set, but for the error-correcting codes."""
    places = np.flatnonzero(frames.bits())
    return {(int(frames.part.addresses[place // 3232]), place % 3232 // 32, place % 32)
            for place in places.tolist()}


def test_no_features_no_bits(assemble):
    assert not assemble().words.any()


@pytest.mark.parametrize("line, expected", [
    ("LOGIC_X0Y0.LUT.INIT[10:0] = 11'b10000000101", {(0, 0, 0), (0, 0, 2), (0, 1, 31)}),
    ("LOGIC_X0Y1.MUX.A", {(1, 99, 0)}),
    ("LOGIC_X0Y2.MUX.BOTH", {(0x400001, 0, 0), (0x400001, 0, 1)}),
    ("LOGIC_X0Y0.FF.MODE", {(1, 0, 3)}),
    ("LOGIC_X0Y0.FF.LATCH = 0", set()),
    ("LOGIC_X0Y0.FF.CLEAR", set()),
    ("LOGIC_X0Y0.VCC", set()),
    ("WIRES_X2Y0.A.B", set()),
    ("RAM_X1Y0.WIDTH_18", {(0x400080, 10, 5), (0x400083, 10, 31)}),
    ("RAM_X1Y0.INIT_00[1]", {(0xC00002, 10, 31)}),
    ("SINGLE_X1Y3.PAD_Y0.SLEW", {(0x20080, 100, 4)}),
    ("CLOCK_X1Y1.ALWAYS", {(0x80, 50, 20)})])
def test_bits_of_a_feature(assemble, line, expected):
    assert ones(assemble(line)) == expected


def test_frames_carry_their_error_correcting_codes(assemble):
    frames = assemble("LOGIC_X0Y0.MUX.A")
    assert frames.words[1, ecc.ECC_WORD] == ecc.codes(frames.words)[1] != 0
    assert len(frames.wrong_codes()) == 0
    frames.words[1, 3] ^= np.uint32(1)
    assert frames.wrong_codes().tolist() == [1]


@pytest.mark.parametrize("line", [
    "LOGIC_X0Y9.MUX.A",                    # no such tile
    "LOGIC_X0Y0",
    "LOGIC_X0Y0.MUX.C",
    "LOGIC_X0Y0.MUX.A[1]",
    "LOGIC_X0Y0.LUT.INIT[5]",              # a hole in the vector
    "LOGIC_X0Y0.NOTHING[3:0] = 4'b0000",   # though it would set nothing
    "SINGLE_X1Y3.PAD_Y1.SLEW",             # the other type's name
    "WIRES_X2Y0.LUT.INIT[0]"])
def test_a_feature_that_is_not_in_the_database_stops_the_build(assemble, line):
    with pytest.raises(FeatureError, match=r"^1 features are not in the database of xc7tiny1abc1-1"
                       ) as error:
        assemble("LOGIC_X0Y0.MUX.A", line)
    assert line.split("[")[0] + " (line 2)" in str(error.value)


def test_many_unknown_features_are_counted(assemble):
    with pytest.raises(FeatureError, match=r"^30 features .* and 20 more"):
        assemble(*[f"LOGIC_X0Y0.F{number}" for number in range(30)])


def test_a_contradiction_names_both_sides(assemble):
    with pytest.raises(FeatureError, match=(
            "^2 bits are wanted both set and clear, the first of them bit 3168 of frame 0x00000001:"
            r" LOGIC_X0Y1\.MUX\.A against LOGIC_X0Y1\.MUX\.B")):
        assemble("LOGIC_X0Y1.MUX.A", "LOGIC_X0Y1.MUX.B")


def test_one_feature_twice_is_no_contradiction(assemble):
    assert ones(assemble("LOGIC_X0Y0.MUX.A", "LOGIC_X0Y0.MUX.A")) == {(1, 0, 0)}
