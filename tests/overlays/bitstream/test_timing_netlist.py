import json

import pytest

from overlays.bitstream.timing.netlist import read_netlist


@pytest.mark.parametrize("kind, kept", [("LUT4", ["A2", "O6"]), ("RAM32M", ["A1", "A2", "O6"])])
def test_a_pin_that_a_lut_does_not_look_at_is_no_path(tmp_path, kind, kept):
    """The router may connect a spare pin to anything, the LUT's own output included."""
    lut = {"type": "SLICE_LUTX", "parameters": {}, "attributes": {
               "NEXTPNR_BEL": "SLICE_X0Y0/A6LUT", "X_ORIG_TYPE": kind, "X_ORIG_PORT_A2": "I0",
               "X_ORIG_PORT_O6": "O"},
           "port_directions": {"A1": "input", "A2": "input", "O6": "output"},
           "connections": {"A1": [7], "A2": [8], "O6": [7]}}
    nets = {name: {"bits": [bit], "attributes": {"ROUTING": ""}}
            for name, bit in (("out", 7), ("in", 8))}
    path = tmp_path / "routed.json"
    path.write_text(json.dumps({"modules": {"top": {"netnames": nets, "cells": {"lut": lut}}}}))
    (cell,) = read_netlist(path).cells
    assert sorted(cell.pins) == kept
