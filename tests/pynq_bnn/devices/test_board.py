"""Which board this is, and what is said where it can't be opened; tests/pynq_sim has PYNQ."""

import sys
from types import SimpleNamespace

import pytest

from pynq_bnn.devices import board
from pynq_bnn.errors import DeviceError, OverlayError


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """No board, no PYNQ."""
    monkeypatch.delenv("BOARD", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(board, "DEVICE_TREE", tmp_path)
    monkeypatch.setattr(board, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setitem(sys.modules, "pynq", None)
    monkeypatch.delitem(sys.modules, "pynq_bnn.overlay", raising=False)


@pytest.fixture
def device_tree(tmp_path):
    def write(compatible=None, pynq_board=None):
        (tmp_path / "chosen").mkdir()
        if compatible:
            (tmp_path / "compatible").write_bytes(compatible)
        if pynq_board:
            (tmp_path / "chosen" / "pynq_board").write_bytes(pynq_board)

    return write


ZYNQ = b"digilent,zynq-zed\0xlnx,zynq-7000\0"


def test_elsewhere():
    assert board.board_name() is None
    assert not board.running_on_board()


def test_in_jupyter(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    assert board.running_on_board()
    assert board.this_board().name == "Pynq-Z2"


@pytest.mark.parametrize("variable", [None, "", "Unknown"])
def test_under_plain_sudo_the_device_tree_knows(variable, monkeypatch, device_tree):
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    if variable is not None:
        monkeypatch.setenv("BOARD", variable)
    device_tree(pynq_board=b"Pynq-Z1\0")
    assert board.running_on_board()
    assert board.this_board().name == "Pynq-Z1"


def test_an_unknown_zynq_board_is_a_board_still(monkeypatch, device_tree):
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    monkeypatch.setenv("BOARD", "MyBoard")
    device_tree(compatible=ZYNQ)
    assert board.running_on_board()
    with pytest.raises(DeviceError, match="'MyBoard' is unknown.*Pynq-Z1.*ZedBoard.*BOARD"):
        board.BoardDevice()


def test_another_arm_computer_is_no_board(monkeypatch, device_tree):
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    device_tree(compatible=b"raspberrypi,3-model-b\0brcm,bcm2837\0")
    assert not board.running_on_board()


def test_a_desktop_with_board_set_is_no_board(monkeypatch):
    monkeypatch.setenv("BOARD", "Pynq-Z1")
    assert not board.running_on_board()


def test_opening_a_board_elsewhere():
    with pytest.raises(DeviceError, match='no board was found.*device="model"'):
        board.BoardDevice()


def test_no_bitstream_is_said_before_pynq_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("BOARD", "ZedBoard")
    monkeypatch.setattr("overlays.__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(OverlayError, match="no bitstream for the ZedBoard"):
        board.BoardDevice()


def test_pynq_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("BOARD", "ZedBoard")
    monkeypatch.setattr(board, "packaged_bitstream", lambda _: tmp_path / "bnn.bit")
    with pytest.raises(DeviceError, match="needs PYNQ.*sudo -i"):
        board.BoardDevice()


@pytest.mark.parametrize("meminfo,free", [
    ("MemFree:  100 kB\nCmaTotal: 131072 kB\nCmaFree:    90112 kB\n", 90112 * 1024),
    ("MemFree:  100 kB\n", None), (None, None)])
def test_free_memory_is_the_kernels_figure(meminfo, free, tmp_path):
    if meminfo:
        (tmp_path / "meminfo").write_text(meminfo)
    device = board.BoardDevice(SimpleNamespace(mmio=None, clock_mhz=100.0))
    assert device.free_bytes() == free
