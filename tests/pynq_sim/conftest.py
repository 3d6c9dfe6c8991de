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
def make_zynq(monkeypatch):
    """Give PYNQ one simulated board, by name, as its only device."""
    pynq = pytest.importorskip("pynq")
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from simulated_zynq import SimulatedZynq

    from pynq_bnn.devices.model import ModelDevice

    def make(name, **model):
        monkeypatch.setenv("BOARD", name)
        zynq = SimulatedZynq(find(name), ModelDevice(**model))
        monkeypatch.setattr(pynq.Device, "_active_device", zynq, raising=False)
        # PYNQ keeps the first device's clocks for ever
        monkeypatch.delattr(pynq.Clocks, "_real_instance", raising=False)
        return zynq

    return make


@pytest.fixture
def make_bitstream(tmp_path):
    """Write a .bit and its .hwh; both are those of `name` unless others are given."""

    def make(name="Pynq-Z1", part=None, handoff=None):
        board = find(name)
        path = tmp_path / "bnn.bit"
        path.write_bytes(bit(part or board.part))
        path.with_suffix(".hwh").write_text(hwh(board) if handoff is None else handoff)
        return path

    return make
