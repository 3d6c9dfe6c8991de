"""BinaryNet's .npz, which BNN-PYNQ's training writes too: W, b, beta, gamma, mean, inv_std a layer.

Written by ``np.savez(path, *lasagne.layers.get_all_param_values(model))`` (binary_net.py,
quantized_net.py).  Its arithmetic, from there and from Lasagne's BatchNormLayer:
pool(conv + b), then (x - mean)·(gamma·inv_std) + beta, then the sign, with sign(0) = +1.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import List, Optional, Tuple

import numpy as np

from host_ref.converters.archive import Source
from host_ref.converters.layout import Recognized, SourceLayer, weight_shape
from host_ref.network import CIFAR10, CNV, FP_CONV, Network, NetworkError
from host_ref.parameters import ParameterError

TITLE = "BinaryNet .npz"
NORMALIZATION = ("beta", "gamma", "mean", "inv_std")
KNOWN = (
    Recognized("BinaryNet's for CIFAR-10", CIFAR10, True),
    Recognized("BNN-PYNQ's CNV", CNV, False, (
        "BNN-PYNQ rounds its pictures to steps of 1/128, which is not done here: the first layer's "
        "sums differ a little",)))


def recognize(source: Source, network: Optional[Network]) -> Recognized:
    """The known network with weights of these shapes, whatever its number of classes.

    If `network` is given, that; kernels are flipped as the known one's are, else as is Lasagne's
    default.

    Raises
    ------
    ParameterError
        If none is given and these are no known one's; names the first W that differs.
    """
    starts = _starts(source)
    shapes = [source.arrays[start].shape for start in starts]
    nearest = max(KNOWN, key=lambda known: _alike(known.network, shapes))
    known = _with_classes(nearest, shapes[-1][-1])
    alike = _alike(known.network, shapes)
    exact = alike == len(shapes) == len(known.network.layers)
    if network is not None:
        given = Recognized("the one described", network, True)
        return replace(known, title=given.title, network=network) if exact else given
    if not exact:
        layer = known.network.layers[min(alike, len(known.network.layers) - 1)]
        number = min(alike, len(shapes) - 1)
        raise ParameterError(
            f"arr_{starts[number]}, W of layer {number + 1} of {len(shapes)}, has shape "
            f"{shapes[number]}; {known.title}, the most like it, has {layer.name!r} of "
            f"{weight_shape(layer)}, {len(known.network.layers)} layers: if it is another network, "
            "give its description")
    return known


def _alike(network: Network, shapes: List[Tuple[int, ...]]) -> int:
    """How many layers, from the first on, have weights of these `shapes`."""
    pairs = zip(map(weight_shape, network.layers), shapes)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _with_classes(known: Recognized, classes: int) -> Recognized:
    description = known.network.description()
    description["layers"][-1]["outputs"] = classes
    try:
        return replace(known, network=Network.from_description(description))
    except NetworkError:  # no possible number of classes: what differs is told with the known one
        return known


def _starts(source: Source) -> List[int]:
    """The number of each layer's W: the arrays with more than one dimension.

    Raises
    ------
    ParameterError
        If they aren't followed by 5 vectors each, or by 4 each, or by 4 scalars the last.
    """
    arrays = source.arrays
    starts = [number for number, array in enumerate(arrays) if array.ndim > 1]
    if not starts or starts[0]:
        raise ParameterError(f"arr_0 has shape {arrays[0].shape}: the first layer's W belongs "
                             "there")
    usual = starts[1] if len(starts) > 1 else len(arrays)
    for start, end in zip(starts, [*starts[1:], len(arrays)]):
        scalars = end == len(arrays) and all(array.ndim == 0 for array in arrays[start + 1:])
        if end - start not in (5, 6) or end - start != usual and not scalars:
            raise ParameterError(
                f"arr_{start}, a W, is followed by {end - start - 1} vectors, arr_0 by "
                f"{usual - 1}: 5 belong after each (b, beta, gamma, mean, inv_std), or 4 after "
                "each if the layers have no b")
    return starts


def read(source: Source, network: Network) -> Tuple[List[SourceLayer], List[str]]:
    """The layers of a file that holds `network`, and what is worth knowing about them.

    Raises
    ------
    ParameterError
        Names the array and the layer.
    """
    starts = _starts(source)
    if len(starts) != len(network.layers):
        raise ParameterError(f"holds {len(starts)} layers, the network has {len(network.layers)}")
    layers: List[SourceLayer] = []
    undecided = 0
    for layer, start, end in zip(network.layers, starts, [*starts[1:], len(source.arrays)]):
        weights = source.take(start, "W", layer.name, weight_shape(layer))
        _check_weights(weights, f"arr_{start} (W of layer {layer.name!r})")
        # As its binarization: round(clip((W + 1) / 2, 0, 1)) in W's own precision, where 0.5
        # rounds up; so what vanishes beside the 1 counts as 0, and 0 as +1.
        moved = weights + weights.dtype.type(1)
        undecided += int((moved == 1).sum())
        vectors = [source.take(end - 4 + place, what, layer.name, (layer.out_channels,))
                   .astype(np.float64) for place, what in enumerate(NORMALIZATION)]
        beta, gamma, mean, inv_std = vectors
        _check_inv_std(inv_std, f"arr_{end - 1} (inv_std of layer {layer.name!r})",
                       layer.kind == FP_CONV)
        bias = np.zeros(layer.out_channels)
        if end - start == 6:
            bias = source.take(start + 1, "b", layer.name, (layer.out_channels,)).astype(float)
        k = gamma * inv_std
        layers.append(SourceLayer(moved < 1, k, beta + (bias - mean) * k))
    notes = [f"{undecided} weights too small to have a sign are +1"] if undecided else []
    return layers, notes


def _check_weights(weights: np.ndarray, where: str) -> None:
    """Refuse weights that weren't trained for ±1: another H scales the sums, and so mean and b."""
    largest = np.abs(weights).max()
    if not 0.5 < largest <= 1:
        raise ParameterError(f"{where} reaches {largest:.4g}: latent weights for H = 1 fill -1 to "
                             "1; another H, or real-valued weights, can't be converted")


def _check_inv_std(inv_std: np.ndarray, where: str, first: bool) -> None:
    if not (inv_std > 0).all():
        raise ParameterError(f"{where} has {inv_std.min():g}: a reciprocal of a standard deviation "
                             "is above 0")
    # sums of 64 and more ±1 spread by far more than 1; the first layer's are of smaller values
    if not first and np.median(inv_std) > 1:
        raise ParameterError(f"{where} is about {np.median(inv_std):.3g}: that is a standard "
                             "deviation or variance, not its reciprocal")
