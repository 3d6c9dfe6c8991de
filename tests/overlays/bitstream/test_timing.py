"""Paths whose slack is reckoned by hand, in ns at 100 MHz; figures of timing_designs.py."""

from __future__ import annotations

import json

import pytest

from overlays.bitstream.timing import TimingError, __main__, analyse
from overlays.bitstream.timing.analysis import usual_uncertainty
from overlays.bitstream.timing.netlist import read_netlist
from tests.overlays.bitstream.timing_designs import Design

PERIOD = 10.0
CLOCK_TO_Q = 0.340 + 0.116
SETUP_D = -0.045 - 0.093


def judge(design, folder, **options):
    return analyse(design.graph(folder), 100.0, **{"uncertainty_ns": 0.0, **options})


def slack_at(report, endpoint, kind="setup"):
    paths = {path.endpoint: path for path in getattr(report, f"{kind}_paths")}
    return paths[endpoint].slack_ns


def test_flip_flop_lut_flip_flop(tmp_path):
    design = (Design().buffer().ff("a", "qa", "qb").lut("l", "o", "qa").ff("b", "qb", "o")
              .net("qa", 1.0).net("o", 0.5).net("qb", 0.25))
    report = judge(design, tmp_path)
    expected = PERIOD - (CLOCK_TO_Q + 1.0 + 0.124 + 0.5) - SETUP_D
    assert report.setup_slack_ns == pytest.approx(expected)
    assert report.fmax_mhz == pytest.approx(1000 / (PERIOD - expected))
    path = report.setup_paths[0]
    assert (path.startpoint, path.endpoint) == ("a/CK", "b/D")
    assert [(part.kind, part.sink) for part in path.segments] == [
        ("clock to output", "a/Q"), ("net", "l/A1"), ("cell", "l/O6"), ("net", "b/D")]
    assert path.delay_ns == pytest.approx(2.08)
    assert slack_at(report, "a/D") == pytest.approx(PERIOD - CLOCK_TO_Q - 0.25 - SETUP_D)
    assert report.endpoints == 2
    assert report.met


def test_the_uncertainty_is_taken_off_set_up_alone(tmp_path):
    design = Design().buffer().ff("a", "qa", "qa").net("qa", 1.0)
    plain, careful = (judge(design, tmp_path, uncertainty_ns=u) for u in (0.0, None))
    assert usual_uncertainty(100.0) == pytest.approx(0.25)
    assert plain.setup_slack_ns - careful.setup_slack_ns == pytest.approx(0.25)
    assert plain.hold_slack_ns == careful.hold_slack_ns


def test_the_clock_s_own_route_counts(tmp_path):
    design = (Design().buffer().ff("a", "qa", "qb").ff("b", "qb", "qa", site=3)
              .net("clk", "1.0;SITEWIRE/SLICE_X3Y0/CLKINV_OUT=1.5").net("qa", 1.0).net("qb", 1.0))
    report = judge(design, tmp_path)
    even = PERIOD - CLOCK_TO_Q - 1.0 - SETUP_D
    assert slack_at(report, "b/D") == pytest.approx(even + 0.5)
    assert slack_at(report, "a/D") == pytest.approx(even - 0.5)


@pytest.mark.parametrize("pin, parameters, setup", [
    ("ADDRARDADDRL3", {}, 0.566), ("DIADI0", {"WRITE_MODE_A": "READ_FIRST"}, 0.2),
    ("DIADI0", {"WRITE_MODE_A": "WRITE_FIRST"}, 0.7)])
def test_flip_flop_to_block_ram(tmp_path, pin, parameters, setup):
    design = (Design().buffer().ff("a", "qa", "qa").net("qa", 1.0)
              .cell("ram", "RAMB36E1_RAMB36E1", "RAMB36_X0Y0/RAMB36E1", {},
                    {pin: "qa", "CLKARDCLKU": "clk"}, (), parameters))
    report = judge(design, tmp_path)
    assert slack_at(report, f"ram/{pin}") == pytest.approx(PERIOD - CLOCK_TO_Q - 1.0 - setup)


@pytest.mark.parametrize("register, output", [("0", 2.454), ("1", 0.882)])
def test_block_ram_to_flip_flop(tmp_path, register, output):
    design = (Design().buffer().ff("b", "qb", "do").net("do", 1.0)
              .cell("ram", "RAMB18E1_RAMB18E1", "RAMB18_X0Y0/RAMB18E1", {"DOADO7": "do"},
                    {"CLKARDCLK": "clk"}, (), {"DOA_REG": register}))
    report = judge(design, tmp_path)
    assert report.setup_slack_ns == pytest.approx(PERIOD - output - 1.0 - SETUP_D)


def test_lut_ram_writes_and_reads(tmp_path):
    design = (Design().buffer().ff("a", "qa", "o", site=3).net("qa", 1.0).net("o", 1.0)
              .cell("ram", "SLICE_LUTX", "SLICE_X0Y0/A6LUT", {"O6": "o"},
                    {"WA1": "qa", "WE": "qa", "DI2": "qa", "A1": "qa", "CLK": "clk"},
                    {"X_LUT_AS_DRAM": "1 "}))
    report = judge(design, tmp_path)
    arrival = CLOCK_TO_Q + 1.0
    for pin, setup in (("WA1", 0.184), ("WE", 0.654), ("DI2", 0.384)):
        assert slack_at(report, f"ram/{pin}") == pytest.approx(PERIOD - arrival - setup + 0.093)
    # read by the address, or after a write: the later counts
    read = max(arrival + 0.124, 1.153 + 0.116)
    assert slack_at(report, "a/D") == pytest.approx(PERIOD - read - 1.0 - SETUP_D)
    hold = {path.endpoint: path for path in report.hold_paths}["ram/WA1"]
    slow = 0.274 + 0.093 + 0.75 - (0.728 + 0.116)
    fast = 0.112 + 0.029 + 0.25 - (0.51 * 0.728 + 0.036)
    assert hold.slack_ns == pytest.approx(min(slow, fast))


def test_carry_chain_with_the_worst_of_its_variants(tmp_path):
    design = (Design().buffer().ff("a", "qa", "o").net("qa", 1.0).net("o", 0.5)
              .cell("low", "CARRY4", "SLICE_X1Y0/CARRY4", {"CO3": "c"}, {"DI0": "qa", "S0": "qa"})
              .cell("high", "CARRY4", "SLICE_X1Y1/CARRY4", {"O0": "o"}, {"CIN": "c"}))
    report = judge(design, tmp_path)
    assert report.setup_slack_ns == pytest.approx(
        PERIOD - (CLOCK_TO_Q + 1.0 + 0.6 + 0.2 + 0.5) - SETUP_D)
    assert report.setup_paths[0].segments[1].sink == "low/DI0"


def test_processing_system(tmp_path):
    design = (Design().buffer().ff("a", "qa", "w").net("w", 1.0).net("qa", 2.0)
              .cell("ps7", "PS7_PS7", "PS7_X0Y0/PS7", {"MAXIGP0WDATA31": "w", "FCLKRESETN0": "r"},
                    {"MAXIGP0RDATA5": "qa", "MAXIGP0ACLK": "clk"}))
    report = judge(design, tmp_path)
    assert slack_at(report, "a/D") == pytest.approx(PERIOD - 1.450 - 1.0 - SETUP_D)
    assert slack_at(report, "ps7/MAXIGP0RDATA5") == pytest.approx(PERIOD - CLOCK_TO_Q - 2.0 - 0.55)
    assert report.untimed == {"PS7_PS7": ["ps7/FCLKRESETN0"]}


def test_enable_and_reset(tmp_path):
    design = Design().buffer().ff("a", "qa", "qa", CE="qa", SR="qa").net("qa", 1.0)
    report = judge(design, tmp_path)
    arrival = CLOCK_TO_Q + 1.0
    assert slack_at(report, "a/CE") == pytest.approx(PERIOD - arrival - 0.109 + 0.093)
    # 0.52 from the slice's pin, of which the route has 0.094
    assert slack_at(report, "a/SR") == pytest.approx(PERIOD - arrival - (0.52 - 0.094))


def test_a_hold_violation(tmp_path):
    design = (Design().buffer().ff("a", "qa", "qb").ff("b", "qb", "qa", site=3)
              .net("clk", "0;SITEWIRE/SLICE_X3Y0/CLKINV_OUT=0.5").net("qa", 0.1).net("qb", 5.0))
    report = judge(design, tmp_path)
    assert report.setup_slack_ns > 0
    slow = 0.274 + 0.093 + 0.075 - (0.241 + 0.116) - 0.5
    fast = 0.112 + 0.029 + 0.025 - (0.51 * 0.241 + 0.036) - 0.15
    assert slow < fast
    assert report.hold_slack_ns == pytest.approx(slow)
    assert report.hold_paths[0].corner == "slow"
    assert report.to_dict()["hold"]["violated"] == 1
    assert not report.met


def test_an_untimed_cell_is_named_and_what_hangs_on_it_counted(tmp_path):
    design = (Design().buffer().net("qa", 1.0).net("p", 1.0)
              .cell("mul", "DSP48E1_DSP48E1", "DSP48_X0Y0/DSP48E1", {"P0": "p"}, {"A0": "qa"})
              .cell("both", "SLICE_LUTX", "SLICE_X1Y0/A6LUT", {"O6": "o"}, {"A1": "p"})
              .ff("a", "qa", "qa").ff("b", "qb", "o"))
    report = judge(design, tmp_path)
    assert report.untimed == {"DSP48E1_DSP48E1": ["mul/A0", "mul/P0"]}
    assert report.unconstrained == ["b/D"]
    assert report.endpoints == 1
    assert report.to_dict()["untimed"]["DSP48E1_DSP48E1"]["count"] == 2
    assert "DSP48E1" in report.text()


def test_constants_are_no_paths(tmp_path):
    design = (Design().buffer().ff("a", "qa", "one").lut("l", "o", "one").ff("b", "qb", "o")
              .cell("vcc", "PSEUDO_VCC", "NULL_X0Y0/VCC", {"Y": "one"}, {}))
    report = judge(design, tmp_path)
    assert (report.endpoints, report.constant) == (0, 1)
    assert not report.met  # nothing was judged


def test_a_sink_that_no_route_reaches_is_reported(tmp_path):
    report = judge(Design().buffer().ff("a", "qa", "qa").net("qa", "none"), tmp_path)
    assert report.untimed == {"(no route)": ["a/D"]}
    assert report.unconstrained == ["a/D"]


def test_a_loop_is_refused_by_name(tmp_path):
    design = (Design().buffer().lut("x", "ox", "oy").lut("y", "oy", "ox").lut("z", "oz", "oy")
              .ff("a", "qa", "oz"))
    with pytest.raises(TimingError, match="loop: .*x/A1") as caught:
        judge(design, tmp_path)
    assert "z/" not in str(caught.value)


def test_a_second_clock_is_refused_by_name(tmp_path):
    design = (Design().buffer().buffer("other").ff("a", "qa", "qb")
              .ff("b", "qb", "qa", clock="other"))
    with pytest.raises(TimingError, match="clk, other"):
        judge(design, tmp_path)


@pytest.mark.parametrize("parameter", ["IS_C_INVERTED", "IS_WCLK_INVERTED"])
def test_the_falling_edge_is_refused(tmp_path, parameter):
    design = Design().buffer().cell("a", "SLICE_FFX", "SLICE_X1Y0/AFF", {"Q": "q"},
                                    {"D": "q", "CK": "clk"}, (), {parameter: "1"})
    with pytest.raises(TimingError, match=f"a takes .*{parameter}"):
        judge(design, tmp_path)


@pytest.mark.parametrize("text, message", [
    ("{", "not JSON"), ('{"modules": {}}', "0 modules"), ("[]", "not a design"),
    ('{"modules": {"top": {"cells": {}, "netnames": {"n": {"bits": [2], "attributes": {}}}}}}',
     "isn't routed"),
    ('{"modules": {"top": {"netnames": {}, "cells": {"c": {"attributes": {}}}}}}',
     "isn't placed")])
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(TimingError, match=message):
        read_netlist(path)


def test_the_report_by_slack(tmp_path):
    design = Design().buffer().ff("a", "qa", "qb").ff("b", "qb", "qa").net("qa", 1.0).net("qb", 4.0)
    tree = judge(design, tmp_path, paths=1).to_dict()
    assert tree["setup"]["endpoints_by_slack_ns"] == {"5": 1, "8": 1}
    assert len(tree["setup"]["paths"]) == 1
    assert tree["setup"]["paths"][0]["segments"][0]["kind"] == "clock to output"
    json.dumps(tree)


@pytest.mark.parametrize("clock, code", [("100", 0), ("1000", 1), ("0", 2)])
def test_exit_codes(tmp_path, monkeypatch, capsys, clock, code):
    design = Design().buffer().ff("a", "qa", "qa").net("qa", 4.0)
    monkeypatch.setattr(__main__, "graph_of_routed", lambda *_: design.graph(tmp_path))
    report = tmp_path / "report.json"
    arguments = ["x.json", "--clock-mhz", clock, "--database", "d", "--chipdb", "c",
                 "--json", str(report)]
    assert __main__.main(arguments) == code
    output = capsys.readouterr()
    if code == 2:
        assert output.out == ""
        assert "--clock-mhz" in output.err
    else:
        assert json.loads(report.read_text())["met"] is (code == 0)
        assert "a/CK to a/D" in output.out


def test_a_missing_file_is_bad_input(capsys):
    assert __main__.main(["none.json", "--clock-mhz", "100", "--database", "d",
                          "--chipdb", "c"]) == 2
    assert "none.json" in capsys.readouterr().err
