"""The layers in numpy, where there is no compiler: float32 products of +1 and -1, exact."""

from __future__ import annotations

import numpy as np

from host_ref import network as net
from host_ref.network import Layer


def layer_output(layer: Layer, weights: np.ndarray, thresholds: np.ndarray, flips: np.ndarray,
                 x: np.ndarray) -> np.ndarray:
    """One layer's output for pictures or bits uint8 (N, H, W, C).

    Parameters
    ----------
    weights : float32 (taps, outputs), +1 and -1
    thresholds, flips : (outputs,)
        Not looked at of the last layer.

    Returns
    -------
    uint8 (N, H', W', outputs), 1 is -1; of the last layer int32 (N, outputs)
    """
    values = 2.0 * x - 255 if layer.kind == net.FP_CONV else 1.0 - 2 * x
    values = values.astype(np.float32)
    if not layer.is_conv:
        sums = (values.reshape(len(x), layer.taps) @ weights).astype(np.int32)[:, None, None]
    else:
        if layer.padding != net.NONE:
            values = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)),
                            constant_values=float(layer.padding == net.ONE))
        rows, columns, channels = layer.sum_height, layer.sum_width, layer.in_channels
        products = np.zeros((len(x), rows, columns, layer.out_channels), np.float32)
        for tap in range(9):
            ky, kx = divmod(tap, 3)
            products += values[:, ky:ky + rows, kx:kx + columns] @ (
                weights[tap * channels:(tap + 1) * channels])
        sums = products.astype(np.int32)
    if layer.kind == net.LAST:
        return sums[:, 0, 0]
    if layer.pool:
        sums = sums.reshape(len(x), layer.out_height, 2, layer.out_width, 2,
                            layer.out_channels).max(axis=(2, 4))
    return (~((sums >= thresholds) ^ flips)).astype(np.uint8)
