"""The .hwh without PYNQ; PYNQ's own parsers read it in tests/pynq_sim."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from overlays.boards import BOARDS, find
from overlays.hwh import hwh
from pynq_bnn import registers


def properties(element):
    return {entry.get("NAME"): entry.get("VALUE") for entry in element.findall("PROPERTY")}


@pytest.fixture
def system():
    return ElementTree.fromstring(hwh(find("Pynq-Z1")))


def module(system, vlnv):
    (found,) = [entry for entry in system.iter("MODULE") if entry.get("VLNV") == vlnv]
    return found


def test_every_word_of_the_register_table_is_there(system):
    entries = {}
    for entry in module(system, registers.VLNV).iter("REGISTER"):
        entries[int(properties(entry)["ADDRESS_OFFSET"], 16)] = entry
    expected = {offset: (register, index) for offset, register, index in registers.words()}
    assert entries.keys() == expected.keys()
    for offset, (register, index) in expected.items():
        assert entries[offset].get("NAME") == (
            register.name if register.count == 1 else f"{register.name}_{index}")
        facts = properties(entries[offset])
        assert (facts["SIZE"], facts["ACCESS"]) == ("32", register.access)
        assert facts["DESCRIPTION"] == register.meaning


def test_every_field_of_the_register_table_is_there(system):
    for entry in module(system, registers.VLNV).iter("REGISTER"):
        name = entry.get("NAME")
        register = registers.BY_NAME.get(name) or registers.BY_NAME[name.rpartition("_")[0]]
        got = {field.get("NAME"): properties(field) for field in entry.iter("FIELD")}
        assert got.keys() == {field.name for field in register.fields}
        for field in register.fields:
            facts = got[field.name]
            assert int(facts["BIT_OFFSET"]) == field.low
            assert int(facts["BIT_WIDTH"]) == field.width
            assert facts["ACCESS"] == register.access
            assert facts["DESCRIPTION"].startswith(field.meaning)


def test_names_are_distinct(system):
    names = [entry.get("NAME") for entry in system.iter("REGISTER")]
    assert len(names) == len(set(names))


def test_values_of_a_field_are_described(system):
    descriptions = [properties(field)["DESCRIPTION"] for field in system.iter("FIELD")]
    assert any("3 BIN_CONV" in description for description in descriptions)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_clocks_are_the_boards(board):
    system = ElementTree.fromstring(hwh(board))
    got = {entry.get("NAME"): entry.get("VALUE") for entry in
           module(system, "xilinx.com:ip:processing_system7:5.5").iter("PARAMETER")}
    divisors = [int(got[f"PCW_FCLK0_PERIPHERAL_DIVISOR{n}"]) for n in (0, 1)]
    megahertz = board.io_pll_mhz / (divisors[0] * divisors[1])
    assert float(got["PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ"]) == pytest.approx(megahertz)
    assert [got[f"PCW_FPGA_FCLK{n}_ENABLE"] for n in range(4)] == ["1", "0", "0", "0"]


def test_address(system):
    (span,) = system.iter("MEMRANGE")
    assert (span.get("BASEVALUE"), span.get("HIGHVALUE")) == ("0x43C00000", "0x43C00FFF")
    assert span.get("INSTANCE") == module(system, registers.VLNV).get("INSTANCE") == "bnn"


def test_the_same_board_gives_the_same_text():
    assert hwh(find("ZedBoard")) == hwh(find("ZedBoard"))


def test_command_line(tmp_path):
    out = tmp_path / "bnn.hwh"
    subprocess.run([sys.executable, "-m", "overlays.hwh", "Pynq-Z2", out], check=True)
    assert out.read_text(encoding="utf-8") == hwh(find("Pynq-Z2"))
    wrong = subprocess.run([sys.executable, "-m", "overlays.hwh", "Arty", out],
                           capture_output=True)
    assert wrong.returncode != 0
    assert b"ZedBoard" in wrong.stderr
