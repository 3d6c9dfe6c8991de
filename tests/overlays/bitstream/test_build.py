"""The flow, with programs of a line in place of the tools."""

import json
import sys

import pytest

from overlays.bitstream import build as building
from overlays.bitstream.__main__ import main
from overlays.bitstream.board_files import resources
from overlays.bitstream.build import Build, Settings
from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.netlist import Cell, Netlist
from overlays.bitstream.tools import Tools, ToolsMissing, find

pytest.importorskip("amaranth", reason="the gateware needs Amaranth: pip install .[rtl]")
from overlays.gateware.config import SMALL

NETLIST = {"modules": {"zynq": {"netnames": {}, "cells": {
    "flop": {"type": "FDRE", "parameters": {"INIT": "0"},
             "connections": {"D": [3], "Q": [2]}}}}}}


@pytest.fixture
def program(tmp_path):
    """A program whose Python text is given; it finds its arguments in `args`."""
    def make(name, text):
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\nimport sys\nargs = sys.argv[1:]\n{text}\n")
        path.chmod(0o755)
        return str(path)
    return make


@pytest.fixture
def tools(program, tmp_path):
    yosys = program("yosys", f"""
script = open(args[args.index("-s") + 1]).read()
out = script.split("write_json ")[1].split()[0]
open(out, "w").write({json.dumps(json.dumps(NETLIST))})
open({str(tmp_path / "calls")!r}, "a").write("yosys ")
""")
    nextpnr = program("nextpnr-xilinx", f"""
import json
document = json.load(open(args[args.index("--json") + 1]))
document["called"] = document.get("called", []) + [args]
document["modules"] = dict(top=document["modules"].popitem()[1])
json.dump(document, open(args[args.index("--write") + 1], "w"))
if "--fasm" in args:
    open(args[args.index("--fasm") + 1], "w").write("a feature")
open({str(tmp_path / "calls")!r}, "a").write("nextpnr ")
""")
    return Tools(yosys, nextpnr, tmp_path / "chip.bin", tmp_path)


@pytest.fixture
def design(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "convert_zynq", lambda config: "module zynq; endmodule\n")

    def anneal(placed, annealed, database, seed, cooling):
        document = json.loads(placed.read_text())
        document["annealed"] = [str(database), seed, cooling.moves, cooling.period_ns]
        annealed.write_text(json.dumps(document))

    monkeypatch.setattr(building, "anneal", anneal)
    return Build(SMALL, tools, Settings(), tmp_path / "work")


def test_each_step_is_done_once(design, tools, tmp_path):
    place, route = json.loads(design.routed().read_text())["called"]
    assert f"--freq 125 --seed {Settings.seed}" in " ".join(place)
    assert "--no-route" in place
    assert {"--no-pack", "--no-place"} < set(route)
    assert design.features().exists()
    assert design.cells().counts() == {"FDRE": 1}
    assert (tmp_path / "calls").read_text() == "yosys nextpnr nextpnr "
    assert list(design.seconds) == ["zynq.v", "synthesized.json", "zynq.json", "placed.json",
                                    "annealed.json", "routed.json"]
    assert json.loads(design.routed().read_text())["annealed"] == [
        str(tools.database), Settings.seed, Settings.moves, 8.0]
    for settings, calls in ((Settings(estimate_weight=1.0), 3), (Settings(margin=3), 4),
                            (Settings(seed=3), 6)):
        Build(SMALL, tools, settings, tmp_path / "work").routed()
        assert (tmp_path / "calls").read_text() == "yosys " + calls * "nextpnr "


def test_a_placement_that_is_not_to_be_annealed(design, tools, tmp_path):
    plain = Build(SMALL, tools, Settings(moves=0), tmp_path / "work")
    assert "annealed" not in json.loads(plain.routed().read_text())
    assert "annealed.json" not in plain.seconds
    assert plain.routed() != design.routed()


def test_moves_are_none_or_some(capsys):
    with pytest.raises(SystemExit):
        main(["Pynq-Z1", "--moves", "-1"])
    assert "--moves -1: 0 or more" in capsys.readouterr().err


def test_placer_and_router_get_the_settings_that_they_have_no_option_for(design):
    placer = {"placerHeap/timingWeight": 30}
    router = {"router2/estimateWeight": "1.2", "router2/biasCostFactor": "0.1",
              "router2/bbMargin/x": 8, "router2/bbMargin/y": 8}
    for path, settings in ((design.placed(), placer), (design.routed(), {**placer, **router})):
        module = json.loads(path.read_text())["modules"]["top"]
        assert module["settings"] == settings
        assert module["cells"] == NETLIST["modules"]["zynq"]["cells"]
    assert "settings" not in json.loads(design.netlist().read_text())["modules"]["zynq"]


def test_another_gateware_or_script_has_a_folder_of_its_own(design, tools, tmp_path, monkeypatch):
    before = design.folder
    script = tmp_path / "synth.ys"
    script.write_text(building.SCRIPT.read_text() + "# more\n")
    monkeypatch.setattr(building, "SCRIPT", script)
    assert design.folder != before
    monkeypatch.undo()
    monkeypatch.setattr(building, "source_hash", lambda config: "another")
    assert design.folder != before


def test_a_step_that_fails_says_what_the_tool_said(design, program, tools, tmp_path):
    broken = Tools(program("broken", "print('syntax error here'); sys.exit(3)"), tools.nextpnr,
                   tools.chipdb, tools.database)
    with pytest.raises(BitstreamError, match="(?s)yosys failed with 3.*syntax error here"):
        Build(SMALL, broken, Settings(), tmp_path / "other").netlist()
    assert not (design.folder / "zynq.json").exists()
    design.netlist()


def test_a_netlist_that_the_tools_get_wrong_goes_no_further(design, tmp_path):
    wrong = {"modules": {"zynq": {"netnames": {}, "cells": {"flop": {
        "type": "FDSE", "parameters": {"INIT": "x"}, "connections": {"D": [3], "Q": [2]}}}}}}
    (design.folder / "synthesized.json").write_text(json.dumps(wrong))
    with pytest.raises(BitstreamError, match="without a defined start: flop"):
        design.routed()
    assert not (tmp_path / "calls").exists()


def test_what_is_missing_is_named_with_its_home(tmp_path):
    with pytest.raises(ToolsMissing) as caught:
        find({"PATH": "", "PRJXRAY_DB": str(tmp_path), "NEXTPNR_CHIPDB": str(tmp_path / "none")})
    message = str(caught.value)
    for part in ("yosys is not on PATH, and YOSYS", "NEXTPNR_XILINX", "does not exist",
                 "lacks xc7z020/tilegrid.json", "https://github.com/openXC7/nextpnr-xilinx",
                 "https://github.com/openXC7/prjxray-db"):
        assert part in message, part


def test_the_command_says_so_too(capsys, monkeypatch, tmp_path):
    for name in ("YOSYS", "NEXTPNR_XILINX", "NEXTPNR_CHIPDB", "PRJXRAY_DB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["ZedBoard"]) == 2
    assert "an overlay can't be built here" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["no-such-board"])
    assert "choose Pynq-Z1, ZedBoard" in capsys.readouterr().err


def test_resources_count_sites():
    kinds = ["LUT2", "LUT6", "INV", "RAM32M", "SRL16E", "FDRE", "RAMB36E1", "RAMB18E1"]
    cells = tuple(Cell(str(n), kind, {}, {}) for n, kind in enumerate(kinds))
    assert resources(Netlist("zynq", cells)) == {
        "lut_logic": 3, "lut_memory": 5, "lut": 8, "flip_flops": 1, "bram36": 1.5, "dsp": 0}
