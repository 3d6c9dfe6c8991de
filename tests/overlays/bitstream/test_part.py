import json

import pytest

from overlays.bitstream import DatabaseError
from overlays.bitstream.part import FrameAddress, read_part
from tests.overlays.bitstream.conftest import FRAMES, PART


def test_every_frame_is_counted_in_the_order_of_addresses(folder):
    part = read_part(folder, PART)
    assert (part.frames, part.idcode) == (FRAMES, 0x1234093)
    assert part.addresses.tolist() == sorted(
        [*range(0x000000, 0x000002), *range(0x000080, 0x000084),
         *range(0x020000, 0x020002), *range(0x020080, 0x020084),
         *range(0x400000, 0x400002), *range(0x400080, 0x400084),
         *range(0x800000, 0x800003), *range(0xC00000, 0xC00003)])
    assert part.rows.tolist() == [0] * 6 + [1] * 6 + [2] * 6 + [3] * 3 + [4] * 3


def test_a_frame_address_has_five_fields():
    assert int(FrameAddress(1, 1, 2, 3, 4)) == 0xC40184


@pytest.mark.parametrize("name, header", [
    ("xc7z020clg400-1", "7z020clg400"), ("xc7tiny1abc1-1", "7tiny1abc1")])
def test_vivados_name(folder, name, header):
    part = read_part(folder, PART)
    part.name = name
    assert part.header_name == header


def test_a_frame_that_the_part_lacks_is_named(folder):
    with pytest.raises(DatabaseError, match=f"{PART} has no frame 0x00000002"):
        read_part(folder, PART).number(2)


def test_an_unknown_part_is_named(folder):
    with pytest.raises(DatabaseError, match="xc7other-1"):
        read_part(folder, "xc7other-1")


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"idcode": 3}), json.dumps(
    {"idcode": 3, "global_clock_regions": {"middle": {"rows": {}}, "top": {}}})])
def test_a_damaged_description_is_named(folder, content):
    (folder / PART / "part.json").write_text(content)
    with pytest.raises(DatabaseError, match=r"part\.json doesn't describe a part"):
        read_part(folder, PART)
