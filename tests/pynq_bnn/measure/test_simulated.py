"""The cycles that the package ships are the shipped network's on the shipped gateware."""

import json

import pytest

from host_ref.network import BIN_CONV, BIN_FC
from pynq_bnn import load_parameters
from pynq_bnn.measure import simulated
from pynq_bnn.measure.roofline import lanes, plot_roofline, points
from pynq_bnn.measure.simulated import CYCLES, stream_cycles

# the first two are asserted of the RTL itself in tests/pynq_bnn/devices/test_rtl_full.py
ONE, BATCH_OF_8, RUN_OF_232 = 124_605, 406_641, 7_764_487


def test_one_picture_and_a_batch():
    one, batch = simulated()
    assert (one.batch, one.cycles, batch.batch, batch.cycles) == (1, ONE, 8, BATCH_OF_8)
    assert one.device == "rtl"
    assert one.clock_mhz is None
    assert one.parameters == load_parameters().checksum
    named = {stage.name for stage in one.stages}
    assert {layer.name for layer in load_parameters().network.layers} < named
    assert "conv2" in str(one)


def test_a_batch_in_a_stream():
    assert stream_cycles() == RUN_OF_232 / 232
    assert stream_cycles("cifar10-small") < simulated("cifar10-small")[-1].cycles / 8
    assert stream_cycles("nobody") is None


def test_of_todays_gateware():
    pytest.importorskip("amaranth", reason="the gateware's hash needs Amaranth: pip install .[rtl]")
    from overlays.gateware.config import FULL
    from overlays.gateware.verilog import source_hash

    assert {each.build for each in simulated()} == {source_hash(FULL)[:8]}, (
        "python benchmarks/gateware.py --json overlays/cycles.json")
    assert json.loads(CYCLES.read_text())["config"]["reducers"] == FULL.reducers


def test_no_layer_beats_the_roof():
    network = load_parameters().network
    one, batch = simulated()
    alone, together = points(one, network), points(batch, network)
    assert [point.name for point in alone] == [layer.name for layer in network.layers]
    # one picture's fc1 finds the FIFO full of weights that came during the convolutions, and fc3
    # may find all of its own there
    assert alone[6].bound < alone[6].rate < lanes()[BIN_FC]
    assert alone[8].rate < lanes()[BIN_FC]
    assert all(point.rate <= point.bound for point in alone[:6] + alone[7:8] + together)
    full = {point.name: point for point in together}
    assert full["conv4"].rate > 0.99 * lanes()[BIN_CONV]
    # alone, each of fc1's weights is used once and memory is the limit; in a batch its lanes are
    assert alone[6].bound == 8 * 16 < lanes()[BIN_FC] == together[6].bound
    assert together[6].intensity == pytest.approx(8 * alone[6].intensity)


def test_the_figure():
    pytest.importorskip("matplotlib")
    figure = plot_roofline(simulated(), load_parameters().network)
    assert len(figure.axes[0].collections) == 2
