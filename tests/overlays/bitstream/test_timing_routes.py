"""Delays along a route, from a made-up chip and made-up tiles, reckoned by hand."""

from __future__ import annotations

import json
import struct

import pytest

from overlays.bitstream.timing import TimingError, graph_of_routed
from overlays.bitstream.timing.chip import Chip
from overlays.bitstream.timing.delay import Delay
from overlays.bitstream.timing.design import graph_of, slice_kind
from overlays.bitstream.timing.netlist import read_netlist
from overlays.bitstream.timing.router_model import RouterLibrary, RouterRoutes
from overlays.bitstream.timing.routes import Routes
from overlays.bitstream.timing.sdf import parse_sdf
from overlays.bitstream.timing.tiles import TileTypes
from tests.overlays.bitstream.timing_designs import SLICE_SDF, Design, library

# tile -> its wires; those with a number belong to the node of that number
TILES = {"CLBLL_L_X0Y0": {"AQ": 0, "A1": 2, "A2": -1, "EAST": 1},
         "INT_L_X1Y0": {"OUT": 0, "LONG": 1, "IMUX": 2}}
SITES = {"CLBLL_L_X0Y0": ["SLICE_X0Y0", "SLICE_X1Y0"]}


def pip(source, sink, delay, resistance, capacitance, transistor=0, directional="1"):
    way = {"delay": delay, "res": str(resistance), "in_cap": str(capacitance)}
    return {"src_wire": source, "dst_wire": sink, "is_pass_transistor": transistor,
            "is_directional": directional, "src_to_dst": way, "dst_to_src": way}


TYPES = {
    "CLBLL_L": {
        "pips": {}, "wires": {"AQ": {"res": "10", "cap": "2"}, "EAST": {"res": "50", "cap": "4"}},
        "sites": [{"site_pins": {
            "AQ": {"wire": "AQ", "delay": ["0", "0", "0", "0"], "res": "1000"},
            "A2": {"wire": "A1", "delay": ["0.1", "0.2", "0.3", "0.4"], "cap": "1"}}}]},
    "INT_L": {
        "pips": {"a": pip("OUT", "LONG", ["0.01", "0.02", "0.03", "0.05"], 2000, 8),
                 "b": pip("IMUX", "LONG", ["0.1", "0.1", "0.1", "0.1"], 500, 6, directional="0")},
        "wires": {"LONG": {"res": "30", "cap": "6"}, "IMUX": None, "OUT": None}, "sites": []}}

ROUTE = ";".join([
    "SITEWIRE/SLICE_X1Y0/AQ;;1",
    "CLBLL_L_X0Y0/AQ;SITEWIRE/SLICE_X1Y0/AQ->CLBLL_L_X0Y0/AQ;1",
    "INT_L_X1Y0/LONG;CLBLL_L_X0Y0/AQ->INT_L_X1Y0/LONG;1",
    "INT_L_X1Y0/IMUX;INT_L_X1Y0/LONG->INT_L_X1Y0/IMUX;1",
    "SITEWIRE/SLICE_X1Y0/A1;INT_L_X1Y0/IMUX->SITEWIRE/SLICE_X1Y0/A1;1"])


def chipdb():
    """A chip database of nextpnr's with TILES and SITES and nothing else."""
    names = sorted({wire for wires in TILES.values() for wire in wires})
    data = bytearray(48)

    def put(*words):
        at = len(data)
        data.extend(struct.pack(f"<{len(words)}i", *words))
        return at

    def text(value):
        at = len(data)
        raw = value.encode() + b"\0"
        data.extend(raw.ljust(-(-len(raw) // 4) * 4, b"\0"))
        return at

    def point(at, to):
        struct.pack_into("<i", data, at, (to - at) // 4)

    known = 5
    texts = [text(name) for name in names]
    table = put(*[0] * len(names))
    for k, at in enumerate(texts):
        point(table + 4 * k, at)
    constants = put(known, len(names), 0)
    point(constants + 8, table)

    types = put(*[0] * 8 * len(TILES))
    members = {}
    tiles = put(*[0] * 6 * len(TILES))
    for k, (tile, wires) in enumerate(TILES.items()):
        listed = put(*[word for wire in wires
                       for word in (known + names.index(wire), *[0] * 9)])
        struct.pack_into("<i", data, types + 32 * k + 12, len(wires))
        point(types + 32 * k + 16, listed)
        nodes = put(*wires.values())
        for index, node in enumerate(wires.values()):
            members.setdefault(node, []).extend([k, index])
        point(tiles + 24 * k, text(tile))
        sites = SITES.get(tile, [])
        struct.pack_into("<ii", data, tiles + 24 * k + 4, k, len(wires))
        point(tiles + 24 * k + 12, nodes)
        struct.pack_into("<i", data, tiles + 24 * k + 16, len(sites))
        records = put(*[0] * 8 * len(sites))
        point(tiles + 24 * k + 20, records)
        for s, site in enumerate(sites):
            point(records + 32 * s, text(site))
    count = max(members) + 1
    nodes = put(*[0] * 3 * count)
    for node in range(count):
        struct.pack_into("<i", data, nodes + 12 * node, len(members[node]) // 2)
        point(nodes + 12 * node + 8, put(*members[node]))
    struct.pack_into("<5i", data, 12, 1, 1, len(TILES), len(TILES), count)
    for at, to in ((32, types), (36, tiles), (40, nodes), (44, constants)):
        point(at, to)
    return bytes(data)


@pytest.fixture
def chip(tmp_path):
    path = tmp_path / "chip.bin"
    path.write_bytes(chipdb())
    return Chip(path)


@pytest.fixture
def tiles(tmp_path):
    for kind, tree in TYPES.items():
        (tmp_path / f"tile_type_{kind}.json").write_text(json.dumps(tree))
    return TileTypes(tmp_path)


def test_nodes_and_sites(chip):
    assert chip.node("CLBLL_L_X0Y0/AQ") == [("CLBLL_L_X0Y0", "AQ"), ("INT_L_X1Y0", "OUT")]
    assert chip.node("INT_L_X1Y0/LONG") == [("CLBLL_L_X0Y0", "EAST"), ("INT_L_X1Y0", "LONG")]
    assert chip.node("CLBLL_L_X0Y0/A2") == [("CLBLL_L_X0Y0", "A2")]
    assert slice_kind(chip, "SLICE_X0Y0") == "SLICEL"
    for wire in ("NONE_X0Y0/AQ", "INT_L_X1Y0/NONE"):
        with pytest.raises(TimingError, match=wire.split("/")[wire[0] == "I"]):
            chip.node(wire)
    with pytest.raises(TimingError, match="SLICE_X9Y9"):
        chip.tile_of_site("SLICE_X9Y9")


@pytest.mark.parametrize("content", [b"", b"text", b"\xff" * 4096])
def test_other_files_are_no_chip_database(tmp_path, content):
    path = tmp_path / "chip.bin"
    path.write_bytes(content)
    with pytest.raises(TimingError, match="not a chip database"):
        Chip(path)


def test_switches_wires_and_pins_of_a_route(chip, tiles):
    routes = Routes(chip, tiles, lambda *_: None)
    arrivals = routes.delays(ROUTE, "SITEWIRE/SLICE_X1Y0/AQ")
    # ohms and femtofarads: what each driver sees, and what each wire adds of its own
    exit_ = 1000 * (2 + 8) + 10 * (2 / 2 + 8)
    first = 2000 * ((4 + 6) + 6) + (50 + 30) * ((4 + 6) / 2 + 6)
    second = 500 * 1
    slow = (exit_ + first + second) * 1e-6
    expected = Delay(0.01 + 0.1 + 0.1 + slow, 0.02 + 0.1 + 0.2 + slow,
                     0.03 + 0.1 + 0.3 + slow, 0.05 + 0.1 + 0.4 + slow)
    assert arrivals["SITEWIRE/SLICE_X1Y0/A1"] == pytest.approx(expected)
    # the router swapped inputs: the wire is A1's, the pin is A2
    assert arrivals["SITEPIN/SLICE_X1Y0/A2"] == pytest.approx(expected)
    assert routes.unknown == {}


def test_a_pass_transistor_shows_what_is_behind_it(chip, tiles, tmp_path):
    kind = json.loads((tmp_path / "tile_type_INT_L.json").read_text())
    kind["pips"]["b"]["is_pass_transistor"] = 1
    (tmp_path / "tile_type_INT_L.json").write_text(json.dumps(kind))
    routes = Routes(chip, tiles, lambda *_: None)
    with_load = routes.delays(ROUTE, "SITEWIRE/SLICE_X1Y0/AQ")["INT_L_X1Y0/LONG"]
    expected = (1000 * 10 + 10 * 9 + 2000 * (10 + 6 + 1) + 80 * (5 + 6 + 1)) * 1e-6
    assert with_load.slow_max == pytest.approx(0.05 + expected)


def test_what_the_database_lacks_counts_as_nothing_and_is_said(chip, tiles):
    routes = Routes(chip, tiles, lambda *_: None)
    wire = "SITEWIRE/SLICE_X1Y0/"
    arrivals = routes.delays(f"{wire}B;{wire}A->{wire}B;1", f"{wire}A")
    assert arrivals[f"{wire}B"].slow_max == 0
    assert routes.unknown == {f"{wire}A->{wire}B": 1}


def test_site_pips_by_their_own_name(chip, tiles):
    routes = Routes(chip, tiles, lambda site, source, sink: Delay(1, 2, 3, 4))
    arrivals = routes.delays(
        "SITEWIRE/SLICE_X1Y0/AFFMUX_OUT;SITEPIP/SLICE_X1Y0/AFFMUX/AX;1", "SITEWIRE/SLICE_X1Y0/AX")
    assert arrivals["SITEWIRE/SLICE_X1Y0/AFFMUX_OUT"].slow_max == 4


def test_the_router_s_own_sum(chip, tiles):
    routes = RouterRoutes(chip, tiles, lambda *_: None)
    delay = routes.delays(ROUTE, "SITEWIRE/SLICE_X1Y0/AQ")["SITEPIN/SLICE_X1Y0/A2"]
    assert delay.slow_max == pytest.approx(
        0.025 + (0.05 + 2000 * 8e-6) + (0.1 + 500 * 6e-6) + 0.025)


def test_the_router_s_own_cells(tmp_path, chip, tiles):
    own = library()
    router = RouterLibrary(own._slices, own._slice_kind, own._ram, own._system)
    design = (Design().buffer().ff("a", "qa", "qb").ff("b", "qb", "qa")
              .cell("ram", "SLICE_LUTX", "SLICE_X0Y0/A6LUT", {"O6": "o"}, {"CLK": "clk"},
                    {"X_LUT_AS_DRAM": "1 "}).ff("c", "qc", "o")
              .cell("block", "RAMB36E1_RAMB36E1", "RAMB36_X0Y0/RAMB36E1", {"DOADO0": "do"}, {}))
    graph = graph_of(read_netlist(design.write(tmp_path)), router,
                     type("", (), {"unknown": {}, "delays": lambda *_: {}})())
    assert {graph.names[pin] for pin in graph.launches} == {"a/Q", "b/Q", "c/Q"}
    assert {check.requirement.setup for check in graph.checks} == {0.1}
    assert "RAMB36E1_RAMB36E1" in graph.untimed


def test_inside_a_slice():
    slices = library()
    inside = slices.inside
    assert inside("SLICE_X1Y0", "AX", "AFFMUX_OUT").slow_max == 0.205
    assert inside("SLICE_X1Y0", "A6LUT_O6", "AFFMUX_OUT").slow_max == 0.11  # rather than o6
    assert inside("SLICE_X1Y0", "CE", "CEUSEDMUX_OUT").slow_max == 0.19
    assert inside("SLICE_X1Y0", "A1", "A6LUT_O6").slow_max == 0.124  # a way through a LUT
    assert inside("SLICE_X1Y0", "CLK", "CLKINV_OUT").slow_max == 0
    assert inside("SLICE_X1Y0", "AX", "BFFMUX_OUT") is None
    assert inside("RAMB36_X0Y0", "ENARDENU", "ENARDENUINV_OUT").slow_max == 0


def test_a_whole_design_from_files(tmp_path, chip, tiles):
    timings = tmp_path / "timings"
    timings.mkdir()
    for kind in ("SLICEL", "SLICEM"):
        (timings / f"{kind.lower()}.sdf").write_text(SLICE_SDF.format(kind))
    for name in ("BRAM_L", "PSS2"):
        (timings / f"{name}.sdf").write_text("(DELAYFILE)")
    design = (Design().buffer().ff("a", "qa", "o").net("qa", ROUTE).net("o", "")
              .cell("l", "SLICE_LUTX", "SLICE_X1Y0/A6LUT", {"O6": "o"}, {"A2": "qa"}))
    graph = graph_of_routed(design.write(tmp_path), tmp_path, tmp_path / "chip.bin")
    (arc,) = graph.fanout[graph.pin("a/Q")]
    assert graph.names[arc.sink] == "l/A2"
    assert arc.delay.slow_max > 0.55


@pytest.mark.parametrize("text", ["", "text", "(DELAYFILE", "(OTHER)",
                                  '(DELAYFILE (TIMESCALE 1fs))'])
def test_other_files_are_no_sdf(text):
    with pytest.raises(TimingError):
        parse_sdf(text)


def test_sdf_in_picoseconds_with_ranges_in_either_order():
    (cell,) = parse_sdf("""(DELAYFILE (TIMESCALE 1ps) (CELL (CELLTYPE "C") (INSTANCE a)
        (DELAY (ABSOLUTE (IOPATH X Y (1::2)(4::3))))))""")
    assert cell.paths["X", "Y"] == pytest.approx(Delay(0.001, 0.002, 0.003, 0.004))
