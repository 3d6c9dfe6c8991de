"""From Lasagne's order of weights to ours.

BinaryNet, BNN-PYNQ's training and Zhao et al. all hold weights as Lasagne's layers do:
convolutions (outputs, inputs, 3, 3), FC layers (inputs, outputs), a map flattened channel by
channel.  A Lasagne convolution flips its kernels unless told ``flip_filters=False``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from host_ref.network import FP_CONV, MAX_PIXEL_VALUE, Layer, Network
from host_ref.parameters import LayerParameters


@dataclass(frozen=True, eq=False)
class SourceLayer:
    """One layer as its own program computes it, in that program's order.

    Attributes
    ----------
    negative : bool (outputs, inputs, 3, 3) or (inputs, outputs)
        Where a weight is -1.
    k, h : float64 (outputs,)
        y = k·s + h; the first layer's s is of pictures p as 2p/255 - 1.
    """

    negative: np.ndarray
    k: np.ndarray
    h: np.ndarray


@dataclass(frozen=True)
class Recognized:
    """The network that a source holds.

    Attributes
    ----------
    title : str
        What it is called, for the user.
    network : Network
    flipped : bool
        Whether its convolutions flip their kernels.
    notes : tuple of str
        Where its arithmetic can't be the accelerator's.
    """

    title: str
    network: Network
    flipped: bool
    notes: Tuple[str, ...] = ()


def weight_shape(layer: Layer) -> Tuple[int, ...]:
    """(outputs, inputs, 3, 3) of a convolution, (inputs, outputs) of an FC layer."""
    if layer.is_conv:
        return (layer.out_channels, layer.in_channels, 3, 3)
    return (layer.in_channels, layer.out_channels)


def layer_parameters(network: Network, layers: Sequence[SourceLayer],
                     flipped: bool) -> Tuple[LayerParameters, ...]:
    """Weights in our order, and k and h for our sums.

    The first layer's sums are ours, of 2p - 255, divided by 255; so is its k.
    """
    result: List[LayerParameters] = []
    for index, (layer, own) in enumerate(zip(network.layers, layers)):
        if layer.is_conv:
            kernels = own.negative[:, :, ::-1, ::-1] if flipped else own.negative
            negative = kernels.transpose(0, 2, 3, 1)
        else:
            channels = network.layers[index - 1].out_channels
            by_pixel = own.negative.T.reshape(layer.out_channels, channels, -1).transpose(0, 2, 1)
            negative = by_pixel.reshape(layer.weight_shape)
        k = own.k / MAX_PIXEL_VALUE if layer.kind == FP_CONV else own.k
        with np.errstate(over="ignore"):  # what float32 can't hold is refused by LayerParameters
            result.append(LayerParameters(np.ascontiguousarray(negative, dtype=np.uint8),
                                          k.astype(np.float32), own.h.astype(np.float32)))
    return tuple(result)
