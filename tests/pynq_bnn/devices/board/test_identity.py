import pytest

from pynq_bnn.devices.board import identity
from pynq_bnn.errors import DeviceError


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """No board."""
    monkeypatch.delenv("BOARD", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(identity, "DEVICE_TREE", tmp_path)


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
    assert identity.board_name() is None
    assert not identity.running_on_board()


def test_in_jupyter(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    assert identity.running_on_board()
    assert identity.this_board().name == "Pynq-Z2"


@pytest.mark.parametrize("variable", [None, "", "Unknown"])
def test_under_plain_sudo_the_device_tree_knows(variable, monkeypatch, device_tree):
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    if variable is not None:
        monkeypatch.setenv("BOARD", variable)
    device_tree(pynq_board=b"Pynq-Z1\0")
    assert identity.running_on_board()
    assert identity.this_board().name == "Pynq-Z1"


def test_an_unknown_zynq_board_is_a_board_still(monkeypatch, device_tree):
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    monkeypatch.setenv("BOARD", "MyBoard")
    device_tree(compatible=ZYNQ)
    assert identity.running_on_board()
    with pytest.raises(DeviceError, match="'MyBoard' is unknown.*Pynq-Z1.*ZedBoard.*BOARD"):
        identity.this_board()


def test_another_arm_computer_is_no_board(monkeypatch, device_tree):
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    device_tree(compatible=b"raspberrypi,3-model-b\0brcm,bcm2837\0")
    assert not identity.running_on_board()


def test_a_desktop_with_board_set_is_no_board(monkeypatch):
    monkeypatch.setenv("BOARD", "Pynq-Z1")
    assert not identity.running_on_board()
