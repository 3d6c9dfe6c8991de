"""Random networks within the contract's limits, with awkward k and h: for tests of any device."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np

from host_ref import network as net
from host_ref.parameters import VALUES, LayerParameters, Parameters

_QUICK_MACS = 20_000_000
_MOST_WEIGHT_BITS = 16 << 20


def random_network(rng: np.random.Generator) -> net.Network:
    """A network of any shape that every device takes; nine in ten are small enough to be quick."""
    most_macs = _QUICK_MACS if rng.random() < 0.9 else net.CIFAR10.macs
    while True:
        description = _random_description(rng)
        try:
            network = net.Network.from_description(description)
        except net.NetworkError:  # the convolutions left more than an FC layer takes
            continue
        if network.macs <= most_macs and network.weight_bits <= _MOST_WEIGHT_BITS:
            return network


def random_parameters(network: net.Network, rng: np.random.Generator) -> Parameters:
    """Random weights, and k and h with sign changes, zeros, tiny and extreme values.

    Many thresholds fall among the sums that really occur, some exactly on them.
    """
    layers = tuple(random_layer(layer, rng) for layer in network.layers)
    return Parameters(
        network, layers, [f"class {number}" for number in range(network.classes)], "random",
        {"size": [network.height, network.width], "crop": "centre", "values": VALUES})


def _random_description(rng: np.random.Generator) -> Dict[str, Any]:
    picture_height, picture_width = (int(side) for side in rng.integers(1, net.MAX_SIDE + 1, 2))
    height, width = picture_height, picture_width
    layers: List[Dict[str, Any]] = []
    for number in range(1, int(rng.integers(1, 7)) + 1):
        paddings = [net.ZERO] if number == 1 else [net.ZERO, net.ONE]
        if min(height, width) >= 3:
            paddings.append(net.NONE)
        padding = paddings[rng.integers(len(paddings))]
        if padding == net.NONE:
            height, width = height - 2, width - 2
        pool = height % 2 == 0 and width % 2 == 0 and rng.random() < 0.7
        if pool:
            height, width = height // 2, width // 2
        most = min(net.MAX_CHANNELS, net.MAX_FMAP_BITS // (height * width)) // net.CHANNEL_STEP
        layers.append({"name": f"conv{number}", "kind": net.BIN_CONV if layers else net.FP_CONV,
                       "outputs": _multiple(rng, most), "padding": padding, "pool": pool})
    for number in range(1, int(rng.integers(0, 4)) + 1):
        layers.append({"name": f"fc{number}", "kind": net.BIN_FC,
                       "outputs": _multiple(rng, net.MAX_FC_INPUTS // net.CHANNEL_STEP)})
    layers.append({"name": "last", "kind": net.LAST,
                   "outputs": int(rng.integers(2, net.MAX_CLASSES + 1))})
    return {"height": picture_height, "width": picture_width, "layers": layers}


def _multiple(rng: np.random.Generator, most: int) -> int:
    """1 to `most` channel steps, small ones more often."""
    return net.CHANNEL_STEP * int(1 + (most - 1) * rng.random() ** 3 + 0.5)


def random_layer(layer: net.Layer, rng: np.random.Generator) -> LayerParameters:
    """One layer's parameters, as in :func:`random_parameters`."""
    outputs = layer.out_channels
    weights = rng.integers(0, 2, layer.weight_shape, dtype=np.uint8)
    weights[rng.random(outputs) < 0.03] = 0  # all alike: the largest sums of either sign
    weights[rng.random(outputs) < 0.03] = 1
    spread = layer.max_sum / layer.taps ** 0.5  # a sum of random signs is about this large
    sign = rng.choice([-1.0, 1.0], outputs)
    centre = rng.normal(0, spread, outputs)
    ordinary = sign * rng.lognormal(0, 1, outputs) / spread
    whole = np.clip(np.rint(centre), -layer.max_sum, layer.max_sum)
    exact = sign * rng.integers(1, 16, outputs) / 64  # exact · whole is exact in float32
    tiny = sign * 2.0 ** -rng.integers(100, 150, outputs)
    any_sign = rng.choice([-1.0, 0.0, 1.0], outputs)
    pairs = [  # k, h
        (ordinary, -ordinary * centre),
        (ordinary, -ordinary * centre),
        (exact, -exact * whole),
        (tiny, -tiny * whole),
        (0 * sign, any_sign * 2.0 ** -rng.integers(0, 150, outputs)),
        (ordinary, any_sign * 1e30),
        (sign * 1e30, any_sign),
    ]
    picked = rng.choice(len(pairs), outputs, p=[0.3, 0.3, 0.2, 0.08, 0.04, 0.04, 0.04])
    picked = picked.astype(np.intp)  # 32-bit machines choose by 32-bit numbers alone
    k, h = (np.choose(picked, values).astype(np.float32) for values in zip(*pairs))
    return LayerParameters(weights, k, h)
