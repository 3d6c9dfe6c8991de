"""The real xc7z020: its database is not ours, so its folder (prjxray-db/zynq7) must be named.

    PRJXRAY_DB=.../zynq7 [PRJXRAY_FASM=a_design.fasm] [VIVADO_BIT=a.bit] pytest THIS_FILE

Bitstreams by Vivado are in https://github.com/Xilinx/BNN-PYNQ, bnn/bitstreams/pynqZ1-Z2.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from overlays.bitstream import assemble, fasm, read_frames
from overlays.bitstream.assembler import Assembler
from overlays.bitstream.bitfile import read_bit
from overlays.bitstream.configuration import to_words
from overlays.bitstream.database import Database
from overlays.bitstream.fasm import Feature
from overlays.bitstream.readback import read_back
from pynq_bnn.devices.board.bitfile import read_header

FOLDER = os.environ.get("PRJXRAY_DB", "")
PARTS = ["xc7z020clg400-1", "xc7z020clg484-1"]

# one of each kind of what a placed and routed design of ours says
DESIGN = """
CLBLM_R_X21Y116.SLICEM_X0.ALUT.INIT[63:0] = 64'h0123456789ABCDEF
CLBLM_R_X21Y116.SLICEM_X0.BLUT.SMALL
CLBLM_R_X21Y116.SLICEM_X0.BLUT.SRL
CLBLM_R_X21Y116.SLICEM_X0.BOUTMUX.O6
CLBLM_R_X21Y116.SLICEM_X0.WEMUX.CE
CLBLM_R_X21Y116.SLICEM_X0.NOCLKINV
CLBLM_R_X21Y116.SLICEL_X1.BLUT.INIT[63:0] = 64'b0
CLBLM_R_X21Y116.SLICEL_X1.C5FF.ZINI
CLBLM_R_X21Y116.SLICEL_X1.C5FFMUX.IN_B
BRAM_L_X22Y105.RAMB18_Y0.ZINIT_A[17:0] = 18'b111111111111111111
BRAM_L_X22Y105.RAMB18_Y1.INIT_3F[255:0] = 256'h8000000000000000000000000000000000000000000000001
BRAM_L_X22Y105.BRAM_IMUX_ADDRARDADDRL5.BRAM_IMUX20_3
BRAM_INT_INTERFACE_L_X22Y105.INT_INTERFACE_LOGIC_OUTS_L4.INT_INTERFACE_LOGIC_OUTS_L_B4
PSS2_X32Y105.PS7_MAXIGP0ARREADY.PSS_IMUX_B4_5
INT_L_X20Y50.BYP_ALT0.BYP_BOUNCE_N3_3
LIOB33_SING_X0Y49.IOB_Y1.INTERMDISABLE.I
"""

pytestmark = pytest.mark.skipif(not FOLDER, reason="PRJXRAY_DB names no database")


@pytest.fixture(scope="module", params=PARTS)
def database(request):
    return Database(FOLDER, request.param)


@pytest.fixture
def design(tmp_path):
    named = os.environ.get("PRJXRAY_FASM")
    if named:
        return Path(named)
    path = tmp_path / "design.fasm"
    path.write_text(DESIGN)
    return path


def test_a_design_survives(database, design, tmp_path):
    path = tmp_path / "design.bit"
    written = assemble(design, path, FOLDER, database.part.name, "design")
    frames = read_frames(path, FOLDER)
    assert np.array_equal(frames.words, written.words)
    assert read_back(database, fasm.read(design), frames).faithful
    # UG470, Table 1-1: the length of a bitstream in bits
    assert read_header(path).length == 32_364_512 // 8
    assert frames.words.shape == (9996, 101)
    assert len(frames.wrong_codes()) == 0


@pytest.mark.skipif("VIVADO_BIT" not in os.environ, reason="VIVADO_BIT names no .bit")
def test_one_of_vivados_is_written_again_byte_for_byte():
    path = Path(os.environ["VIVADO_BIT"])
    bitfile = read_bit(path)
    frames = read_frames(path, FOLDER)
    assert len(frames.wrong_codes()) == 0
    assert bitfile._replace(words=to_words(frames)).to_bytes() == path.read_bytes()


def test_every_feature_survives(database):
    """Each type's are spread over its tiles, so that none wants a bit that another wants clear."""
    left = {id(tile.type): dict(tile.type.features) for tile in database.tiles()}
    chosen = [Feature(name, None, 0) for tile in database.tiles()
              for name in compatible(tile, left[id(tile.type)])]
    assembler = Assembler(database)
    assembler.add(chosen)
    assembler.add(database.required_features())
    result = read_back(database, chosen, assembler.frames())
    assert result.faithful
    assert len(chosen) > 60_000
    over = sum(len(features) for features in left.values())
    assert over < len(chosen) / 10, "of types that the die has few tiles of"


def compatible(tile, left):
    """Take features out of `left` as long as their bits agree; one at least must set a bit."""
    ones, zeros, names = set(), set(), []
    for name, bits in sorted(left.items(), key=lambda item: not item[1].ones):
        here = {(bits.block, place) for place in bits.ones}
        clear = {(bits.block, place) for place in bits.zeros}
        if (ones or here) and not (here & zeros or clear & ones):
            ones |= here
            zeros |= clear
            del left[name]
            names.append(f"{tile.name}.{name}")
    return names
