"""The network, described once: its layers, their shapes and the limits a device must honour.

Everything else (the reference, the training, the packing, the program) walks over
:class:`Network`; no other place knows how a feature map shrinks or what a layer may be.

Sources: the topology is BinaryNet's CIFAR-10 net as accelerated by Zhao et al., FPGA'17, table 1;
:data:`CNV` has the shape of BNN-PYNQ's network of that name (Umuroglu et al., FINN, FPGA'17).
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Any, Dict, List, Sequence, Tuple

from host_ref.errors import BnnError

FP_CONV, BIN_CONV, BIN_FC, LAST = "fp_conv", "bin_conv", "bin_fc", "last"
"""The four kinds of layer: picture convolution, binary convolution, binary FC, the last FC."""

ZERO, ONE, NONE = "zero", "one", "none"
"""What a tap outside the map adds: nothing, +1, or no such taps (the map shrinks by 2)."""

PADDINGS = (ZERO, ONE, NONE)

# The least that every device takes (docs/contract.md).
CHANNEL_STEP = 64
MAX_SIDE = 32
MAX_CHANNELS = 512
MAX_FC_INPUTS = 8192
MAX_CLASSES = 64
MAX_FMAP_BITS = 128 * 1024
PICTURE_CHANNELS = 3
MAX_PIXEL_VALUE = 255
MAX_LAYERS = 40
"""A program of 256 steps, the least that every device takes, holds so many: 6 steps each and 12."""


class NetworkError(BnnError, ValueError):
    """A network that is inconsistent or outside the limits; the message names the layer."""


@dataclass(frozen=True)
class Layer:
    """One layer with every shape resolved.

    ``in_height``, ``in_width``, ``in_channels`` describe its input map (FC: 1 x 1 x n);
    ``out_height``, ``out_width`` its output map after pooling.
    """

    name: str
    kind: str
    in_height: int
    in_width: int
    in_channels: int
    out_channels: int
    padding: str = NONE
    pool: bool = False

    @property
    def is_conv(self) -> bool:
        return self.kind in (FP_CONV, BIN_CONV)

    @property
    def sum_height(self) -> int:
        """Rows of sums before pooling."""
        return self.in_height - 2 if self.is_conv and self.padding == NONE else self.in_height

    @property
    def sum_width(self) -> int:
        """Columns of sums before pooling."""
        return self.in_width - 2 if self.is_conv and self.padding == NONE else self.in_width

    @property
    def out_height(self) -> int:
        return self.sum_height // 2 if self.pool else self.sum_height

    @property
    def out_width(self) -> int:
        return self.sum_width // 2 if self.pool else self.sum_width

    @property
    def weight_shape(self) -> Tuple[int, ...]:
        """(outputs, 3, 3, inputs) of a convolution, (outputs, inputs) of an FC layer."""
        if self.is_conv:
            return (self.out_channels, 3, 3, self.in_channels)
        return (self.out_channels, self.in_channels)

    @property
    def taps(self) -> int:
        """Products in one sum that has all its taps inside the map."""
        return (9 if self.is_conv else 1) * self.in_channels

    @property
    def max_sum(self) -> int:
        """The largest ``|s|`` that this layer can reach."""
        return self.taps * (MAX_PIXEL_VALUE if self.kind == FP_CONV else 1)

    @property
    def macs(self) -> int:
        """Multiply-accumulates a picture, taps outside the map counted (as the paper does)."""
        return self.taps * self.out_channels * self.sum_height * self.sum_width

    @property
    def weight_bits(self) -> int:
        return self.taps * self.out_channels

    @property
    def fmap_bits(self) -> int:
        """Bits of its binary output map; 0 for the last layer, whose output is sums."""
        return 0 if self.kind == LAST else self.out_height * self.out_width * self.out_channels


@dataclass(frozen=True)
class Network:
    """A picture's size, the layers and nothing else; build one with :meth:`from_description`."""

    height: int
    width: int
    layers: Tuple[Layer, ...]

    @property
    def classes(self) -> int:
        return self.layers[-1].out_channels

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def weight_bits(self) -> int:
        return sum(layer.weight_bits for layer in self.layers)

    def description(self) -> Dict[str, Any]:
        """The plain JSON form in a parameter file; inverse of :meth:`from_description`."""
        layers: List[Dict[str, Any]] = []
        for layer in self.layers:
            entry: Dict[str, Any] = {
                "name": layer.name, "kind": layer.kind, "outputs": layer.out_channels}
            if layer.is_conv:
                entry["padding"] = layer.padding
                entry["pool"] = layer.pool
            layers.append(entry)
        return {"height": self.height, "width": self.width, "layers": layers}

    @classmethod
    def from_description(cls, description: Dict[str, Any]) -> "Network":
        """Resolve every shape and refuse what is outside the limits.

        Parameters
        ----------
        description : dict
            ``{"height": 32, "width": 32, "layers": [{"name", "kind", "outputs", and for
            convolutions "padding" and "pool"}, ...]}``.

        Raises
        ------
        NetworkError
            Names the layer and the limit.
        """
        try:
            height, width = index(description["height"]), index(description["width"])
            entries = list(description["layers"])
        except (KeyError, TypeError, ValueError) as error:
            raise NetworkError(f"network description lacks or garbles {error}") from None
        if not entries:
            raise NetworkError("network description has no layers")
        if len(entries) > MAX_LAYERS:
            raise NetworkError(f"{len(entries)} layers, at most {MAX_LAYERS}: a device's program "
                               "holds no more")
        if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
            raise NetworkError(f"picture of {height} x {width}: sides must be 1 to {MAX_SIDE}")
        layers: List[Layer] = []
        shape = (height, width, PICTURE_CHANNELS)
        for position, entry in enumerate(entries):
            layer = _resolve(entry, shape, position)
            _check(layer, layers, position == len(entries) - 1)
            layers.append(layer)
            shape = (layer.out_height, layer.out_width, layer.out_channels)
        return cls(height, width, tuple(layers))


def _resolve(entry: Dict[str, Any], shape: Tuple[int, int, int], position: int) -> Layer:
    """The layer that `entry` describes on an input map of `shape`."""
    try:
        name, kind, outputs = str(entry["name"]), str(entry["kind"]), index(entry["outputs"])
    except (KeyError, TypeError, ValueError) as error:
        raise NetworkError(f"layer {position}: its description lacks or garbles {error}") from None
    if kind not in (FP_CONV, BIN_CONV, BIN_FC, LAST):
        raise NetworkError(f"layer {name!r}: unknown kind {kind!r}")
    conv = kind in (FP_CONV, BIN_CONV)
    known = {"name", "kind", "outputs"} | ({"padding", "pool"} if conv else set())
    if set(entry) - known:
        raise NetworkError(f"layer {name!r}: {sorted(set(entry) - known)} mean nothing to {kind}")
    if conv:
        padding = entry.get("padding", ZERO)
        if padding not in PADDINGS:
            raise NetworkError(f"layer {name!r}: padding {padding!r} is not one of {PADDINGS}")
        pool = entry.get("pool", False)
        if not isinstance(pool, bool):
            raise NetworkError(f"layer {name!r}: pool is {pool!r}, must be true or false")
        return Layer(name, kind, *shape, outputs, padding, pool)
    return Layer(name, kind, 1, 1, shape[0] * shape[1] * shape[2], outputs)


def _check(layer: Layer, before: Sequence[Layer], last: bool) -> None:
    """Refuse a layer in the wrong place (after the layers `before`) or beyond the limits."""

    def refuse(why: str) -> None:
        raise NetworkError(f"layer {layer.name!r}: {why}")

    if any(layer.name == other.name for other in before):
        refuse("two layers have this name")
    if (layer.kind == FP_CONV) == bool(before):
        refuse("the first layer, and only that, is an fp_conv")
    if (layer.kind == LAST) != last:
        refuse("the last layer, and only that, is of kind last")
    if layer.kind == BIN_CONV and not before[-1].is_conv:
        refuse("a convolution can't follow an FC layer")
    if layer.is_conv:
        if layer.sum_height < 1 or layer.sum_width < 1:
            refuse(f"a map of {layer.in_height} x {layer.in_width} is too small without padding")
        if layer.pool and (layer.sum_height % 2 or layer.sum_width % 2):
            refuse(f"pooling needs even sides, not {layer.sum_height} x {layer.sum_width}")
        if layer.out_channels > MAX_CHANNELS:
            refuse(f"{layer.out_channels} channels, at most {MAX_CHANNELS}")
        if layer.kind == FP_CONV and layer.padding == ONE:
            refuse("an fp_conv sums the taps inside the picture: its padding is zero or none")
    elif layer.in_channels > MAX_FC_INPUTS:
        refuse(f"{layer.in_channels} inputs, at most {MAX_FC_INPUTS}")
    if layer.kind == LAST:
        if not 2 <= layer.out_channels <= MAX_CLASSES:
            refuse(f"{layer.out_channels} classes, must be 2 to {MAX_CLASSES}")
        return
    if layer.out_channels < 1 or layer.out_channels % CHANNEL_STEP:
        refuse(f"{layer.out_channels} outputs, must be a multiple of {CHANNEL_STEP}")
    if layer.out_channels > MAX_FC_INPUTS:
        refuse(f"{layer.out_channels} outputs, at most {MAX_FC_INPUTS}")
    # sums are pooled before they are written, so only the final map must fit a buffer
    if layer.fmap_bits > MAX_FMAP_BITS:
        refuse(f"a map of {layer.fmap_bits} bits, at most {MAX_FMAP_BITS}")


def _stack(padding: str, convs: List[Tuple[int, bool]], fcs: List[int]) -> Network:
    layers: List[Dict[str, Any]] = []
    for number, (outputs, pool) in enumerate(convs, 1):
        layers.append({"name": f"conv{number}", "kind": BIN_CONV if number > 1 else FP_CONV,
                       "outputs": outputs, "padding": padding, "pool": pool})
    for number, outputs in enumerate(fcs, 1):
        layers.append({"name": f"fc{number}", "kind": BIN_FC if number < len(fcs) else LAST,
                       "outputs": outputs})
    return Network.from_description({"height": 32, "width": 32, "layers": layers})


CIFAR10 = _stack(ZERO, [(128, False), (128, True), (256, False), (256, True), (512, False),
                        (512, True)], [1024, 1024, 10])
"""Zhao et al.'s network: 6 conv, 3 pool, 3 FC layers."""

CNV = _stack(NONE, [(64, False), (64, True), (128, False), (128, True), (256, False),
                    (256, False)], [512, 512, 10])
"""The shape of BNN-PYNQ's CNV: unpadded convolutions, a tenth of the operations."""
