"""Zhao et al.'s parameters (FPGA'17, cornell-zhang/bnn-fpga): w, k, h a layer, 27 arrays.

``params/cifar10_parameters_nb.zip`` holds raw float32 (python/npz2zip.py), made from an .npz of the
same name with the same arrays in Lasagne's shapes; either is read.  From its C++: weights below 0
are -1 (set_conv_weight_array, set_dense_weight_array in cpp/accel/AccelTest.cpp), kernels are
flipped (padded_conv, there, and cpp/accel/InputConv.cpp), FC weights are (inputs, outputs), and
y = k·s + h with the sign's bit set below 0 (cpp/accel/InputConv.cpp, Dense.cpp).
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from host_ref.converters.archive import Source
from host_ref.converters.layout import Recognized, SourceLayer, weight_shape
from host_ref.network import CIFAR10, LAST, Network
from host_ref.parameters import ParameterError

TITLE = "Zhao et al.'s w, k, h"


def recognize(_: Source, network: Optional[Network]) -> Recognized:
    """Theirs, or `network` if that is given."""
    if network is None:
        return Recognized("Zhao et al.'s, BinaryNet's for CIFAR-10", CIFAR10, True)
    return Recognized("the one described", network, True)


def read(source: Source, network: Network) -> Tuple[List[SourceLayer], List[str]]:
    """The layers of a file that holds `network`, and what is worth knowing about them.

    Raises
    ------
    ParameterError
        Names the array and the layer.
    """
    if len(source.arrays) != 3 * len(network.layers):
        raise ParameterError(f"holds {len(source.arrays)} arrays, must have "
                             f"{3 * len(network.layers)}: w, k, h for each layer")
    layers: List[SourceLayer] = []
    for number, layer in zip(range(0, len(source.arrays), 3), network.layers):
        weights = source.take(number, "w", layer.name, weight_shape(layer))
        k, h = (source.take(number + place, what, layer.name, (layer.out_channels,))
                .astype(np.float64) for place, what in ((1, "k"), (2, "h")))
        layers.append(SourceLayer(weights < 0, k, h))
    hidden = [own.k for layer, own in zip(network.layers, layers) if layer.kind != LAST]
    negative = sum(int((k < 0).sum()) for k in hidden)
    return layers, [
        f"k and h are used as they are: the sign of k counts ({negative} of "
        f"{sum(map(len, hidden))} thresholds have k < 0) and thresholds are exact, where the "
        "original accelerator drops the sign and rounds away from zero"]
