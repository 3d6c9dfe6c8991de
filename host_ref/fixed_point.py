"""k and h in 16-bit fixed point, as the paper's accelerator holds them and as they fit best.

Quantised k and h are still affine in s, so they fold into the same thresholds and flips: what this
module returns is :class:`~host_ref.parameters.Parameters` like any others, and the integer model,
or a device, runs it.

The paper's widths are in its published source, github.com/cornell-zhang/bnn-fpga:
``cpp/utils/Typedefs.h`` has ``KType = ap_fixed<16,2>`` and ``HType = ap_fixed<16,4>``, which is 14
and 12 fraction bits; neither names a mode, and the default truncates towards minus infinity and
wraps (UG1399, "Fixed-Point Identifier Summary").  There only the last layer computes k·s + h with
them (``cpp/accel/Accel.cpp``, ``LAYER_LAST``); every other layer compares with a 16-bit threshold
-h/k, rounded away from zero or, in layer one, in ``ap_fixed<16,4>``, and takes no notice of k's
sign (``cpp/accel/AccelTest.cpp``, ``set_bnorm_array1``).  :func:`paper` takes its widths for every
layer and drops the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, List, Tuple

import numpy as np

from host_ref.folding import fold
from host_ref.network import FP_CONV
from host_ref.parameters import LayerParameters, Parameters

WIDTH = 16
MAX_WHOLE = (1 << (WIDTH - 1)) - 1
MAX_FRACTION_BITS = 149
"""Every float32 is a multiple of 2**-149: more fraction bits would hold nothing new."""

PAPER_K_FRACTION_BITS = 14
PAPER_H_FRACTION_BITS = 12
PICTURE_FRACTION_BITS = 8
"""What layer one's k gets on top: its sums are of 2p - 255, 255 times the paper's in [-1, 1]."""


def scaled(parameters: Parameters) -> Parameters:
    """Every layer's k, and every layer's h, at the finest power of two at which all fit ±32767.

    Rounded to the nearest, ties to even.  One scale a layer for k and one for h: what hardware that
    computes k·s + h would shift by.
    """
    return _with(parameters, [(quantise(own.k, fraction_bits(own.k)),
                               quantise(own.h, fraction_bits(own.h)))
                              for own in parameters.layers])


def paper(parameters: Parameters) -> Parameters:
    """k with 14 fraction bits (layer one: 22) and h with 12, truncated.

    What doesn't fit saturates; the paper's would wrap.
    """
    pairs = []
    for layer, own in zip(parameters.network.layers, parameters.layers):
        more = PICTURE_FRACTION_BITS if layer.kind == FP_CONV else 0
        pairs.append((quantise(own.k, PAPER_K_FRACTION_BITS + more, np.floor),
                      quantise(own.h, PAPER_H_FRACTION_BITS, np.floor)))
    return _with(parameters, pairs)


def fraction_bits(values: np.ndarray) -> int:
    """The most fraction bits (negative: none, and zeros before the point) at which all fit."""
    largest = float(np.abs(values).max())
    _, exponent = np.frexp(largest)
    bits = WIDTH - 1 - int(exponent)
    if np.rint(np.ldexp(largest, bits)) > MAX_WHOLE:  # just below a power of two: rounds up to it
        bits -= 1
    return min(bits, MAX_FRACTION_BITS)


def quantise(values: np.ndarray, bits: int,
             rounding: Callable[[np.ndarray], np.ndarray] = np.rint) -> np.ndarray:
    """`values` as 16-bit fixed-point numbers, given back as the float32 that each of them is.

    Parameters
    ----------
    values : float32
    bits : int
        Fraction bits.
    rounding : function
        To whole multiples of 2**-bits; multiples beyond 16 bits saturate.

    Returns
    -------
    float32, shaped like `values`
        Whole numbers of 16 bits times 2**-bits, which float32 holds exactly.
    """
    whole = rounding(np.ldexp(values.astype(np.float64), bits))
    whole = np.clip(whole, -MAX_WHOLE - 1, MAX_WHOLE)
    return np.ldexp(whole, -bits).astype(np.float32)


def vanished(before: Parameters, after: Parameters) -> Dict[str, int]:
    """How many k became 0, which makes an output constant, in each layer that has such."""
    counts = {layer.name: int(((own.k != 0) & (new.k == 0)).sum())
              for layer, own, new in zip(before.network.layers, before.layers, after.layers)}
    return {name: count for name, count in counts.items() if count}


def moved(before: Parameters, after: Parameters) -> int:
    """How many thresholds and flips, of all layers but the last, are no longer the same."""
    pairs = zip(before.layers[:-1], after.layers[:-1])
    folded = ((fold(own.k, own.h), fold(new.k, new.h)) for own, new in pairs)
    return sum(int(((old != new) | (flip != new_flip)).sum())
               for (old, flip), (new, new_flip) in folded)


def _with(parameters: Parameters, pairs: List[Tuple[np.ndarray, np.ndarray]]) -> Parameters:
    """The parameters with new (k, h), without the accuracy and the answer of the old ones."""
    layers = tuple(LayerParameters(own.weights, k, h)
                   for own, (k, h) in zip(parameters.layers, pairs))
    return replace(parameters, layers=layers, accuracy={}, known_answer=None)
