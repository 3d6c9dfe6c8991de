import pytest

from overlays.boards import find
from pynq_bnn.devices.board import zynq
from pynq_bnn.errors import DeviceError


class Page:
    """Registers of the AFI: the given ones hold what is written, `stuck` bits stay 1."""

    def __init__(self, values, stuck=0):
        self.values, self.stuck, self.written = dict(values), stuck, []

    def read(self, place):
        return self.values.get(place, 0) | self.stuck

    def write(self, place, value):
        self.written.append(place)
        self.values[place] = value


def test_narrow_ports_are_widened_and_others_left_alone():
    page = Page({0x0000: 0xF01, 0x0014: 0xF00, 0x1000: 0xF00, 0x1014: 0xF01, 0x2000: 0xF01})
    said = zynq.widen_ports(page.read, page.write, (0, 1))
    assert page.values == {0x0000: 0xF00, 0x0014: 0xF00, 0x1000: 0xF00, 0x1014: 0xF00,
                           0x2000: 0xF01}
    assert page.written == [0x0000, 0x1014]
    assert said == {"HP0": "64 bit (read was 32 at boot)", "HP1": "64 bit (write was 32 at boot)"}
    assert zynq.widen_ports(page.read, page.write, (0, 1)) == {"HP0": "64 bit", "HP1": "64 bit"}
    assert zynq.describe_ports(said).startswith("HP0 64 bit (read was 32 at boot), HP1")


def test_a_port_that_stays_narrow_is_named():
    page = Page({}, stuck=1)
    with pytest.raises(DeviceError, match="HP2 stays in 32-bit mode .read channel.*0xF800A000"):
        zynq.widen_ports(page.read, page.write, (2,))


@pytest.mark.parametrize("name,expected", [("Pynq-Z1", 100), ("ZedBoard", 100)])
def test_the_clock_is_the_boards_own(name, expected):
    board = find(name)
    slcr = {0x108: board.io_pll_feedback << 12, 0x170: 5 << 8 | 2 << 20}
    tree = zynq.clock_tree(lambda place: slcr[place], board)
    assert tree.mhz == pytest.approx(expected)
    assert tree.mhz * tree.divisors[0] * tree.divisors[1] == pytest.approx(tree.pll_mhz)
