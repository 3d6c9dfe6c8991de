"""Do the wires hold?  Patterns through every memory port and both feature-map buffers, and back.

The first thing to ask of an accelerator that has just been loaded: it wants no parameter file.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, List, Tuple

import numpy as np

from host_ref import network as net
from host_ref.floating import FloatModel
from host_ref.parameters import VALUES, LayerParameters, Parameters
from pynq_bnn import registers
from pynq_bnn.driver import packing, program
from pynq_bnn.driver.accelerator import Accelerator
from pynq_bnn.driver.program import Step
from pynq_bnn.errors import DeviceError

log = logging.getLogger(__name__)

STREAM_WORDS = 8192
"""64 KiB: 512 bursts, which the read ports take by turns."""
_SEED = 20170222
_MAPS = (registers.FMAP_A, registers.FMAP_B)


def loopback(accelerator: Accelerator) -> str:
    """Send random patterns and their complements out and back.

    Memory, parameter stream, memory: that is every read port, the parameter buffer and the write
    port.  Then random pictures go through a random convolution, which fills every row of the
    feature-map buffers A and B; a second one, with all its thresholds' flips turned, writes the
    complement.  host_ref says what the bits must be.

    Parameters
    ----------
    accelerator : Accelerator
        Whatever is loaded stays loaded.

    Returns
    -------
    str
        What was tried.

    Raises
    ------
    DeviceError
        Names the first word that came back wrong, and the way that it took.
    """
    rng = np.random.default_rng(_SEED)
    limits = accelerator.capabilities
    plain = _parameters(rng)
    layer = plain.network.layers[0]
    images = min(limits.batch, limits.fmap_rows // packing.fmap_rows(layer))
    pictures = rng.integers(0, 256, (images, layer.in_height, layer.in_width, 3), np.uint8)
    words = packing.output_words(layer, images)
    with accelerator.device.turn.lock:
        accelerator.take()
        wires = _Wires(accelerator, max(STREAM_WORDS, words))
        try:
            stream = rng.integers(0, 1 << 64, STREAM_WORDS, np.uint64)
            for pattern in (stream, ~stream):
                wires.through_the_stream(pattern)
            for parameters in (plain, _negated(plain)):
                for buffer in _MAPS:
                    wires.through_a_map(parameters, pictures, buffer)
        except BaseException:  # Ctrl-C too
            accelerator.control.reset()
            raise
        finally:
            wires.free()
    said = (f"{2 * STREAM_WORDS} words through {limits.ports} read ports and the write port, "
            f"{2 * words} in each feature-map buffer")
    log.info("loopback: %s", said)
    return said


def _parameters(rng: np.random.Generator) -> Parameters:
    """Random weights of a network whose first map fills its rows to the last bit."""
    layers = [{"name": "conv1", "kind": net.FP_CONV, "outputs": 128, "padding": net.ZERO,
               "pool": False}]
    layers += [{"name": f"conv{n}", "kind": net.BIN_CONV, "outputs": 64, "padding": net.ZERO,
                "pool": True} for n in (2, 3)]
    network = net.Network.from_description({
        "height": registers.MAX_SIDE, "width": registers.MAX_SIDE,
        "layers": [*layers, {"name": "last", "kind": net.LAST, "outputs": 2}]})
    own = tuple(LayerParameters(rng.integers(0, 2, layer.weight_shape, np.uint8),
                                np.ones(layer.out_channels, np.float32),
                                np.zeros(layer.out_channels, np.float32))
                for layer in network.layers)
    preprocessing = {"size": [network.height, network.width], "crop": "centre", "values": VALUES}
    return Parameters(network, own, ("a", "b"), "loopback", preprocessing)


def _negated(parameters: Parameters) -> Parameters:
    """Every first map's bit the other way round, but where a sum is 0."""
    first, *others = parameters.layers
    return replace(parameters, layers=(replace(first, k=-first.k), *others))


class _Wires:
    """Two buffers of device memory, and the ways from one to the other."""

    def __init__(self, accelerator: Accelerator, words: int) -> None:
        self._control = accelerator.control
        self._hint = accelerator.device.hint
        self._buffers: List[Any] = []
        try:
            for _ in range(2):
                self._buffers.append(accelerator.device.allocate(words, packing.WORD))
        except BaseException:
            self.free()
            raise

    def free(self) -> None:
        while self._buffers:
            self._buffers.pop().freebuffer()

    def through_the_stream(self, pattern: np.ndarray) -> None:
        address, back = self._send(pattern)
        self._control.run_stage(program.load_parameters(address, len(pattern)))
        self._control.run_stage(program.store(registers.PARAMS, back, len(pattern)))
        self._compare(pattern, "through the parameter stream")

    def through_a_map(self, parameters: Parameters, pictures: np.ndarray, buffer: int) -> None:
        network, layer = parameters.network, parameters.network.layers[0]
        packed = packing.pack_pictures(pictures)
        address, back = self._send(packed)
        self._control.run_stage(program.load_pictures(network, address, len(pictures)))
        stream = packing.pack_layer(layer, parameters.layers[0], layer.in_channels)
        address, back = self._send(stream)
        self._control.run_stage(program.load_parameters(address, len(stream)))
        target = registers.encode("BUFFERS", SOURCE=registers.INPUT, TARGET=buffer)
        self._control.run_stage([
            Step("BUFFERS", target, step.purpose) if step.register == "BUFFERS" else step
            for step in program.compute(network, 0, len(pictures))])
        bits = FloatModel(parameters).layer_output(0, pictures)
        expected = packing.pack_bits(bits.reshape(-1))
        self._control.run_stage(program.store(buffer, back, len(expected)))
        names = {number: name for name, number in registers.BUFFERS}
        self._compare(expected, f"through {names[buffer]}")

    def _send(self, words: np.ndarray) -> Tuple[int, int]:
        """Place words in the first buffer; the addresses of both."""
        there, back = self._buffers
        there[:len(words)] = words
        there.flush()
        return int(there.device_address), int(back.device_address)

    def _compare(self, expected: np.ndarray, way: str) -> None:
        back = self._buffers[1]
        back.invalidate()
        got = np.array(back[:len(expected)])
        wrong = np.flatnonzero(got != expected)
        if len(wrong):
            place = int(wrong[0])
            raise DeviceError(
                f"loopback {way}: word {place} should be 0x{int(expected[place]):016X}, came back "
                f"as 0x{int(got[place]):016X} ({len(wrong)} of {len(expected)} words differ). "
                f"{self._hint()}".rstrip())
