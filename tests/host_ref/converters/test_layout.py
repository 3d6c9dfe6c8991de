import numpy as np
import pytest

from host_ref.converters.layout import SourceLayer, layer_parameters, weight_shape


@pytest.fixture
def layers(small):
    """All weights +1, k 510, h 2."""
    return [SourceLayer(np.zeros(weight_shape(layer), bool), np.full(layer.out_channels, 510.0),
                        np.full(layer.out_channels, 2.0)) for layer in small.layers]


@pytest.mark.parametrize("flipped,place", [(True, (7, 2, 0, 5)), (False, (7, 0, 2, 5))])
def test_a_kernels_weight(small, layers, flipped, place):
    layers[1].negative[7, 5, 0, 2] = True
    bits = layer_parameters(small, layers, flipped)[1].weights
    assert np.argwhere(bits).tolist() == [list(place)]


def test_a_weight_of_the_first_fc_layer(small, layers):
    """Lasagne flattens channel, row, column, this accelerator row, column, channel."""
    channel, row, column = 9, 3, 5
    layers[3].negative[channel * 4 * 6 + row * 6 + column, 100] = True
    bits = layer_parameters(small, layers, True)[3].weights
    assert np.argwhere(bits).tolist() == [[100, (row * 6 + column) * 64 + channel]]


def test_a_weight_of_the_second_fc_layer(small, layers):
    layers[4].negative[70, 3] = True
    bits = layer_parameters(small, layers, True)[4].weights
    assert np.argwhere(bits).tolist() == [[3, 70]]


def test_only_the_first_layers_k_is_of_larger_sums(small, layers):
    converted = layer_parameters(small, layers, True)
    assert [own.k[0] for own in converted] == [2, 510, 510, 510, 510, 510]
    assert all((own.h == 2).all() for own in converted)
