import json

from overlays.bitstream.recover.__main__ import main as recover
from overlays.simulation.__main__ import main as convert
from overlays.simulation.netlist_library import NetlistLibrary

CELLS = {
    "bufg": {"type": "BUFG", "connections": {"I": [2], "O": [3]}},
    "f": {"type": "FDRE", "parameters": {"INIT": "0"},
          "connections": {"C": [3], "CE": ["1"], "R": ["0"], "D": [4], "Q": [5]}},
    "ps7": {"type": "PS7", "connections": {"FCLKCLK": [2, 6, 7, 8], "MAXIGP0WDATA": [4],
                                           "MAXIGP0RDATA": [5]}}}


def write(path, cells):
    path.write_text(json.dumps({"modules": {"zynq": {"cells": cells}}}))
    return str(path)


def test_a_netlist_becomes_a_circuit(tmp_path, capsys):
    out = tmp_path / "circuit"
    assert convert([write(tmp_path / "netlist.json", CELLS), str(out)]) == 0
    assert "'flip-flops': 1" in capsys.readouterr().out
    NetlistLibrary(out)


def test_a_netlist_that_is_not_understood(tmp_path, capsys):
    cells = {**CELLS, "odd": {"type": "DSP48E1", "connections": {}}}
    assert convert([write(tmp_path / "netlist.json", cells), str(tmp_path / "circuit")]) == 1
    assert "DSP48E1 is not simulated" in capsys.readouterr().err


def test_a_netlist_whose_cells_are_in_a_loop(tmp_path, capsys):
    cells = {**CELLS, "odd": {"type": "INV", "connections": {"I": [9], "O": [9]}}}
    assert convert([write(tmp_path / "netlist.json", cells), str(tmp_path / "circuit")]) == 1
    assert "odd <- odd" in capsys.readouterr().err


def test_recovery_says_what_it_lacks(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("NEXTPNR_CHIPDB", raising=False)
    assert recover([str(tmp_path / "a.bit"), str(tmp_path / "circuit")]) == 1
    assert "NEXTPNR_CHIPDB" in capsys.readouterr().err
