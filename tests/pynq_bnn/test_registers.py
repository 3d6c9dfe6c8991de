import os
import subprocess
import sys
from pathlib import Path

import pytest

from host_ref import network
from pynq_bnn import registers

ROOT = Path(__file__).parents[2]


def test_no_two_registers_share_an_offset():
    offsets = [offset for offset, _, _ in registers.words()]
    assert len(offsets) == len(set(offsets))
    assert all(offset % 4 == 0 and offset < registers.WINDOW_BYTES for offset in offsets)


def test_fields_lie_inside_the_register_and_apart():
    for register in registers.TABLE:
        used = 0
        for field in register.fields:
            assert field.low + field.width <= 32
            assert not used & field.mask, f"{register.name}.{field.name} overlaps"
            used |= field.mask
            assert all(0 <= value < 1 << field.width for _, value in field.values)


def test_encode_and_decode_are_inverse():
    value = registers.encode("SHAPE", HEIGHT=32, WIDTH=7, CHANNELS=8192)
    assert value == 32 | 7 << 8 | 8192 << 16
    assert registers.decode("SHAPE", value) == {"HEIGHT": 32, "WIDTH": 7, "CHANNELS": 8192}


def test_a_value_too_large_for_its_field_is_refused():
    with pytest.raises(ValueError, match="SHAPE.HEIGHT holds 8 bits: 256"):
        registers.encode("SHAPE", HEIGHT=256)
    with pytest.raises(KeyError, match="no field DEPTH"):
        registers.encode("SHAPE", DEPTH=1)


def test_entries_of_a_repeated_register():
    assert registers.offset("LOG_CYCLES", 2) == 0x224
    with pytest.raises(IndexError, match="LOG_CYCLES"):
        registers.offset("LOG_CYCLES", registers.LOG_ENTRIES)


def test_the_limits_of_networks_are_the_devices():
    """The reference imports nothing of the package, so it says them once more."""
    for name in ("MAX_SIDE", "MAX_CHANNELS", "MAX_FC_INPUTS", "MAX_CLASSES", "CHANNEL_STEP"):
        assert getattr(network, name) == getattr(registers, name), name


def test_describe_names_fields_and_values():
    value = registers.encode("ERROR", CODE=registers.ERROR_READ, STAGE=registers.LOAD, STEP=3)
    assert registers.describe("ERROR", value) == "ERROR=0x00030106 (CODE=READ STAGE=1 STEP=3)"
    assert registers.describe("STATUS", 0) == "STATUS=0x00000000"


def test_every_error_has_a_meaning():
    assert {code for _, code in registers.ERRORS} == set(registers.ERROR_MEANINGS)


def test_the_docs_page_is_the_table():
    page = (ROOT / "docs/registers.md").read_text(encoding="utf-8")
    assert page == registers.markdown(), "run: python -m pynq_bnn.registers > docs/registers.md"


def test_the_table_loads_without_numpy():
    code = "import sys; sys.modules['numpy'] = None; import pynq_bnn.registers"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=str(ROOT), env=dict(os.environ))
