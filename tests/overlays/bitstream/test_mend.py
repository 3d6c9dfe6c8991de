"""A LUT whose output a wide multiplexer takes goes to an empty slice."""

import pytest

from overlays.bitstream.anneal.mend import mend
from overlays.bitstream.anneal.sites import Site
from overlays.bitstream.errors import BitstreamError

SITES = {f"SLICE_X{x}Y{y}": Site("SLICEL", 3 * x, 2 * y) for x in range(4) for y in range(4)}
SITES["RAMB36_X0Y0"] = Site("RAMB36E1", 1, 1)


def cell(bel, output="O6", net=2, pin="A1", source=1):
    return {"attributes": {"NEXTPNR_BEL": bel, f"X_ORIG_PORT_{output}": "O"},
            "port_directions": {pin: "input", output: "output"},
            "connections": {pin: [source], output: [net]}}


def wide(place="F7BMUX", site="SLICE_X0Y0"):
    """A wide multiplexer that leads to a LUT elsewhere."""
    return {f"{site} mux": cell(f"{site}/{place}", "OUT", 7),
            f"{site} first": cell(f"{site}/C6LUT"),
            "user": cell("SLICE_X3Y3/A6LUT", source=7)}


@pytest.mark.parametrize("place, lane", [("F7AMUX", "A"), ("F7BMUX", "C"), ("F8MUX", "B")])
def test_the_lane_whose_output_is_taken(place, lane):
    cells = {**wide(place), **{name: cell(f"SLICE_X0Y0/{name}5LUT", "O5") for name in "ABCD"},
             "near": cell("SLICE_X0Y1/A6LUT")}
    assert mend(cells, SITES) == 1
    # the next column is nearer than the second row
    assert cells[lane] == cell("SLICE_X1Y0/A6LUT")
    for name in set("ABCD") - {lane}:
        assert cells[name] == cell(f"SLICE_X0Y0/{name}5LUT", "O5")
    assert mend(cells, SITES) == 0


def test_a_lane_without_a_wide_multiplexer_keeps_both():
    cells = {"first": cell("SLICE_X0Y0/C6LUT"), "second": cell("SLICE_X0Y0/C5LUT", "O5"),
             "constant": {"attributes": {}}}
    assert mend(cells, SITES) == 0


def test_each_goes_to_a_slice_of_its_own():
    cells = {}
    for x in (0, 1):
        cells.update(wide(site=f"SLICE_X{x}Y0"))
        cells[f"second{x}"] = cell(f"SLICE_X{x}Y0/C5LUT", "O5")
    assert mend(cells, SITES) == 2
    assert len({each["attributes"]["NEXTPNR_BEL"] for each in cells.values()}) == len(cells)


@pytest.mark.parametrize("bel", ["CFF", "F8MUX"])
def test_a_multiplexer_that_stays_in_its_slice_takes_no_output(bel):
    cells = {**wide(), "second": cell("SLICE_X0Y0/C5LUT", "O5")}
    cells["user"] = cell(f"SLICE_X0Y0/{bel}", "Q", 8, "D", 7)
    assert mend(cells, SITES) == 0
    cells["another"] = cell("SLICE_X0Y0/D6LUT", source=7)
    assert mend(cells, SITES) == 1


def test_what_it_can_not_mend_is_named():
    full = {site: cell(f"{site}/D6LUT") for site in SITES if site != "SLICE_X0Y0"}
    with pytest.raises(BitstreamError, match="no slice is empty"):
        mend({**wide(), **full, "second": cell("SLICE_X0Y0/C5LUT", "O5")}, SITES)
