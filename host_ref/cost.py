"""What a network costs: memory and operations of each layer, counted from its description.

Counted as the papers do: an operation is a multiplication or an addition, so two for each
multiply-accumulate, and taps outside a padded map are counted too (Zhao et al., FPGA'17, table 1).
Weights only: a threshold for each output comes on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

from host_ref.errors import printable
from host_ref.network import FP_CONV, Layer, Network

FLOAT_BITS = 32
"""A weight of a float32 network: what the binary one's is compared with."""

PIXEL_BITS = 8
KIBI, MEBI = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Cost:
    """Memory and operations of one layer or of several together.

    Attributes
    ----------
    name, kind : str
    input, output : str
        The maps' shapes, "heightxwidthxchannels"; empty for several layers.
    weight_bits : int
        One for each weight.
    macs : int
        Multiply-accumulates a picture.
    in_bits, out_bits : int
        Its input and output map; the largest of several layers'.  The last layer's output is sums,
        no map: 0.
    """

    name: str
    kind: str
    input: str
    output: str
    weight_bits: int
    macs: int
    in_bits: int
    out_bits: int

    @property
    def ops(self) -> int:
        return 2 * self.macs

    @property
    def weight_bytes(self) -> float:
        return self.weight_bits / 8

    @property
    def float_bytes(self) -> float:
        """Its weights as float32."""
        return self.weight_bits * FLOAT_BITS / 8


@dataclass(frozen=True)
class NetworkCost:
    """Each layer's cost, then the convolutions', FC layers' and all together; prints as a table."""

    layers: Tuple[Cost, ...]
    conv: Cost
    fc: Cost
    total: Cost

    def __str__(self) -> str:
        lines = [f"{'layer':<8} {'kind':<8} {'input':>11} {'output':>11} {'weight bits':>11} "
                 f"{'Mibit':>6} {'share':>6} {'float32 MiB':>11} {'MACs':>11} {'share':>6} "
                 f"{'in Kibit':>8} {'out Kibit':>9}"]
        for cost in (*self.layers, self.conv, self.fc, self.total):
            lines.append(
                f"{printable(cost.name):<8} {cost.kind:<8} {cost.input:>11} {cost.output:>11} "
                f"{cost.weight_bits:>11,} {cost.weight_bits / MEBI:>6.2f} "
                f"{cost.weight_bits / self.total.weight_bits:>6.1%} "
                f"{cost.float_bytes / MEBI:>11.2f} {cost.macs:>11,} "
                f"{cost.macs / self.total.macs:>6.1%} {cost.in_bits / KIBI:>8.1f} "
                f"{cost.out_bits / KIBI:>9.1f}")
        return "\n".join([
            *lines,
            f"{self.total.ops / 1e9:.3f} GOP a picture ({self.total.macs:,} multiply-accumulates); "
            f"weights {self.total.weight_bytes / MEBI:.2f} MiB, as float32 "
            f"{self.total.float_bytes / MEBI:.2f} MiB, "
            f"{self.total.float_bytes / self.total.weight_bytes:.0f} times as much; "
            f"largest map {self.total.out_bits / KIBI:.0f} Kibit"])

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return {"layers": [_to_dict(cost) for cost in self.layers], "conv": _to_dict(self.conv),
                "fc": _to_dict(self.fc), "total": _to_dict(self.total)}


def network_cost(network: Network) -> NetworkCost:
    """Count every layer."""
    costs = [_layer_cost(layer) for layer in network.layers]
    convolutions = [cost for cost, layer in zip(costs, network.layers) if layer.is_conv]
    fcs = [cost for cost, layer in zip(costs, network.layers) if not layer.is_conv]
    return NetworkCost(tuple(costs), _together("all conv", convolutions), _together("all FC", fcs),
                       _together("total", costs))


def _layer_cost(layer: Layer) -> Cost:
    in_shape = (layer.in_height, layer.in_width, layer.in_channels)
    out_shape = (layer.out_height, layer.out_width, layer.out_channels)
    values = layer.in_height * layer.in_width * layer.in_channels
    return Cost(layer.name, layer.kind, "x".join(map(str, in_shape)),
                "x".join(map(str, out_shape)), layer.weight_bits, layer.macs,
                values * (PIXEL_BITS if layer.kind == FP_CONV else 1), layer.fmap_bits)


def _together(name: str, costs: List[Cost]) -> Cost:
    return Cost(name, "", "", "", sum(cost.weight_bits for cost in costs),
                sum(cost.macs for cost in costs), max(cost.in_bits for cost in costs),
                max(cost.out_bits for cost in costs))


def _to_dict(cost: Cost) -> Dict[str, Any]:
    return {"name": cost.name, "kind": cost.kind, "input": cost.input, "output": cost.output,
            "weight_bits": cost.weight_bits, "float_bytes": int(cost.float_bytes),
            "macs": cost.macs, "ops": cost.ops, "in_bits": cost.in_bits, "out_bits": cost.out_bits}
