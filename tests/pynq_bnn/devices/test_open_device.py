import types

import pytest

from pynq_bnn import devices
from pynq_bnn.devices import open_device
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.errors import BnnError


class FakeBoardDevice(devices.Device):
    name = "board"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("PYNQ_BNN_DEVICE", raising=False)


@pytest.fixture
def board(monkeypatch):
    """A stand-in for a board; `on_board` says whether this is one."""
    board = types.SimpleNamespace(on_board=False)
    monkeypatch.setattr("pynq_bnn.devices.board.identity.running_on_board", lambda: board.on_board)
    monkeypatch.setattr("pynq_bnn.devices.board.open_board", FakeBoardDevice)
    return board


@pytest.mark.parametrize("compiled, name", [(object(), "cpu"), (None, "model")])
def test_the_default_off_the_board_is_the_cpu_if_its_engine_compiles(board, monkeypatch, compiled,
                                                                     name):
    monkeypatch.setattr("pynq_bnn.cpu.library.library", lambda: compiled)
    with open_device() as device:
        assert device.name == name


def test_the_default_is_the_board_on_one(board):
    board.on_board = True
    assert isinstance(open_device(), FakeBoardDevice)


def test_a_name_decides(board, monkeypatch):
    board.on_board = True
    assert isinstance(open_device("model"), ModelDevice)
    board.on_board = False
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "model")
    assert isinstance(open_device("board"), FakeBoardDevice)


def test_the_variable_decides_without_a_name(board, monkeypatch):
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "board")
    assert isinstance(open_device(), FakeBoardDevice)
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "model")
    assert isinstance(open_device(), ModelDevice)
    board.on_board = True
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "")
    assert isinstance(open_device(), FakeBoardDevice)


def test_the_rtl_by_name(monkeypatch):
    monkeypatch.setattr("pynq_bnn.devices.rtl.RtlDevice", FakeBoardDevice)
    assert isinstance(open_device("rtl"), FakeBoardDevice)


def test_an_unknown_name_gets_the_choices(monkeypatch):
    with pytest.raises(BnnError, match="'modle': choose one of model, cpu, rtl, board") as error:
        open_device("modle")
    assert isinstance(error.value, ValueError)
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "fpga")
    with pytest.raises(ValueError, match="'fpga' in the environment variable PYNQ_BNN_DEVICE"):
        open_device()
