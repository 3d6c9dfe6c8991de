import re

import pytest

from overlays.boards import BOARDS, find
from overlays.hwh import hwh

pynq = pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")
pytestmark = pytest.mark.pynq

PYNQ_4 = int(pynq.__version__.split(".")[0]) >= 4
NAMES = [board.name for board in BOARDS]
SHIPPED_MHZ = find("Pynq-Z1").fclk0_mhz


def vivado_like(name):
    """The .hwh as Vivado writes it: a Zynq-7000 has no UltraScale parameters."""
    return re.sub(r'.*"PSU__CRL_APB__.*\n', "", hwh(find(name)))


@pytest.fixture
def load(make_zynq, make_bitstream):
    from pynq_bnn.devices.board.overlay import BnnOverlay

    def load(name, handoff=None, overlay_class=BnnOverlay):
        zynq = make_zynq(name)
        return zynq, overlay_class(str(make_bitstream(name, handoff=handoff)))

    return load


@pytest.mark.parametrize("name", NAMES)
def test_every_board_runs_at_its_clock_and_says_so(name, load):
    zynq, overlay = load(name)
    assert zynq.real_fclk0_mhz == pytest.approx(SHIPPED_MHZ)
    assert overlay.bnn.clock_mhz == pytest.approx(SHIPPED_MHZ)
    assert overlay.bnn.as_device().clock_mhz == pytest.approx(SHIPPED_MHZ)


@pytest.mark.parametrize("name", NAMES)
def test_a_handoff_file_from_vivado_gives_the_same_clock(name, load):
    zynq, overlay = load(name, vivado_like(name))
    assert zynq.real_fclk0_mhz == pytest.approx(SHIPPED_MHZ)
    assert overlay.bnn.clock_mhz == pytest.approx(SHIPPED_MHZ)


def test_other_divisors_are_set_and_reported(load):
    handoff = hwh(find("ZedBoard")).replace('DIVISOR0" VALUE="5"', 'DIVISOR0" VALUE="6"')
    zynq, overlay = load("ZedBoard", handoff)
    assert zynq.real_fclk0_mhz == pytest.approx(1000 / 12)
    assert overlay.bnn.clock_mhz == pytest.approx(1000 / 12)


def test_clocks_that_the_design_does_not_use_stay_as_they_are(load):
    zynq, _ = load("Pynq-Z1")
    from simulated_zynq import CLK_CTRL_AT_RESET, FPGA0_CLK_CTRL, SLCR

    assert [int.from_bytes(zynq.read_registers(SLCR + FPGA0_CLK_CTRL + 0x10 * n, 4), "little")
            for n in (1, 2, 3)] == [CLK_CTRL_AT_RESET] * 3


def test_the_trap_on_a_zedboard(load):
    """What PYNQ says and does there, and that we still tell the truth."""
    zynq, overlay = load("ZedBoard")
    assert pynq.Clocks.fclk0_mhz == pytest.approx(1.5 * SHIPPED_MHZ)
    pynq.Clocks.fclk0_mhz = 100
    assert zynq.real_fclk0_mhz == pytest.approx(66.67, abs=0.01)
    assert overlay.bnn.clock_mhz == pytest.approx(66.67, abs=0.01)


def test_a_clock_from_another_pll_is_reported_too(load):
    zynq, overlay = load("Pynq-Z1")
    from simulated_zynq import FPGA0_CLK_CTRL, SLCR

    from_ddr_pll = 3 << 4 | 4 << 8 | 4 << 20
    zynq.write_registers(SLCR + FPGA0_CLK_CTRL, from_ddr_pll.to_bytes(4, "little"))
    assert overlay.bnn.clock_mhz == pytest.approx(50 * 32 / 16)


@pytest.mark.skipif(not PYNQ_4, reason="a fault of PYNQ 4.0")
def test_pynq_4_fails_where_our_overlay_does_not(load):
    with pytest.raises(TypeError):
        load("Pynq-Z1", vivado_like("Pynq-Z1"), pynq.Overlay)


def test_pynqs_own_overlay_class_takes_our_handoff_file(load):
    zynq, _ = load("Pynq-Z1", overlay_class=pynq.Overlay)
    assert zynq.real_fclk0_mhz == pytest.approx(SHIPPED_MHZ)
