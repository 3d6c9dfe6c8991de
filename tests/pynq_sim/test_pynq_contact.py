"""How an overlay is brought up, with the real PYNQ on a simulated board."""

import numpy as np
import pytest

from host_ref.integer import IntegerModel
from overlays.boards import find
from pynq_bnn import Classifier, registers
from pynq_bnn.errors import DeviceError, OverlayError

pynq = pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")
pytestmark = [pytest.mark.pynq, pytest.mark.first_contact]

SHIPPED_MHZ = find("Pynq-Z1").fclk0_mhz


@pytest.fixture
def overlay_class(weights):
    from pynq_bnn.devices.board.overlay import BnnOverlay

    return BnnOverlay


@pytest.mark.parametrize("board", ["Pynq-Z1", "ZedBoard"])
def test_it_begins_slowly_and_ends_at_the_shipped_clock(board, make_zynq, make_bitstream,
                                                        overlay_class, parameters, pictures):
    zynq = make_zynq(board, batch=2)
    free = zynq.model.dram.free_bytes
    overlay = overlay_class(make_bitstream(board))
    assert zynq.model.dram.free_bytes == free
    clocks = [mhz for mhz, outcome in overlay.contact.tried if outcome == "passed"]
    assert clocks == pytest.approx([50, 1000 / 15, 1000 / 12, SHIPPED_MHZ])
    assert overlay.bnn.clock_mhz == overlay.contact.clock_mhz == pytest.approx(SHIPPED_MHZ)
    with Classifier(parameters, device=overlay) as classifier:
        assert np.array_equal(classifier.classify(list(pictures[:2])).sums,
                              IntegerModel(parameters).sums(pictures[:2]))
        info = classifier.info()["device"]
    assert info["clock_mhz"] == pytest.approx(SHIPPED_MHZ)
    assert set(info["first_contact"]["clocks"].values()) == {"passed"}
    assert "2 read ports" in info["first_contact"]["loopback"]


def test_a_clock_that_fails_is_left_for_the_last_that_passed(make_zynq, make_bitstream,
                                                             overlay_class, monkeypatch):
    zynq = make_zynq("Pynq-Z1", batch=2)
    from pynq_bnn.devices.board import overlay as module

    right = module.loopback

    def wires(accelerator):
        if accelerator.device.clock_mhz > 75:
            zynq.model.stick(registers.FMAP_B, 5, 7, 1)
        try:
            return right(accelerator)
        finally:
            zynq.model.clear_faults()

    monkeypatch.setattr(module, "loopback", wires)
    overlay = overlay_class(make_bitstream())
    assert overlay.bnn.clock_mhz == pytest.approx(1000 / 15)
    with Classifier(device=overlay) as classifier:
        info = classifier.info()["device"]
    assert info["clock_mhz"] == pytest.approx(1000 / 15)
    assert "FMAP_B" in info["first_contact"]["clocks"]["83.33 MHz"]


def test_a_fault_at_the_lowest_clock_is_named_and_leaves_the_board_usable(
        make_zynq, make_bitstream, overlay_class, parameters):
    zynq = make_zynq("Pynq-Z1", batch=2)
    free = zynq.model.dram.free_bytes
    zynq.model.stick(registers.FMAP_A, 0, 1, 1)
    with pytest.raises(DeviceError,
                       match="first contact at 50 MHz: the DMA loopback failed.*FMAP"):
        overlay_class(make_bitstream())
    assert zynq.model.dram.free_bytes == free
    zynq.model.clear_faults()
    with overlay_class(make_bitstream()) as overlay, Classifier(parameters, device=overlay):
        assert overlay.contact.clock_mhz == pytest.approx(SHIPPED_MHZ)


def test_a_clock_can_be_chosen_and_first_contact_left_out(make_zynq, make_bitstream, overlay_class):
    make_zynq("ZedBoard", batch=2)
    overlay = overlay_class(make_bitstream("ZedBoard"), clock_mhz=80, first_contact=False)
    assert overlay.bnn.clock_mhz == pytest.approx(1000 / 13)
    assert overlay.contact is None
    with pytest.raises(OverlayError, match="clock_mhz=0"):
        overlay_class(make_bitstream("ZedBoard"), clock_mhz=0)
