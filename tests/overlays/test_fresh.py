"""The overlays that ship are whole, and made from the gateware that ships; wants no tool."""

import hashlib
import json
import re
from pathlib import Path

import pytest

import overlays
from overlays.bitstream.bitfile import read_bit
from overlays.boards import BOARDS, find, same_part
from overlays.hwh import hwh

pytest.importorskip("amaranth", reason="the gateware's hash needs Amaranth: pip install .[rtl]")
from overlays.bitstream import build as building
from overlays.bitstream.build import Build, Settings
from overlays.bitstream.tools import Tools
from overlays.gateware.config import FULL

FOLDER = Path(overlays.__file__).parent
NAMES = sorted({board.overlay for board in BOARDS})
BIT_BYTES = 4_045_564
"""What configures an xc7z020, without the header (UG470, table 1-1)."""


def design_hash():
    return Build(FULL, Tools("", "", Path(), Path()), Settings(), Path()).hash


@pytest.fixture(params=NAMES)
def overlay(request):
    folder = FOLDER / request.param
    if not folder.is_dir():
        pytest.skip(f"no overlay is built for {request.param} yet")
    return folder


def problems(folder, name):
    """What is stale or damaged about an overlay."""
    report = json.loads((folder / "report.json").read_text())
    content = (folder / "bnn.bit").read_bytes()
    handoff = (folder / "bnn.hwh").read_text()
    found = []
    if report["gateware"]["design_sha256"] != design_hash():
        found.append("gateware or synthesis changed: make overlay again")
    if report["bit"]["sha256"] != hashlib.sha256(content).hexdigest():
        found.append("the .bit is not the one of the report")
    if handoff != hwh(find(name).divided(*report["fclk0_divisors"])):
        found.append("the .hwh is not what overlays.hwh makes now")
    bit = read_bit(folder / "bnn.bit")
    if not same_part(bit.part, find(name).part):
        found.append(f"the .bit is for {bit.part}")
    return found


def test_the_report_names_no_folder_of_whoever_built_it(overlay):
    assert not re.search(r"(?<![\w.~])/\w+/", (overlay / "report.json").read_text())


def test_what_ships_is_made_from_what_ships_and_meets_its_clock(overlay):
    assert problems(overlay, overlay.name) == []
    report = json.loads((overlay / "report.json").read_text())
    assert report["timing"]["met"]
    board = find(overlay.name).divided(*report["fclk0_divisors"])
    assert report["timing"]["clock_mhz"] == pytest.approx(board.fclk0_mhz, rel=1e-4)
    assert 0 < (overlay / "bnn.bit").stat().st_size - BIT_BYTES < 200


def test_a_change_of_the_gateware_is_seen(overlay, monkeypatch):
    monkeypatch.setattr(building, "source_hash", lambda config: "another")
    assert "gateware or synthesis changed: make overlay again" in problems(overlay, overlay.name)


def test_another_file_or_another_boards_is_seen(overlay, tmp_path):
    other = next(name for name in NAMES if name != overlay.name)
    for path in overlay.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert f"the .bit is for {read_bit(overlay / 'bnn.bit').part}" in problems(tmp_path, other)
    content = bytearray((overlay / "bnn.bit").read_bytes())
    content[-1000] ^= 1
    (tmp_path / "bnn.bit").write_bytes(content)
    (tmp_path / "bnn.hwh").write_text(hwh(find(overlay.name)) + "\n")
    found = problems(tmp_path, overlay.name)
    assert "the .bit is not the one of the report" in found
    assert "the .hwh is not what overlays.hwh makes now" in found


def test_every_board_has_a_folder_of_its_part():
    for board in BOARDS:
        assert same_part(board.part, find(board.overlay).part)
        assert board.ps_clk_mhz == find(board.overlay).ps_clk_mhz
