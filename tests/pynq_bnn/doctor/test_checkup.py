"""Off the board: what can be looked at there is; a fault planted in it is found and named."""

import pytest

from host_ref.errors import BnnError
from pynq_bnn.devices.board import identity
from pynq_bnn.doctor import NOT_OK, NOT_TRIED, OK, checkup, diagnose, host


def states(found):
    return {each.name: each.state for each in found.findings}


def said(found, name):
    return next(each.said for each in found.findings if each.name == name)


@pytest.fixture(autouse=True)
def off_the_board(weights, monkeypatch):
    monkeypatch.setattr(host, "running_on_board", lambda: False)


@pytest.fixture
def on_a_board(monkeypatch, tmp_path):
    """As far as the processor's side goes."""
    monkeypatch.setattr(host, "running_on_board", lambda: True)
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    monkeypatch.setattr(host.os, "geteuid", lambda: 1000)
    monkeypatch.delenv("XILINX_XRT", raising=False)
    monkeypatch.setattr(host, "MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("CmaTotal: 131072 kB\nCmaFree: 4096 kB\n")


def test_off_the_board():
    found = diagnose()
    assert found.healthy
    assert [name for name, state in states(found).items() if state == OK] == [
        "Python", "packages", "network", "image", "model"]
    assert states(found)["fabric"] == NOT_TRIED
    assert "read ports" in said(found, "model")


def test_a_model_that_answers_wrongly(monkeypatch):
    def wrong(_):
        raise BnnError("known-answer test failed")
    monkeypatch.setattr(checkup, "require_known_answer", wrong)
    found = diagnose()
    assert not found.healthy
    assert said(found, "model") == "known-answer test failed"


def test_what_a_board_lacks_is_said_with_what_to_do(on_a_board, monkeypatch, tmp_path):
    found = diagnose()
    assert states(found)["board"] == OK
    assert "Pynq-Z2 by the environment variable BOARD" in said(found, "board")
    for name, advice in {"rights": "sudo -i", "XRT environment": "xrt_setup.sh",
                         "contiguous memory": "4 MiB free: shut other notebook kernels"}.items():
        assert states(found)[name] == NOT_OK
        assert advice in said(found, name)
    (tmp_path / "meminfo").write_text("CmaTotal: 131072 kB\nCmaFree: 126976 kB\n")
    monkeypatch.setenv("XILINX_XRT", "/usr")
    monkeypatch.setattr(host.os, "geteuid", lambda: 0)
    found = diagnose()
    assert {states(found)[name] for name in ("rights", "XRT environment",
                                             "contiguous memory")} == {OK}


def test_a_board_that_nobody_knows(on_a_board, monkeypatch, tmp_path):
    monkeypatch.setenv("BOARD", "Arty-Z7")
    monkeypatch.setattr(identity, "DEVICE_TREE", tmp_path)
    found = diagnose()
    assert "'Arty-Z7' is unknown" in said(found, "board")


def test_an_old_package_is_named(monkeypatch):
    monkeypatch.setattr(host, "_version", {"numpy": "1.19.5", "pillow": None}.get)
    found = diagnose()
    assert "numpy 1.20 or later is wanted, pillow 7.0 or later is wanted" in said(found, "packages")


def test_the_command(run, monkeypatch, tmp_path):
    code, out, _ = run("doctor", "--report", tmp_path / "report.md")
    assert code == 0
    assert "all well" in out
    assert (tmp_path / "report.md").read_text().startswith("```\nok        Python: ")
    monkeypatch.setattr(host, "_version", {}.get)
    code, out, _ = run("doctor", "--json")
    assert code == 1
    assert '"healthy": false' in out
