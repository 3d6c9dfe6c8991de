"""Random netlists of all primitives: the interpreter against yosys's cells_sim.v in Verilator.

Block RAM isn't in that file; test_block_ram.py has a model of its own.
"""

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from overlays.simulation import library
from tests.overlays.simulation.cells import CLOCK, Design

WIDTH = 64
DRIVER = """
#include "Vrandomly.h"
#include "verilated.h"
#include <cinttypes>
#include <cstdio>
double sc_time_stamp() { return 0; }
int main() {
    VerilatedContext context;
    Vrandomly top(&context);
    uint64_t value;
    while (std::scanf("%" SCNx64, &value) == 1) {
        top.clk = 0; top.in = value; top.eval();
        std::printf("%" PRIx64 "\\n", uint64_t(top.out));
        top.clk = 1; top.eval();
    }
}
"""
CLOCKED = {
    "FDRE": ({"INIT": 1}, {"D": 1, "CE": 1, "R": 1}, {"Q": 1}, "C"),
    "FDSE": ({"INIT": 1}, {"D": 1, "CE": 1, "S": 1}, {"Q": 1}, "C"),
    "RAM32M": ({f"INIT_{x}": 64 for x in "ABCD"},
               {"WE": 1, **{f"ADDR{x}": 5 for x in "ABCD"}, **{f"DI{x}": 2 for x in "ABCD"}},
               {f"DO{x}": 2 for x in "ABCD"}, "WCLK"),
    "RAM64M": ({f"INIT_{x}": 64 for x in "ABCD"},
               {"WE": 1, **{f"ADDR{x}": 6 for x in "ABCD"}, **{f"DI{x}": 1 for x in "ABCD"}},
               {f"DO{x}": 1 for x in "ABCD"}, "WCLK"),
    "SRL16E": ({"INIT": 16}, {"D": 1, "CE": 1, **{f"A{k}": 1 for k in range(4)}}, {"Q": 1}, "CLK"),
    "SRLC32E": ({"INIT": 32}, {"D": 1, "CE": 1, "A": 5}, {"Q": 1, "Q31": 1}, "CLK"),
    "RAM32X1D": ({"INIT": 32}, {"D": 1, "WE": 1, **{f"A{k}": 1 for k in range(5)},
                                **{f"DPRA{k}": 1 for k in range(5)}}, {"SPO": 1, "DPO": 1}, "WCLK"),
    "RAM64X1D": ({"INIT": 64}, {"D": 1, "WE": 1, **{f"A{k}": 1 for k in range(6)},
                                **{f"DPRA{k}": 1 for k in range(6)}}, {"SPO": 1, "DPO": 1}, "WCLK"),
}
COMBINATIONAL = {
    **{f"LUT{n}": ({"INIT": 1 << n}, {f"I{k}": 1 for k in range(n)}, {"O": 1}, None)
       for n in range(1, 7)},
    "INV": ({}, {"I": 1}, {"O": 1}, None),
    "MUXF7": ({}, {"I0": 1, "I1": 1, "S": 1}, {"O": 1}, None),
    "MUXF8": ({}, {"I0": 1, "I1": 1, "S": 1}, {"O": 1}, None),
    "CARRY4": ({}, {"CI": 1, "DI": 4, "S": 4}, {"O": 4, "CO": 4}, None),
}


def random_design(rng):
    """What is clocked may look at what comes after it; all else only at what was before it."""
    design = Design()
    known = design.input("in", WIDTH)
    driven = []
    flip_flops = []
    for _ in range(60):
        kind = rng.choice(["FDRE", "FDSE"])
        output = design.nets(1)
        flip_flops.append((kind, output))
        known, driven = known + output, driven + output
    for _ in range(250):
        kind = rng.choice([*COMBINATIONAL, *COMBINATIONAL, *list(CLOCKED)[2:]])
        driven += add(design, rng, kind, known)
        known = known + driven[-8:]
    for kind, output in flip_flops:
        add(design, rng, kind, known, {"Q": output})
    # every net is looked at
    for place in range(WIDTH):
        nets = [driven[k] for k in range(len(driven)) if k % WIDTH == place]
        while len(nets) > 1:
            output = design.nets(1)
            design.add("LUT2", {"INIT": (0b0110, 4)}, I0=nets[:1], I1=nets[1:2], O=output)
            nets = nets[2:] + output
        driven[place] = nets[0]
    design.output("out", driven[:WIDTH])
    return design


def add(design, rng, kind, known, outputs=None):
    parameters, inputs, pins_out, clock = {**CLOCKED, **COMBINATIONAL}[kind]
    pins = {pin: [rng.choice(known) for _ in range(width)] for pin, width in inputs.items()}
    if kind == "CARRY4":
        pins["CYINIT"] = ["0"]
    outputs = outputs or {pin: design.nets(width) for pin, width in pins_out.items()}
    design.add(kind, {name: (rng.getrandbits(bits), bits) for name, bits in parameters.items()},
               **pins, **outputs, **({clock: [CLOCK]} if clock else {}))
    return [net for nets in outputs.values() for net in nets]


def verilog(design):
    def bit(net):
        return f"1'b{net}" if isinstance(net, str) else "clk" if net == CLOCK else f"n{net}"

    # a wire each: one vector of all would look like a loop to Verilator
    nets = {net for cell in design.cells[1:] for nets in cell.pins.values() for net in nets
            if not isinstance(net, str)} - {CLOCK}
    ports = {port.name: port.nets for port in design.ports}
    lines = [f"module randomly(input clk, input [{WIDTH - 1}:0] in, output [{WIDTH - 1}:0] out);",
             f"  wire {', '.join(f'n{net}' for net in sorted(nets | set(ports['in'])))};"]
    lines += [f"  assign n{net} = in[{place}];" for place, net in enumerate(ports["in"])]
    lines += [f"  assign out[{place}] = n{net};" for place, net in enumerate(ports["out"])]
    for cell in design.cells[1:]:
        parameters = ", ".join(f".{name}({len(value)}'b{value})"
                               for name, value in cell.parameters.items())
        pins = ", ".join(f".{pin}({{{', '.join(bit(net) for net in reversed(nets))}}})"
                         for pin, nets in cell.pins.items())
        lines.append(f"  {cell.kind} {'#(' + parameters + ') ' if parameters else ''}"
                     f"{cell.name} ({pins});")
    return "\n".join([*lines, "endmodule"]) + "\n"


@pytest.fixture(scope="module")
def cells_sim():
    """The models of the kinds that are used, without their delays."""
    yosys = shutil.which("yosys")
    path = Path(yosys or ".").resolve().parent.parent / "share/yosys/xilinx/cells_sim.v"
    if not path.is_file():
        pytest.skip("yosys and its cells_sim.v are not here")
    modules = re.findall(r"(?ms)^module (\w+).*?^endmodule$", path.read_text())
    text = path.read_text()
    found = [re.search(rf"(?ms)^module {name}\b.*?^endmodule$", text).group(0)
             for name in modules if name in CLOCKED or name in COMBINATIONAL]
    return re.sub(r"(?ms)^ *specify$.*?^ *endspecify$", "", "\n".join(found))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_random_netlist(tmp_path, cells_sim, seed):
    rng = random.Random(seed)
    design = random_design(rng)
    (tmp_path / "design.v").write_text(f"{cells_sim}\n{verilog(design)}")
    (tmp_path / "driver.cpp").write_text(DRIVER)
    verilator = library._verilator()
    library._run([*verilator, "--cc", "-O3", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint",
                  "--top-module", "randomly", "--Mdir", str(tmp_path),
                  str(tmp_path / "design.v")])
    include = Path(library._run([*verilator, "--getenv", "VERILATOR_ROOT"]).strip()) / "include"
    library._run(["g++", "-O1", "-std=c++20", f"-I{tmp_path}", f"-I{include}",
                  f"-I{include / 'vltstd'}", *map(str, tmp_path.glob("*.cpp")),
                  str(include / "verilated.cpp"), str(include / "verilated_threads.cpp"),
                  "-o", str(tmp_path / "design"), "-lpthread"])
    values = [rng.getrandbits(WIDTH) for _ in range(2000)]
    answers = subprocess.run([str(tmp_path / "design")], text=True, check=True,
                             input="\n".join(f"{value:x}" for value in values),
                             stdout=subprocess.PIPE).stdout.split()
    simulator = design.simulator()
    for cycle, (value, answer) in enumerate(zip(values, answers)):
        simulator.set(**{"in": value})
        assert simulator.get("out") == int(answer, 16), f"cycle {cycle}"
        simulator.clock()
    assert len(set(answers)) > 1900
