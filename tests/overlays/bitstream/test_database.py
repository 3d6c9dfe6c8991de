import json

import pytest

from overlays.bitstream import DatabaseError
from overlays.bitstream.database import Database
from tests.overlays.bitstream.conftest import GRID, PART


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_tiles(database):
    assert database.tile("NOWHERE_X0Y0") is None
    assert {tile.name for tile in database.tiles()} == GRID.keys() - {"WIRES_X2Y0"}
    assert database.tile("WIRES_X2Y0").type.pseudo_pips == {"A.B"}
    window = database.tile("LOGIC_X0Y1").windows["CLB_IO_CLK"]
    assert window.origin == 99 * 32


def test_each_file_is_read_once(database, monkeypatch):
    first = database.tile("LOGIC_X0Y0")
    monkeypatch.setattr("overlays.bitstream.database.read_features", None)
    assert database.tile("LOGIC_X0Y1").type is first.type


def test_an_alias_has_its_part_of_the_other_types_features(database):
    features = database.tile("SINGLE_X1Y3").type.features
    assert {name: (bits.ones, bits.zeros) for name, bits in features.items()} == {
        "PAD_Y0.DRIVE": ((3,), ()), "PAD_Y0.SLEW": ((4,), (5,))}


def test_segbits_of_its_own_are_better_than_an_alias(folder):
    (folder / "segbits_single.db").write_text("SINGLE.OWN 00_00\n")
    assert Database(folder, PART).tile("SINGLE_X1Y3").type.features.keys() == {"OWN"}


def test_address_0_may_be_left_out_or_said(database):
    kind = database.tile("LOGIC_X0Y0").type
    assert kind.canonical("FF.MODE") == kind.canonical("FF.MODE[0]") == "FF.MODE[0]"
    assert kind.canonical("FF.LATCH[0]") == "FF.LATCH"
    assert kind.canonical("FF.LATCH[1]") is None


@pytest.mark.parametrize("part", [PART, "xc7tiny1xyz9-1"])
def test_required_features_are_the_dies(folder, part):
    (feature,) = Database(folder, part).required_features()
    assert feature.name == "CLOCK_X1Y1.ALWAYS"


def test_a_die_without_required_features(folder):
    (folder / PART / "required_features.fasm").unlink()
    assert Database(folder, PART).required_features() == []


def test_a_part_of_unknown_die(folder):
    (folder / "mapping" / "devices.yaml").write_text("")
    with pytest.raises(DatabaseError, match=f"which die {PART} is"):
        Database(folder, PART).tiles()


@pytest.mark.parametrize("name", ["mapping/parts.yaml", "die/tilegrid.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(DatabaseError, match=name):
        Database(folder, PART).tiles()


def test_a_damaged_grid_is_named(folder):
    (folder / "die" / "tilegrid.json").write_text("{")
    with pytest.raises(DatabaseError, match=r"tilegrid\.json is damaged"):
        Database(folder, PART).tiles()


@pytest.mark.parametrize("edit", [
    lambda place: place.update(baseaddr="0x00000001"),  # the second frame would be column 1's
    lambda place: place.update(offset=100),
    lambda place: place.update(words=1),
    lambda place: place.update(frames=1)])
def test_bits_outside_a_tiles_frames_are_refused(folder, edit):
    change(folder / "die" / "tilegrid.json",
           lambda grid: edit(grid["LOGIC_X0Y0"]["bits"]["CLB_IO_CLK"]))
    with pytest.raises(DatabaseError, match="CLB_IO_CLK bits of LOGIC_X0Y0 lie outside"):
        Database(folder, PART).tile("LOGIC_X0Y0")


@pytest.mark.parametrize("edit", [
    lambda tile: tile.pop("type"),
    lambda tile: tile["bits"]["CLB_IO_CLK"].update(baseaddr="x"),
    lambda tile: tile["bits"]["CLB_IO_CLK"].pop("words")])
def test_an_entry_that_is_not_understood_is_named(folder, edit):
    change(folder / "die" / "tilegrid.json", lambda grid: edit(grid["LOGIC_X0Y0"]))
    with pytest.raises(DatabaseError, match="LOGIC_X0Y0 isn't understood"):
        Database(folder, PART).tile("LOGIC_X0Y0")


def test_a_frame_that_the_part_lacks(folder):
    change(folder / "die" / "tilegrid.json",
           lambda grid: grid["RAM_X1Y0"]["bits"]["BLOCK_RAM"].update(baseaddr="0x00820000"))
    with pytest.raises(DatabaseError, match="no frame 0x00820000"):
        Database(folder, PART).tile("RAM_X1Y0")


@pytest.mark.parametrize("line", ["LOGIC.A", "LOGIC 00_00", "LOGIC.A 00-00", "LOGIC.A 00_x"])
def test_a_damaged_line_is_named(folder, line):
    (folder / "segbits_logic.db").write_text(f"{line}\n")
    with pytest.raises(DatabaseError, match=r"segbits_logic\.db"):
        Database(folder, PART).tile("LOGIC_X0Y0")
