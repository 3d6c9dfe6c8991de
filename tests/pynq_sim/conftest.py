"""A simulated board for the real PYNQ, and files to download to it."""

import struct
from pathlib import Path

import pytest

from overlays.boards import find
from overlays.hwh import hwh


def bit(part):
    """A .bit of nothing but a header and a few words."""
    texts = [(b"a", b"bnn;UserID=0XFFFFFFFF"), (b"b", part.encode()), (b"c", b"2026/01/31"),
             (b"d", b"12:34:56")]
    header = struct.pack(">H9sH", 9, bytes(9), 1)
    for letter, text in texts:
        header += letter + struct.pack(">H", len(text) + 1) + text + b"\0"
    data = bytes(64)
    return header + b"e" + struct.pack(">I", len(data)) + data


@pytest.fixture
def make_zynq(monkeypatch, tmp_path):
    """Give PYNQ one simulated board, by name, as its only device; a lock file of the test's own."""
    pynq = pytest.importorskip("pynq")
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from simulated_zynq import SimulatedZynq

    from pynq_bnn.devices.board import ownership
    from pynq_bnn.devices.board.device import TURN
    from pynq_bnn.devices.model import ModelDevice

    with TURN.lock:
        TURN.forget()
    if ownership._file is None:
        monkeypatch.setattr(ownership, "LOCK", tmp_path / "lock")

    def make(name, **model):
        monkeypatch.setenv("BOARD", name)
        zynq = SimulatedZynq(find(name), ModelDevice(**model))
        monkeypatch.setattr(pynq.Device, "_active_device", zynq, raising=False)
        # PYNQ keeps the first device's clocks for ever
        monkeypatch.delattr(pynq.Clocks, "_real_instance", raising=False)
        return zynq

    return make


@pytest.fixture(autouse=True)
def quick_contact(request, monkeypatch):
    """First contact takes seconds on the model; only the tests of it make it."""
    pynq = pytest.importorskip("pynq")
    from pynq_bnn.devices.board.overlay import BnnOverlay

    if "first_contact" not in request.keywords:
        monkeypatch.setattr(BnnOverlay, "_make_contact", lambda overlay: pynq.Clocks.set_pl_clk(
            0, *overlay._clocks()[-1]))


@pytest.fixture
def make_bitstream(tmp_path):
    """Write a .bit and its .hwh; both are those of `name` unless others are given."""

    def make(name="Pynq-Z1", part=None, handoff=None, file="bnn.bit"):
        board = find(name)
        path = tmp_path / file
        path.write_bytes(bit(part or board.part))
        path.with_suffix(".hwh").write_text(hwh(board) if handoff is None else handoff)
        return path

    make.handoff = lambda name: hwh(find(name))
    return make
