"""What is said where a board can't be opened; tests/pynq_sim has PYNQ."""

import sys
from types import SimpleNamespace

import pytest

from pynq_bnn.devices import board
from pynq_bnn.devices.board import device as device_module
from pynq_bnn.devices.board import identity
from pynq_bnn.devices.board.device import BoardDevice
from pynq_bnn.errors import DeviceError, OverlayError


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """No board, no PYNQ."""
    monkeypatch.delenv("BOARD", raising=False)
    monkeypatch.setattr(identity, "DEVICE_TREE", tmp_path)
    monkeypatch.setattr(device_module, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setitem(sys.modules, "pynq", None)
    monkeypatch.delitem(sys.modules, "pynq_bnn.devices.board.overlay", raising=False)


def test_opening_a_board_elsewhere():
    with pytest.raises(DeviceError, match='no board was found.*device="model"'):
        board.open_board()


def test_no_bitstream_is_said_before_pynq_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("BOARD", "ZedBoard")
    monkeypatch.setattr("overlays.__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(OverlayError, match="no bitstream for the ZedBoard"):
        board.open_board()


def test_pynq_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("BOARD", "ZedBoard")
    monkeypatch.setattr(board, "packaged_bitstream", lambda _: tmp_path / "bnn.bit")
    with pytest.raises(DeviceError, match="needs PYNQ.*sudo -i"):
        board.open_board()


@pytest.mark.parametrize("meminfo,free", [
    ("MemFree:  100 kB\nCmaTotal: 131072 kB\nCmaFree:    90112 kB\n", 90112 * 1024),
    ("MemFree:  100 kB\n", None), (None, None)])
def test_free_memory_is_the_kernels_figure(meminfo, free, tmp_path):
    if meminfo:
        (tmp_path / "meminfo").write_text(meminfo)
    assert BoardDevice.free_bytes(SimpleNamespace()) == free
