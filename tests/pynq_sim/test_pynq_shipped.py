"""The overlays that ship, by the real PYNQ on a simulated board: a user's first line."""

import json
from pathlib import Path

import pytest

import overlays
from overlays.boards import BOARDS, find

pynq = pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")
pytestmark = [pytest.mark.pynq, pytest.mark.first_contact]
FOLDER = Path(overlays.__file__).parent


@pytest.mark.parametrize("name", [board.name for board in BOARDS])
def test_the_first_line_of_a_user(name, make_zynq, weights, pictures):
    from pynq_bnn import BnnOverlay

    folder = FOLDER / find(name).overlay
    report = json.loads((folder / "report.json").read_text())
    zynq = make_zynq(name, batch=2)
    with BnnOverlay() as overlay:
        assert zynq.downloads == [str(folder / "bnn.bit")]
        assert overlay.bnn.clock_mhz == pytest.approx(report["timing"]["clock_mhz"], rel=1e-4)
        passed = [mhz for mhz, outcome in overlay.contact.tried if outcome == "passed"]
        assert passed[0] == pytest.approx(overlay.bnn.clock_mhz / 2)
        assert passed[-1] == pytest.approx(overlay.bnn.clock_mhz)
        assert overlay.classify(pictures[0]).timing.device == "board"


def test_plain_pynq_finds_it_by_its_name(make_zynq):
    zynq = make_zynq("Pynq-Z1", batch=2)
    overlay = pynq.Overlay("Pynq-Z1/bnn.bit")
    assert zynq.downloads == [str(FOLDER / "Pynq-Z1" / "bnn.bit")]
    assert type(overlay.bnn).__name__ == "BnnDriver"
