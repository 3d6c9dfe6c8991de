import numpy as np
import pytest

from host_ref.integer import IntegerModel
from pynq_bnn import Classifier, registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.inside import Inside


@pytest.fixture
def device():
    with ModelDevice() as device:
        yield device


def inside(device, parameters, picture):
    with Classifier(parameters, device=device, known_answer=False) as classifier:
        return Inside(classifier, picture)


def test_every_layer_of_device_and_reference(device, parameters, pictures):
    seen = inside(device, parameters, pictures[0])
    assert [name for name, _ in seen.differing()] == [
        layer.name for layer in parameters.network.layers]
    assert all(count == 0 for _, count in seen.differing())
    for got, expected in zip(seen.device, IntegerModel(parameters).run(pictures[:1])):
        assert np.array_equal(got, expected[0])
    assert np.array_equal(seen.picture, pictures[0])


def test_a_stuck_bit_is_seen_where_it_is(device, parameters, pictures):
    pytest.importorskip("matplotlib")
    right = inside(device, parameters, pictures[0])
    stuck = 1 - int(right.device[0].reshape(-1)[0])
    device.stick(registers.FMAP_A, 0, 0, stuck)
    seen = inside(device, parameters, pictures[0])
    assert seen.differing()[0][1] > 0
    assert "0 of" not in seen.plot_maps(0).get_suptitle().split(";")[1]
    assert right.plot_maps(0).get_suptitle().split(";")[1].startswith(" 0 of")


def test_pictures_of_maps_and_filters(device, parameters, pictures):
    pytest.importorskip("matplotlib")
    seen = inside(device, parameters, pictures[0])
    first, last = 0, len(seen.layers) - 1
    assert len(seen.plot_maps(first, channels=5).axes) == 10
    assert len(seen.plot_weights(first, filters=6).axes) == 6
    assert len(seen.plot_weights(1, filters=6, channels=2).axes) == 12
    with pytest.raises(ValueError, match="gives sums and no maps"):
        seen.plot_maps(last)
    with pytest.raises(ValueError, match="has no filters to draw: choose"):
        seen.plot_weights(last)
