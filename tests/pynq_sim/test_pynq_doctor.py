"""The doctor on a simulated board, with the real PYNQ: a healthy one, and planted faults."""

import json

import pytest

from overlays.boards import find
from pynq_bnn import registers

pynq = pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")
pytestmark = [pytest.mark.pynq, pytest.mark.first_contact]
FABRIC = ("fabric", "first contact", "identity", "overlay and package", "clock", "memory ports",
          "known answer")


@pytest.fixture
def board(make_zynq, make_bitstream, weights, monkeypatch):
    """A function that makes a board, its bitstream as the package's own, and examines it."""
    from pynq_bnn.devices.board import overlay as module
    from pynq_bnn.doctor import checkup, host

    def make(name="Pynq-Z1"):
        zynq, path = make_zynq(name, batch=2), make_bitstream(name)
        build = zynq.model.mmio.read(registers.offset("BUILD"))
        path.with_name("report.json").write_text(json.dumps({"gateware": {"build": hex(build)}}))
        monkeypatch.setattr(host, "running_on_board", lambda: True)
        for place in (host, module):
            monkeypatch.setattr(place, "packaged_bitstream", lambda _: path)

        def examine():
            return {each.name: each for each in checkup.diagnose().findings}

        examine.zynq, examine.path = zynq, path
        return examine

    return make


@pytest.mark.parametrize("name", ["Pynq-Z1", "ZedBoard"])
def test_a_healthy_board(board, name):
    examine = board(name)
    free = examine.zynq.model.dram.free_bytes
    found = examine()
    assert {each: found[each].state for each in FABRIC} == dict.fromkeys(FABRIC, "ok")
    assert f"PS_CLK {find(name).ps_clk_mhz:.4g} MHz, IO PLL 1000 MHz / (10 * 1) = 100 MHz" in (
        found["clock"].said)
    assert "HP0 64 bit" in found["memory ports"].said
    assert "100 MHz passed" in found["first contact"].said
    # and leaves the board as it found it: a second look is as good
    assert examine.zynq.model.dram.free_bytes == free
    assert examine()["known answer"].state == "ok"


def test_a_stuck_bit(board):
    examine = board()
    examine.zynq.model.stick(registers.FMAP_A, 0, 1, 1)
    found = examine()
    assert found["fabric"].state == "not ok"
    assert "first contact at 50 MHz: the DMA loopback failed" in found["fabric"].said
    assert found["known answer"].state == "not tried"


def test_another_releases_file(board):
    examine = board()
    examine.path.with_name("report.json").write_text('{"gateware": {"build": "0x1"}}')
    found = examine()
    assert found["overlay and package"].state == "not ok"
    assert "another release's file" in found["overlay and package"].said
    examine.path.with_name("report.json").unlink()
    assert examine()["overlay and package"].state == "not tried"


def test_a_port_that_stays_narrow(board):
    examine = board()
    examine.zynq.stuck_narrow = True
    assert "stays in 32-bit mode" in examine()["fabric"].said
