import pytest

from overlays.bitstream.recover import RoutingError
from overlays.bitstream.recover.routing import Driver, Routing
from overlays.bitstream.recover.settings import by_tile
from overlays.bitstream.recover.tile_kinds import SitePin, TileKinds
from overlays.simulation.circuit import ONE, ZERO
from tests.overlays.bitstream.recover.made_up import MadeUpChip, write_tile_kind

PAIR = [("INT_X1Y1", "EAST"), ("INT_X2Y1", "WEST")]
"""A wire from one tile to the next: one node."""


@pytest.fixture
def kinds(tmp_path):
    write_tile_kind(tmp_path, "INT", pips=[
        ("EAST", "OUT", True), ("EAST", "GND_WIRE", True), ("IN", "WEST", True),
        ("IN", "VCC_WIRE", True), ("BOTH", "IN", False)],
        ppips="INT.IN2.IN always\nINT.LONELY.VCC_WIRE default\nINT.OUT.IN hint\n")
    write_tile_kind(tmp_path, "LOGIC", sites=[("SLICEL", "X0Y0", {
        "AQ": ("LOGIC_AQ", True), "AX": ("LOGIC_AX", False)})])
    return TileKinds(tmp_path)


@pytest.fixture
def chip():
    return MadeUpChip(PAIR, [("LOGIC_X1Y1", "LOGIC_AQ"), ("INT_X1Y1", "OUT")],
                      [("LOGIC_X2Y1", "LOGIC_AX"), ("INT_X2Y1", "IN2")])


def routing(chip, kinds, *features):
    return Routing(by_tile(features, kinds), chip, kinds)


def test_from_pin_to_pin(chip, kinds):
    routes = routing(chip, kinds, "INT_X1Y1.EAST.OUT", "INT_X2Y1.IN.WEST")
    expected = Driver("LOGIC_X1Y1", "LOGIC_AQ", SitePin("SLICEL", "X0Y0", "AQ"))
    assert routes.source("LOGIC_X2Y1", "LOGIC_AX") == expected
    assert routes.source("LOGIC_X2Y1", "LOGIC_AX") == expected
    assert routes.switches == 2
    assert not routes.open


def test_a_switch_that_works_both_ways(chip, kinds):
    routes = routing(chip, kinds, "INT_X1Y1.IN.VCC_WIRE", "INT_X1Y1.BOTH.IN")
    assert routes.source("INT_X1Y1", "BOTH") == ONE
    back = routing(chip, kinds, "INT_X1Y1.IN.BOTH")
    assert back.source("INT_X1Y1", "IN2") is None


def test_constants(chip, kinds):
    assert routing(chip, kinds, "INT_X2Y1.IN.VCC_WIRE").source("INT_X2Y1", "IN2") == ONE
    grounded = routing(chip, kinds, "INT_X1Y1.EAST.GND_WIRE", "INT_X2Y1.IN.WEST")
    assert grounded.source("INT_X2Y1", "IN2") == ZERO
    assert routing(chip, kinds).source("INT_X2Y1", "LONELY") == ONE


def test_what_nothing_drives(chip, kinds):
    routes = routing(chip, kinds, "INT_X2Y1.IN.WEST")
    assert routes.source("LOGIC_X2Y1", "LOGIC_AX") is None
    assert routes.source("LOGIC_X2Y1", "LOGIC_AX") is None
    assert routes.open == [("LOGIC_X2Y1", "LOGIC_AX")]


def test_two_drivers(chip, kinds):
    with pytest.raises(RoutingError, match="1 nodes have two drivers: INT_X1Y1/EAST"):
        routing(chip, kinds, "INT_X1Y1.EAST.OUT", "INT_X1Y1.EAST.GND_WIRE")


def test_a_loop(chip, kinds):
    routes = routing(chip, kinds, "INT_X1Y1.BOTH.IN", "INT_X1Y1.IN.BOTH")
    with pytest.raises(RoutingError, match="loop of switches"):
        routes.source("INT_X1Y1", "IN2")


def test_settings_by_site(kinds):
    design = by_tile(["LOGIC_X1Y1.SLICEL_X0.ALUT.INIT[63]", "LOGIC_X1Y1.SLICEL_X0.ALUT.INIT[0]",
                      "LOGIC_X1Y1.SLICEL_X0.FFSYNC", "INT_X1Y1.EAST.OUT"], kinds)
    assert design.sites["LOGIC_X1Y1", "SLICEL_X0"] == {"ALUT.INIT": 1 << 63 | 1, "FFSYNC": 1}
    assert design.switches == {"INT_X1Y1": [("EAST", "OUT")]}
