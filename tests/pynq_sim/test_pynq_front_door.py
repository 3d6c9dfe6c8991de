"""The first minute of a PYNQ user, with the real PYNQ."""

import gc

import numpy as np
import pytest

import pynq_bnn
from host_ref.integer import IntegerModel
from pynq_bnn import Classifier
from pynq_bnn.errors import DeviceError

pynq = pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")
pytestmark = pytest.mark.pynq


@pytest.fixture
def zynq(make_zynq, make_bitstream, monkeypatch, tmp_path):
    """A simulated PYNQ-Z1 and a package that brings its bitstream."""
    zynq = make_zynq("Pynq-Z1", batch=4)
    path = make_bitstream()
    folder = tmp_path / "Pynq-Z1"
    folder.mkdir()
    for kind in (".bit", ".hwh"):
        path.with_suffix(kind).rename(folder / f"bnn{kind}")
    monkeypatch.setattr("overlays.__file__", str(tmp_path / "__init__.py"))
    return zynq


@pytest.fixture
def large(rng):
    return rng.integers(0, 256, (6, 32, 32, 3)).astype(np.uint8)


def test_two_lines(zynq, weights, cifar_sized, large):
    overlay = pynq_bnn.BnnOverlay()
    expected = IntegerModel(cifar_sized).sums(large)
    assert np.array_equal(overlay.classify(large[0]).sums, expected[0])
    assert np.array_equal(overlay.bnn.classify(large).sums, expected)
    assert np.array_equal(overlay.classify(list(large)).sums, expected)


def test_one_classifier_serves_both_and_goes_with_the_overlay(zynq, weights, large):
    free = zynq.model.dram.free_bytes
    with pynq_bnn.BnnOverlay() as overlay:
        overlay.classify(large[0])
        held = zynq.model.dram.free_bytes
        overlay.bnn.classify(large[0])
        assert zynq.model.dram.free_bytes == held < free
    assert zynq.model.dram.free_bytes == free


def test_a_dropped_overlay_gives_its_memory_back(zynq, weights, large):
    free = zynq.model.dram.free_bytes
    overlay = pynq_bnn.BnnOverlay()
    overlay.classify(large[0])
    del overlay
    gc.collect()
    assert zynq.model.dram.free_bytes == free


@pytest.mark.parametrize("what", ["overlay", "bnn", "device", "plain"])
def test_an_overlay_or_its_accelerator_is_a_device(zynq, weights, cifar_sized, large, what):
    overlay = pynq_bnn.BnnOverlay()
    if what == "plain":
        overlay = pynq.Overlay(overlay.bitfile_name)
    device = {"overlay": overlay, "bnn": overlay.bnn, "plain": overlay.bnn}.get(what)
    with Classifier(device=overlay.as_device() if what == "device" else device) as classifier:
        assert np.array_equal(classifier.classify(large).indices,
                              IntegerModel(cifar_sized).classify(large))
        assert repr(classifier) == "<Classifier cifar-sized, 10 classes, on board>"
    assert overlay.bnn.as_device().closed is False, "it stays the user's to close"


def test_a_plain_overlay_without_our_accelerator_is_no_device(zynq):
    with pytest.raises(TypeError, match=r"Overlay is not a device: give one of .*overlay\.bnn"):
        Classifier(device=pynq.Overlay(pynq_bnn.BnnOverlay().bitfile_name))


def test_what_the_overlay_says_of_itself(zynq):
    overlay = pynq_bnn.BnnOverlay()
    assert repr(overlay).startswith(
        "<BnnOverlay Pynq-Z1, 100 MHz, build 00000000, loaded from /")
    assert repr(overlay.bnn) == "<BnnDriver, build 00000000, 100 MHz>"
    for line in ('overlay.classify("cat.png")', "overlay.bnn.register_map",
                 'pynq_bnn.Classifier("my.npz", device=overlay)'):
        assert line in overlay.__doc__
    second = pynq_bnn.BnnOverlay()
    assert "not loaded" in repr(overlay)
    assert "loaded from" in repr(second)


def test_the_board_by_name_and_by_default(zynq, weights, large, monkeypatch):
    with Classifier(device="board") as classifier:
        label = classifier.classify(large[0]).label
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    assert pynq_bnn.classify(large[0]).label == label
    pynq_bnn.close()
    assert len(zynq.downloads) == 2


@pytest.mark.filterwarnings("ignore:No devices found")
@pytest.mark.parametrize("variable", [None, "/usr"])
def test_no_device_names_the_variable_that_is_missing(zynq, monkeypatch, variable):
    monkeypatch.setattr(pynq.Device, "_devices", [], raising=False)
    monkeypatch.delattr(pynq.Device, "_active_device", raising=False)
    if variable is None:
        monkeypatch.delenv("XILINX_XRT", raising=False)
    else:
        monkeypatch.setenv("XILINX_XRT", variable)
    with pytest.raises(DeviceError, match="xrt_setup.sh") as caught:
        pynq_bnn.BnnOverlay()
    assert ("XILINX_XRT is not set" in str(caught.value)) == (variable is None)
