import numpy as np
import pytest

from host_ref.integer import IntegerModel
from host_ref.network import CNV, Network
from host_ref.random_networks import random_parameters
from overlays.boards import find
from pynq_bnn.classifier import Classifier
from pynq_bnn.errors import DeviceError

pynq = pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")
pytestmark = pytest.mark.pynq

SMALL = Network.from_description({"height": 8, "width": 6, "layers": [
    {"name": "conv1", "kind": "fp_conv", "outputs": 64, "padding": "zero", "pool": True},
    {"name": "conv2", "kind": "bin_conv", "outputs": 128, "padding": "one"},
    {"name": "fc1", "kind": "bin_fc", "outputs": 64},
    {"name": "last", "kind": "last", "outputs": 10}]})


@pytest.fixture
def parameters():
    return random_parameters(SMALL, np.random.default_rng(3))


@pytest.fixture
def board(make_zynq, make_bitstream, monkeypatch, tmp_path):
    """A ZedBoard whose bitstream came with the package."""
    path = make_bitstream("ZedBoard")
    folder = tmp_path / "ZedBoard"
    folder.mkdir()
    for kind in (".bit", ".hwh"):
        path.with_suffix(kind).rename(folder / f"bnn{kind}")
    monkeypatch.setattr("overlays.__file__", str(tmp_path / "__init__.py"))
    return make_zynq("ZedBoard", batch=3)


def pictures(network, count):
    shape = (count, network.height, network.width, 3)
    return np.random.default_rng(4).integers(0, 256, shape, np.uint8)


def test_pictures_are_classified_as_the_reference_does(board, parameters):
    batch = pictures(SMALL, 7)
    with Classifier(parameters, device="board") as classifier:
        results = classifier.classify(batch)
        single = classifier.classify(batch[4])
    expected = IntegerModel(parameters).sums(batch)
    assert np.array_equal([result.sums for result in results], expected)
    assert np.array_equal(single.sums, expected[4])
    assert single.timing.device == "board"
    assert single.timing.clock_mhz == pytest.approx(find("Pynq-Z1").fclk0_mhz)


def test_every_layer_and_the_selftest(board, parameters):
    with Classifier(parameters, device="board") as classifier:
        assert classifier.check(pictures(SMALL, 2)).passed
        report = classifier.selftest()
    assert report.passed, str(report)


def test_a_network_of_the_usual_size(board):
    parameters = random_parameters(CNV, np.random.default_rng(5))
    batch = pictures(CNV, 2)
    with Classifier(parameters, device="board") as classifier:
        results = classifier.classify(batch)
    assert np.array_equal([result.sums for result in results],
                          IntegerModel(parameters).sums(batch))


def test_on_a_board_the_board_is_the_default(board, parameters, monkeypatch):
    monkeypatch.delenv("PYNQ_BNN_DEVICE", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    with Classifier(parameters) as classifier:
        assert classifier.device.name == "board"


def test_the_driver_of_an_overlay_is_a_device(make_zynq, make_bitstream, parameters):
    from pynq_bnn.devices.board.overlay import BnnOverlay

    make_zynq("Pynq-Z2")
    overlay = BnnOverlay(make_bitstream("Pynq-Z2"))
    with Classifier(parameters, device=overlay.bnn.as_device()) as classifier:
        assert classifier.info()["device"]["board"] == "Pynq-Z2"
        assert classifier.selftest().passed


def test_closing_gives_all_memory_back(board, parameters):
    free = board.model.dram.free_bytes
    for _ in range(2):
        classifier = Classifier(parameters, device="board")
        assert board.model.dram.free_bytes < free
        classifier.close()
        assert board.model.dram.free_bytes == free


def test_after_an_error_the_next_picture_is_right(board, parameters):
    picture = pictures(SMALL, 1)[0]
    with Classifier(parameters, device="board") as classifier:
        before = classifier.classify(picture).sums
        board.model.dram.fail(board.model.dram.base, board.model.dram.size_bytes // 8)
        with pytest.raises(DeviceError):
            classifier.classify(picture)
        board.model.clear_faults()
        assert np.array_equal(classifier.classify(picture).sums, before)
