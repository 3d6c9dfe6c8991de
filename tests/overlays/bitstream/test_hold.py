"""Delays before LUT RAMs' write addresses, in a netlist of a few cells."""

import json
from collections import Counter

import pytest

from overlays.bitstream.gate import violations
from overlays.bitstream.hold import PINS, WRITE_ADDRESS, delay_write_addresses
from overlays.bitstream.netlist import LUT_RAMS, read

REGISTER, LOGIC, READ = 10, 20, 30


def ram(kind, pins):
    return {"type": kind, "parameters": {}, "connections": pins}


@pytest.fixture
def held(tmp_path):
    """A netlist of RAMs with one register bit and one LUT's output at hand, after the step."""
    def make(**rams):
        cells = {"register": {"type": "FDRE", "parameters": {"INIT": "0"},
                              "connections": {"D": [LOGIC], "Q": [REGISTER]}},
                 "logic": {"type": "LUT1", "parameters": {"INIT": "01"},
                           "connections": {"I0": [READ], "O": [LOGIC]}}, **rams}
        source, target = tmp_path / "source.json", tmp_path / "target.json"
        source.write_text(json.dumps({"modules": {"zynq": {"cells": cells, "netnames": {}}}}))
        count = delay_write_addresses(source, target, "zynq")
        return count, {cell.name: cell for cell in read(target).cells}
    return make


def test_a_register_s_address_goes_through_one_lut_for_all_its_rams(held):
    count, cells = held(
        a=ram("RAM32M", {"ADDRA": [REGISTER], "ADDRD": [REGISTER, LOGIC, "0"], "DIA": [REGISTER]}),
        b=ram("RAM64M", {"ADDRD": [REGISTER]}))
    assert count == 1
    (lut,) = (cell for name, cell in cells.items() if name.startswith("hold"))
    (delayed,) = lut.pins["O"]
    assert (lut.kind, lut.number("INIT"), lut.pins["I0"]) == ("LUT1", 0b10, [REGISTER])
    assert delayed not in (REGISTER, LOGIC, READ)
    # a LUT's output is late enough; reads and data have time
    assert cells["a"].pins == {"ADDRA": [REGISTER], "ADDRD": [delayed, LOGIC, "0"],
                               "DIA": [REGISTER]}
    assert cells["b"].pins == {"ADDRD": [delayed]}


def test_a_wide_net_gets_several_luts(held):
    count, cells = held(**{f"ram{n}": ram("RAM32M", {"ADDRD": [REGISTER]})
                           for n in range(2 * PINS + 1)})
    assert count == 3
    luts = [cell for name, cell in cells.items() if name.startswith("hold")]
    assert [lut.pins["I0"] for lut in luts] == [[REGISTER]] * 3
    readers = Counter(cells[f"ram{n}"].pins["ADDRD"][0] for n in range(2 * PINS + 1))
    assert readers == {lut.pins["O"][0]: pins for lut, pins in zip(luts, (PINS, PINS, 1))}


def test_every_kind_of_lut_ram_is_known():
    assert set(WRITE_ADDRESS) == set(LUT_RAMS)


def test_single_bit_pins_too(held):
    count, cells = held(a=ram("RAM64X1D", {"A0": [REGISTER], "DPRA0": [REGISTER]}))
    assert count == 1
    assert cells["a"].pins["A0"] != [REGISTER]
    assert cells["a"].pins["DPRA0"] == [REGISTER]


def test_without_such_rams_nothing_changes(held):
    count, cells = held()
    assert count == 0
    assert sorted(cells) == ["logic", "register"]


def test_it_breaks_no_rule(held, tmp_path):
    held(a=ram("RAM32M", {"ADDRD": [REGISTER]}))
    assert violations(read(tmp_path / "target.json")) == []
