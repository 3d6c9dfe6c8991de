"""Each rule, with a netlist that breaks it and nothing else."""

import json

import pytest

from overlays.bitstream import gate, netlist
from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.netlist import Cell, Netlist


def block_ram(kind="RAMB36E1", high=True, **parameters):
    widths = {"READ_WIDTH_A": 0, "READ_WIDTH_B": 18, "WRITE_WIDTH_A": 18, "WRITE_WIDTH_B": 0}
    address = [*range(10, 25), "1" if high else "0"] if kind == "RAMB36E1" else [*range(10, 24)]
    return Cell("ram", kind, {"RAM_MODE": "TDP ", "DOA_REG": 0, **widths, **parameters},
                {"ADDRARDADDR": address, "ADDRBWRADDR": address,
                 "WEBWE": ["0"] * (8 if kind == "RAMB36E1" else 4)})


GOOD = (
    block_ram(), block_ram("RAMB18E1", READ_WIDTH_B=9), block_ram(READ_WIDTH_A=format(36, "032b")),
    block_ram(high=False, RAM_EXTENSION_A="LOWER", RAM_EXTENSION_B="LOWER"),
    Cell("shift", "SRL16E", {"INIT": "0" * 16}, {}), Cell("long", "SRLC32E", {}, {}),
    Cell("low", "FDRE", {"INIT": "0"}, {}), Cell("high", "FDSE", {"INIT": "1"}, {}),
    Cell("words", "RAM32M", {"IS_WCLK_INVERTED": "0"}, {}),
    Cell("product", "DSP48E1", {}, {"A": [1, 2], "B": [3]}),
)

BAD = {
    "of width 1 or 9": [block_ram(READ_WIDTH_B=9), block_ram(WRITE_WIDTH_A=format(1, "032b"))],
    "simple dual port": [block_ram(RAM_MODE="SDP"), block_ram(READ_WIDTH_A=72),
                         block_ram("RAMB18E1", WRITE_WIDTH_B=36)],
    "output register": [block_ram(DOA_REG=1), block_ram("RAMB18E1", DOB_REG=format(1, "032b"))],
    "address bit 15": [block_ram(high=False),
                       Cell("ram", "RAMB36E1", {}, {"ADDRARDADDR": ["1"] * 15})],
    "upper write enables": [Cell("ram", "RAMB18E1", {}, {"WEBWE": ["0", "0", "0", 5]})],
    "does not begin with 0": [Cell("shift", "SRL16E", {"INIT": "0" * 15 + "1"}, {}),
                              Cell("shift", "SRLC32E", {"INIT": "x" * 32}, {})],
    "without a defined start": [Cell("flop", "FDSE", {"INIT": "x"}, {}), Cell("f", "FDPE", {}, {})],
    "inverted write clock": [Cell("words", "RAM64M", {"IS_WCLK_INVERTED": "1"}, {})],
    "pins tied to constants": [Cell("product", "DSP48E1", {}, {"A": [1, "0"]})],
}


def test_what_the_tools_get_right_passes():
    assert gate.violations(Netlist("zynq", GOOD)) == []
    gate.require_safe(Netlist("zynq", GOOD))


@pytest.mark.parametrize("rule", BAD)
def test_each_rule_is_broken_alone(rule):
    for cell in BAD[rule]:
        messages = gate.violations(Netlist("zynq", (*GOOD, cell)))
        assert len(messages) == 1, messages
        assert rule in messages[0]
        assert cell.name in messages[0]
    with pytest.raises(BitstreamError, match=rule):
        gate.require_safe(Netlist("zynq", (*GOOD, cell)))


def test_every_rule_is_tried_here():
    assert len(BAD) == len(gate.RULES)
    assert all(any(bad in rule.name for bad in BAD) for rule in gate.RULES)


def test_a_message_names_few_of_many():
    cells = tuple(Cell(f"flop{n}", "FDRE", {"INIT": "x"}, {}) for n in range(40))
    assert "flop0, flop1, flop2, flop3, flop4 and 35 more;" in gate.violations(
        Netlist("zynq", cells))[0]


def test_a_netlist_of_yosys(tmp_path):
    path = tmp_path / "zynq.json"
    path.write_text(json.dumps({"modules": {"zynq": {"cells": {
        "a": {"type": "FDRE", "parameters": {"INIT": "0"}, "connections": {"D": [2], "Q": [3]}},
        "b": {"type": "FDRE", "parameters": {"INIT": "x"}, "connections": {}}}}}}))
    found = netlist.read(path)
    assert found.counts() == {"FDRE": 2}
    assert [cell.pins.get("Q") for cell in found.of("FDRE")] == [[3], None]
    with pytest.raises(BitstreamError, match="no module top, only zynq"):
        netlist.read(path, "top")
    path.write_text("{}")
    with pytest.raises(BitstreamError, match="not a netlist"):
        netlist.read(path)


def test_an_undefined_number_is_named():
    with pytest.raises(BitstreamError, match="RAMB36E1 ram: WRITE_WIDTH_A is '0x'"):
        gate.violations(Netlist("zynq", (block_ram(WRITE_WIDTH_A="0x"),)))
