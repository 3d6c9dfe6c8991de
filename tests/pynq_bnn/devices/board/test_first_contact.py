import logging

import pytest

from overlays.boards import find
from pynq_bnn.devices.board.first_contact import clocks, step_up
from pynq_bnn.errors import DeviceError, DeviceTimeout, OverlayError

Z1, ZED = find("Pynq-Z1"), find("ZedBoard")
STEPS = [(20, 1), (15, 1), (12, 1), (10, 1)]


class Fabric:
    """A design that is right up to some clock; its wires and its answers may have others."""

    def __init__(self, wires_mhz, answer_mhz, kind=DeviceError):
        self.limits = {"wires": wires_mhz, "answer": answer_mhz}
        self.kind = kind
        self.mhz = None
        self.asked = []

    def set_clock(self, divisors):
        self.mhz = 1000 / (divisors[0] * divisors[1])
        return self.mhz

    def _ask(self, what):
        self.asked.append((what, self.mhz))
        if self.mhz > self.limits[what]:
            raise self.kind(f"{what} wrong")
        return "all wires"

    def contact(self, steps=STEPS):
        return step_up(steps, self.set_clock, lambda: self._ask("wires"),
                       lambda: self._ask("answer"))


@pytest.mark.parametrize("board", [Z1, ZED])
def test_from_half_the_shipped_clock_to_all_of_it(board):
    tried = [board.io_pll_mhz / (first * second)
             for first, second in clocks(board, board.fclk0_divisors)]
    assert tried == pytest.approx([50, 1000 / 15, 1000 / 12, 100])


@pytest.mark.parametrize("wanted, last", [(100, 100), (99, 1000 / 11), (125, 125), (60, 1000 / 17),
                                          (1000, 1000), (0.3, 1000 / (53 * 63))])
def test_a_chosen_clock_is_the_fastest_not_above_it(wanted, last):
    steps = clocks(Z1, (5, 2), wanted)
    got = [1000 / (first * second) for first, second in steps]
    assert got[-1] == pytest.approx(last, rel=1e-3)
    assert got == sorted(got)
    assert all(1 <= divisor <= 63 for step in steps for divisor in step)


@pytest.mark.parametrize("wanted", [0, -1, float("nan"), float("inf"), 1e-3])
def test_no_such_clock(wanted):
    with pytest.raises(OverlayError, match="clock_mhz="):
        clocks(Z1, (5, 2), wanted)


def test_more_than_it_was_timed_for_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        clocks(Z1, (5, 2), 125)
    assert "125 MHz is more than the 100 MHz" in caplog.text


def test_all_right():
    fabric = Fabric(1000, 1000)
    contact = fabric.contact()
    assert contact.clock_mhz == fabric.mhz == 100
    assert [outcome for _, outcome in contact.tried] == ["passed"] * 4
    assert contact.to_dict() == {
        "clock_mhz": 100, "loopback": "all wires",
        "clocks": dict.fromkeys(("50 MHz", "66.67 MHz", "83.33 MHz", "100 MHz"), "passed")}
    assert [what for what, _ in fabric.asked] == ["wires", "answer"] * 4


@pytest.mark.parametrize("limits, stage", [((70, 1000), "the DMA loopback"),
                                           ((1000, 70), "the known answer")])
@pytest.mark.parametrize("kind", [DeviceError, DeviceTimeout])
def test_the_last_that_passes_is_kept(limits, stage, kind, caplog):
    fabric = Fabric(*limits, kind)
    contact = fabric.contact()
    assert contact.clock_mhz == fabric.mhz == pytest.approx(66.67, abs=0.01)
    assert contact.tried[-1][1].startswith(f"{stage} failed")
    assert len(contact.tried) == 3
    assert f"{stage} failed at 83.33 MHz, so 66.67 MHz is kept" in caplog.text


@pytest.mark.parametrize("limits, stage", [((10, 1000), "the DMA loopback"),
                                           ((1000, 10), "the known answer")])
def test_a_design_that_is_wrong_at_once_is_refused(limits, stage):
    with pytest.raises(DeviceError, match=f"first contact at 50 MHz: {stage} failed"):
        Fabric(*limits).contact()
