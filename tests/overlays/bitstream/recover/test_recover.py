"""A whole design of one flip-flop: from the PS7 through switches to it and back, and its clock."""

import pytest

from overlays.bitstream.errors import DatabaseError
from overlays.bitstream.recover import RecoveryError, recover
from overlays.simulation.netlist_library import Simulator
from tests.overlays.bitstream.recover.made_up import MadeUpChip, write_tile_kind

SLICE = "CLBLL_L_X1Y1"
PS7 = "PSS2_X0Y0"
CLOCK = ["CLK_BUFG_BOT_R_X5Y5.BUFGCTRL.BUFGCTRL_X0Y3.IN_USE",
         "CLK_HROW_BOT_R_X5Y4.BUFHCE.BUFHCE_X1Y2.IN_USE"]
FLIP_FLOP = [f"{SLICE}.SLICEL_X0.{name}" for name in ("AFFMUX.AX", "AFF.ZINI", "AFF.ZRST")]
ROUTES = ["INT_L_X1Y1.TO_AX.FROM_PS7", "INT_L_X1Y1.TO_PS7.FROM_AQ"]


@pytest.fixture
def database(tmp_path):
    write_tile_kind(tmp_path, "INT_L", pips=[("TO_AX", "FROM_PS7", True),
                                             ("TO_PS7", "FROM_AQ", True),
                                             ("TO_PS7", "FROM_PS7", True)])
    write_tile_kind(tmp_path, "CLBLL_L", sites=[("SLICEL", "X0Y0", {
        "AQ": ("L_AQ", True), "AMUX": ("L_AMUX", True), "AX": ("L_AX", False),
        "CLK": ("L_CLK", False)})])
    write_tile_kind(tmp_path, "PSS2", sites=[("PS7", "X0Y0", {
        "FCLKCLK0": ("P_FCLK0", False), "FCLKCLK1": ("P_FCLK1", False),
        "FCLKRESETN0": ("P_RESET0", False), "FCLKRESETN1": ("P_RESET1", False),
        "MAXIGP0WDATA0": ("P_WDATA0", False), "MAXIGP0RDATA0": ("P_RDATA0", False)})],
        ppips="PSS2.P_RDATA0.P_LOGIC always\nPSS2.P_OUT.P_WDATA0 always\n")
    write_tile_kind(tmp_path, "CLK_BUFG_BOT_R", sites=[("BUFGCTRL", "X0Y3", {
        "I0": ("B_I0", False), "O": ("B_O", True)})])
    write_tile_kind(tmp_path, "CLK_HROW_BOT_R", sites=[("BUFHCE", "X1Y2", {
        "I": ("H_I", False), "O": ("H_O", True)})])
    return tmp_path


@pytest.fixture
def chip():
    return MadeUpChip(
        [(PS7, "P_FCLK0"), ("CLK_BUFG_BOT_R_X5Y5", "B_I0")],
        [("CLK_BUFG_BOT_R_X5Y5", "B_O"), ("CLK_HROW_BOT_R_X5Y4", "H_I")],
        [("CLK_HROW_BOT_R_X5Y4", "H_O"), (SLICE, "L_CLK")],
        [(PS7, "P_OUT"), ("INT_L_X1Y1", "FROM_PS7")], [("INT_L_X1Y1", "TO_AX"), (SLICE, "L_AX")],
        [(SLICE, "L_AQ"), ("INT_L_X1Y1", "FROM_AQ")], [("INT_L_X1Y1", "TO_PS7"), (PS7, "P_LOGIC")])


def test_a_flip_flop_between_two_pins_of_the_ps7(chip, database):
    found = recover([*CLOCK, *FLIP_FLOP, *ROUTES], chip, database)
    assert found.switches == 2
    assert not found.open_pins
    assert found.circuit.counts()["flip-flops"] == 1
    simulator = Simulator(found.circuit)
    last = 0
    for value in (1, 0, 0, 1, 1, 0):
        simulator.set(gp__wdata=value)
        assert simulator.get("gp__rdata") == last
        simulator.clock()
        last = value
    simulator.set(reset_n=1)


def test_another_connection_is_another_circuit(chip, database):
    swapped = [*CLOCK, *FLIP_FLOP, ROUTES[0], "INT_L_X1Y1.TO_PS7.FROM_PS7"]
    simulator = Simulator(recover(swapped, chip, database).circuit)
    simulator.set(gp__wdata=1)
    assert simulator.get("gp__rdata") == 1


def test_a_pin_that_nothing_drives(chip, database):
    found = recover([*CLOCK, *FLIP_FLOP, ROUTES[1]], chip, database)
    assert found.open_pins == [(SLICE, "L_AX")]


def test_a_clock_buffer_that_is_off(chip, database):
    with pytest.raises(RecoveryError, match="BUFHCE X1Y2 drives a net and is not in use"):
        recover([CLOCK[0], *FLIP_FLOP, *ROUTES], chip, database)


def test_a_slice_without_settings(chip, database):
    with pytest.raises(RecoveryError, match=f"{SLICE}: X0 drives a net and has no settings"):
        recover([*CLOCK, *ROUTES], chip, database)


def test_a_driver_that_is_not_understood(chip, database):
    write_tile_kind(database, "CLBLL_L", sites=[("DSP48E1", "X0Y0", {"P0": ("L_AQ", True)})])
    with pytest.raises(RecoveryError, match="driven by a DSP48E1"):
        recover(ROUTES, chip, database)


def test_a_database_without_the_tile(chip, database):
    (database / "tile_type_CLBLL_L.json").unlink()
    with pytest.raises(DatabaseError, match="tile_type_CLBLL_L.json can't be read"):
        recover(FLIP_FLOP, chip, database)


def test_a_damaged_tile(chip, database):
    (database / "tile_type_CLBLL_L.json").write_text("{")
    with pytest.raises(DatabaseError, match="damaged"):
        recover(FLIP_FLOP, chip, database)


def test_a_device_without_a_ps7(database):
    with pytest.raises(RecoveryError, match="no PS7"):
        recover([], MadeUpChip(), database)
