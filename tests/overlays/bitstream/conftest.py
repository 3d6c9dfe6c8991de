"""A made-up part of two dozen frames and a few tiles, so that no database is needed."""

import json

import pytest

from overlays.bitstream.database import Database

PART = "xc7tiny1abc1-1"

# (half, row): block: frames of each column
ROWS = {("top", 0): {"CLB_IO_CLK": [2, 4], "BLOCK_RAM": [3]},
        ("top", 1): {"CLB_IO_CLK": [2, 4]},
        ("bottom", 0): {"CLB_IO_CLK": [2, 4], "BLOCK_RAM": [3]}}
FRAMES = 24

SEGBITS = {
    "segbits_logic.db": """
        LOGIC.LUT.INIT[00] 00_00
        LOGIC.LUT.INIT[01] 00_01
        LOGIC.LUT.INIT[02] 00_02
        LOGIC.LUT.INIT[10] 00_63
        LOGIC.MUX.A 01_00 !01_01
        LOGIC.MUX.B !01_00 01_01
        LOGIC.MUX.BOTH 01_00 01_01
        LOGIC.FF.LATCH 01_02
        LOGIC.FF.CLEAR !01_02
        LOGIC.FF.MODE[0] 01_03""",
    "segbits_ram.db": "RAM.WIDTH_18 00_05 03_31",
    "segbits_ram.block_ram.db": """
        RAM.INIT_00[000] 00_00
        RAM.INIT_00[001] 02_31""",
    "segbits_pair.db": """
        PAIR.PAD_Y0.DRIVE 00_03
        PAIR.PAD_Y1.DRIVE 00_35
        PAIR.PAD_Y1.SLEW 00_36 !00_37""",
    "segbits_clock.db": "CLOCK.ALWAYS 00_1620",
    "ppips_logic.db": "LOGIC.VCC default",
    "ppips_wires.db": "WIRES.A.B always"}


def bits(base, frames, offset, words, **more):
    return {"baseaddr": f"{base:#010x}", "frames": frames, "offset": offset, "words": words, **more}


GRID = {
    "LOGIC_X0Y0": ("LOGIC", {"CLB_IO_CLK": bits(0x000000, 2, 0, 2)}),
    "LOGIC_X0Y1": ("LOGIC", {"CLB_IO_CLK": bits(0x000000, 2, 99, 2)}),
    "LOGIC_X0Y2": ("LOGIC", {"CLB_IO_CLK": bits(0x400000, 2, 0, 2)}),
    "RAM_X1Y0": ("RAM", {"CLB_IO_CLK": bits(0x400080, 4, 10, 1),
                         "BLOCK_RAM": bits(0xC00000, 3, 10, 1)}),
    "CLOCK_X1Y1": ("CLOCK", {"CLB_IO_CLK": bits(0x000080, 4, 0, 101)}),
    "PAIR_X1Y2": ("PAIR", {"CLB_IO_CLK": bits(0x020080, 4, 0, 2)}),
    "SINGLE_X1Y3": ("SINGLE", {"CLB_IO_CLK": bits(
        0x020080, 4, 100, 1,
        alias={"type": "PAIR", "start_offset": 1, "sites": {"PAD_Y0": "PAD_Y1"}})}),
    "WIRES_X2Y0": ("WIRES", {})}

DESIGN = """
# every kind of line
LOGIC_X0Y0.LUT.INIT[10:0] = 11'b10000000101
LOGIC_X0Y0.MUX.A
LOGIC_X0Y0.VCC            # no bits
LOGIC_X0Y1.LUT.INIT[10] {.origin = "elsewhere"}
LOGIC_X0Y1.MUX.B = 1
LOGIC_X0Y1.FF.MODE
LOGIC_X0Y2.MUX.BOTH
LOGIC_X0Y2.LUT.INIT[2:0] = 3'h0
RAM_X1Y0.WIDTH_18
RAM_X1Y0.INIT_00[1:0] = 2'd3
SINGLE_X1Y3.PAD_Y0.SLEW
WIRES_X2Y0.A.B
"""


def _regions():
    regions = {}
    for (half, row), buses in ROWS.items():
        rows = regions.setdefault(half, {"rows": {}})["rows"]
        rows[str(row)] = {"configuration_buses": {
            bus: {"configuration_columns": {str(column): {"frame_count": count}
                                            for column, count in enumerate(counts)}}
            for bus, counts in buses.items()}}
    return regions


@pytest.fixture
def folder(tmp_path):
    """A database of the made-up part."""
    root = tmp_path / "tiny"
    for directory in ("mapping", "die", PART, "xc7tiny1xyz9-1"):
        (root / directory).mkdir(parents=True)
    (root / "mapping" / "parts.yaml").write_text("".join(
        f'{part}:\n  device: xc7tiny1\n  package: {part[8:12]}\n'
        for part in (PART, "xc7tiny1xyz9-1")))
    (root / "mapping" / "devices.yaml").write_text('# made up\n"xc7tiny1":\n  fabric: "die"\n')
    for part in (PART, "xc7tiny1xyz9-1"):
        (root / part / "part.json").write_text(json.dumps(
            {"idcode": 0x1234093, "global_clock_regions": _regions()}))
    (root / PART / "required_features.fasm").write_text("CLOCK_X1Y1.ALWAYS\n")
    (root / "die" / "tilegrid.json").write_text(json.dumps(
        {name: {"type": kind, "bits": places} for name, (kind, places) in GRID.items()}))
    for name, text in SEGBITS.items():
        (root / name).write_text("\n".join(line.strip() for line in text.splitlines()) + "\n")
    return root


@pytest.fixture
def database(folder):
    return Database(folder, PART)


@pytest.fixture
def design(tmp_path):
    """A FASM file that uses all of the database."""
    path = tmp_path / "design.fasm"
    path.write_text(DESIGN)
    return path
