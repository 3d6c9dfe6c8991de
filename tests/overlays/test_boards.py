import re
from pathlib import Path

import pytest

import overlays
from overlays.boards import BOARDS, find, same_part


@pytest.mark.parametrize("name,found", [
    ("Pynq-Z1", "Pynq-Z1"), ("PYNQ_Z2", "Pynq-Z2"), ("zedboard", "ZedBoard"),
    ("ZCU104", None), ("Unknown", None), ("", None), (None, None)])
def test_boards_are_found_by_what_images_call_them(name, found):
    board = find(name)
    assert (board.name if board else None) == found


def test_names_are_distinct():
    assert len({board.name for board in BOARDS}) == len(BOARDS)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_clocks_are_what_the_accelerator_is_built_for(board):
    assert board.io_pll_mhz == pytest.approx(1000)
    assert board.fclk0_mhz == pytest.approx(100)
    assert all(1 <= divisor <= 63 for divisor in board.fclk0_divisors)


def test_vivados_build_is_timed_for_the_clock_that_the_handoff_file_asks_for():
    script = (Path(overlays.__file__).parent / "vivado" / "build.tcl").read_text()
    (period,) = re.findall(r"^set period_ns ([0-9.]+)", script, re.MULTILINE)
    for board in BOARDS:
        assert float(period) == pytest.approx(1000 / board.fclk0_mhz)


@pytest.mark.parametrize("first,second,same", [
    ("7z020clg400", "xc7z020clg400-1", True),
    ("XC7Z020CLG484-1", "7z020clg484", True),
    ("7z020clg484", "xc7z020clg400-1", False),
    ("7z010clg400", "xc7z020clg400-1", False),
    ("", "xc7z020clg400-1", False)])
def test_parts_are_compared_by_die_and_package(first, second, same):
    assert same_part(first, second) is same


def test_an_overlay_may_have_a_clock_of_its_own():
    board = find("Pynq-Z2").divided(11, 1)
    assert board.fclk0_mhz == pytest.approx(1000 / 11)
    assert (board.part, board.overlay) == (find("Pynq-Z2").part, "Pynq-Z1")
