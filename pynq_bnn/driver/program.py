"""A network as register writes: what the sequencer replays, and what stepped mode writes by hand.

One list of :class:`Step` serves both: :func:`encode` turns it into the words of a program, the
driver's stepped mode writes it over MMIO.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence

import numpy as np

from host_ref import network as net
from pynq_bnn import registers
from pynq_bnn.driver import packing

_KINDS = {net.FP_CONV: registers.FP_CONV, net.BIN_CONV: registers.BIN_CONV,
          net.BIN_FC: registers.BIN_FC, net.LAST: registers.LAST}
_PADDINGS = {net.ZERO: registers.PAD_ZERO, net.ONE: registers.PAD_ONE,
             net.NONE: registers.PAD_NONE}


@dataclass(frozen=True)
class Step:
    """One register write; `purpose` says in a word or two what the stage it belongs to does."""

    register: str
    value: int
    purpose: str


@dataclass(frozen=True)
class Addresses:
    """DRAM addresses of what a run reads and writes, in bytes.

    `pictures` is None where the first layer was computed by the run before; `following` are the
    pictures whose first layer is computed beside this run's last ones.
    """

    pictures: Optional[int]
    parameters: int
    sums: int
    following: Optional[int] = None


def load_pictures(network: net.Network, address: int, batch: int) -> List[Step]:
    """DMA `batch` pictures into the input buffer."""
    words = packing.whole_bursts(batch * packing.picture_words(network.height, network.width))
    return _dma("load pictures", registers.LOAD, "TARGET", registers.INPUT, address, words)


def load_parameters(address: int, words: int) -> List[Step]:
    """Start the parameter stream; it runs beside the stages that follow."""
    return _dma("load parameters", registers.LOAD, "TARGET", registers.PARAMS, address, words)


def store(source: int, address: int, words: int) -> List[Step]:
    """DMA `words`, whole bursts, from a buffer of the accelerator to DRAM."""
    name = dict((number, label) for label, number in registers.BUFFERS)[source]
    return _dma(f"store {name}", registers.STORE, "SOURCE", source, address, words)


def _dma(purpose: str, stage: int, role: str, buffer: int, address: int,
         words: int) -> List[Step]:
    return [
        Step("DMA_ADDRESS", address, purpose),
        Step("DMA_BYTES", words * packing.WORD_BYTES, purpose),
        Step("BUFFERS", registers.encode("BUFFERS", **{role: buffer}), purpose),
        Step("STAGE", stage, purpose),
    ]


def output_buffer(network: net.Network, index: int) -> int:
    """The buffer that layer `index` writes: maps A and B by turns, the last layer its sums."""
    if network.layers[index].kind == net.LAST:
        return registers.SUMS
    return registers.FMAP_B if index % 2 else registers.FMAP_A


def _aside(network: net.Network, index: int) -> int:
    """The buffer that layer `index` writes while map A is the next pictures': parts of B."""
    if network.layers[index].kind == net.BIN_FC:
        return registers.QUARTERS[index % 2]
    return output_buffer(network, index)


def compute(network: net.Network, index: int, batch: int,
            output: Callable[[net.Network, int], int] = output_buffer) -> List[Step]:
    """Run layer `index` on the map before it; `output` gives the buffer of a layer's output."""
    layer = network.layers[index]
    source = output(network, index - 1) if index else registers.INPUT
    mode = 0
    if layer.is_conv:
        mode = registers.encode("MODE", PADDING=_PADDINGS[layer.padding], POOL=int(layer.pool))
    height, width, channels = layer.in_height, layer.in_width, layer.in_channels
    if not layer.is_conv:  # its inputs are the map before it, as stored
        before = network.layers[index - 1]
        height, width, channels = before.out_height, before.out_width, before.out_channels
    shape = registers.encode("SHAPE", HEIGHT=height, WIDTH=width, CHANNELS=channels)
    buffers = registers.encode("BUFFERS", SOURCE=source, TARGET=output(network, index))
    return [
        Step("BUFFERS", buffers, layer.name),
        Step("SHAPE", shape, layer.name),
        Step("OUTPUTS", layer.out_channels, layer.name),
        Step("MODE", mode, layer.name),
        Step("BATCH", batch, layer.name),
        Step("STAGE", _KINDS[layer.kind], layer.name),
    ]


def can_follow(network: net.Network, batch: int, fmap_rows: int) -> bool:
    """Whether the next pictures' first layer can be computed beside this batch's last ones.

    That takes map A, so the last convolution must have written B, and what comes after it must fit
    into B's third and fourth quarter.
    """
    convs = sum(layer.is_conv for layer in network.layers)
    rows = max(packing.fmap_rows(layer) for layer in network.layers[convs - 1:])
    return convs % 2 == 0 and batch * rows <= fmap_rows // 4


def network_program(network: net.Network, stream: packing.ParameterStream, addresses: Addresses,
                    batch: int) -> List[Step]:
    """A run of `batch` pictures, from the pictures in DRAM to the sums in DRAM.

    With `addresses.following` so many more pictures' first layer is computed beside the last
    layers, and the next run is one without `addresses.pictures`.
    """
    layers = range(len(network.layers))
    convs = sum(layer.is_conv for layer in network.layers)

    def parameters(some: range) -> List[Step]:
        first, last = stream.spans[some[0]], stream.spans[some[-1]]
        address = addresses.parameters + first.start * packing.WORD_BYTES
        return load_parameters(address, last.start + last.count - first.start)

    def run(some: range, output: Callable[[net.Network, int], int] = output_buffer) -> List[Step]:
        steps = parameters(some)
        return steps + [step for index in some for step in compute(network, index, batch, output)]

    steps: List[Step] = []
    if addresses.pictures is not None:
        steps += load_pictures(network, addresses.pictures, batch)
    if addresses.following is None:
        steps += run(layers if addresses.pictures is not None else layers[1:])
    else:
        if addresses.pictures is not None:
            steps += run(layers[:1])
        # before parameters that wait for their use: it could not begin
        steps += load_pictures(network, addresses.following, batch)
        steps += run(layers[1:convs]) + run(layers[:1]) + run(layers[convs:], _aside)
    return steps + store(registers.SUMS, addresses.sums,
                         packing.output_words(network.layers[-1], batch))


def encode(steps: Sequence[Step]) -> np.ndarray:
    """Words (uint64) of a program: register offset in bits 31:0, value in bits 63:32.

    Zeros fill them up to whole bursts.
    """
    words = [registers.offset(step.register) | step.value << 32 for step in steps]
    return packing.fill_burst(np.array(words, "<u8"))
