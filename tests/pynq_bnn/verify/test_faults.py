"""Planted faults, one at a time: each is caught, and what catches it names the right layer.

docs/faults.md has the same table.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host_ref import network as net
from pynq_bnn import Classifier, classifier, images, registers
from pynq_bnn.devices.model import ModelDevice, datapath
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver import chain, memory, packing, program
from pynq_bnn.errors import BnnError
from pynq_bnn.result import Result

DOCS = Path(__file__).parents[3] / "docs/faults.md"

FAULTS = {}


def fault(text, layer, by="check"):
    """Register a function of monkeypatch that plants a fault, and what must be said of it."""
    def register(plant):
        FAULTS[text] = (plant, by, layer)
        return plant

    return register


def around(patch, owner, name, change):
    """Put `change(function, *arguments)` in the place of a function."""
    function = getattr(owner, name)
    patch.setattr(owner, name,
                  lambda *arguments, **options: change(function, *arguments, **options))


def refold(patch, change):
    """Let `change(thresholds, flips, k)` alter what the folding gives to the packing."""
    def changed(fold, k, h):
        thresholds, flips = fold(k, h)
        return change(thresholds, flips, k)

    around(patch, packing, "fold", changed)


def reweight(patch, kind, change):
    """Let `change(weights)` alter the weights that are packed, of layers of one kind."""
    def changed(pack, layer, values, channels):
        if layer.kind == kind:
            values = replace(values, weights=np.ascontiguousarray(change(values.weights)))
        return pack(layer, values, channels)

    around(patch, packing, "pack_layer", changed)


def reprogram(patch, register, change):
    """Let `change(value, layer)` alter what a layer's stage writes to a register."""
    def changed(compute, network, index, *more):
        return [replace(step, value=change(step.value, network.layers[index]))
                if step.register == register else step for step in compute(network, index, *more)]

    around(patch, program, "compute", changed)


# Folding.

@fault("threshold one too high", "conv1")
def _(patch):
    refold(patch, lambda t, flips, k: (np.minimum(t, 32766) + 1, flips))


@fault("threshold one too high where k < 0", "conv1")
def _(patch):
    refold(patch, lambda t, flips, k: (t + ((k < 0) & (t < 32767)), flips))


@fault("flip bits forgotten", "conv1")
def _(patch):
    refold(patch, lambda t, flips, k: (t, np.zeros_like(flips)))


@fault("flip bits where k = 0 inverted", "conv1")
def _(patch):
    refold(patch, lambda t, flips, k: (t, flips ^ (k == 0)))


@fault("thresholds in the order of the next output", "conv1")
def _(patch):
    refold(patch, lambda t, flips, k: (np.roll(t, 1), flips))


# The arithmetic of the device.

@fault("s > t in place of s ≥ t", "conv1")
def _(patch):
    around(patch, datapath, "_decode_thresholds", lambda decode, words: (
        decode(words)[0].astype(np.int32) + 1, decode(words)[1]))


@fault("v = 2p − 256", "conv1")
def _(patch):
    around(patch, datapath, "_pixels", lambda pixels, packed: pixels(packed) - 1)


@fault("the smallest of four sums pooled", "conv2")
def _(patch):
    around(patch, datapath, "_pool", lambda pool, sums: -pool(-sums))


@fault("pooling that looks at two of four sums", "conv2")
def _(patch):
    patch.setattr(datapath, "_pool", lambda sums: np.maximum(
        sums[:, 0::2, 0::2], sums[:, 0::2, 1::2]))


@fault("padding +1 taken as 0", "conv2")
def _(patch):
    patch.setattr(datapath, "PAD_ONE", -1)


# Packing.

@fault("kernels of the first layer turned by 180°", "conv1")
def _(patch):
    reweight(patch, net.FP_CONV, lambda weights: weights[:, ::-1, ::-1])


@fault("kernels of binary convolutions turned by 180°", "conv2")
def _(patch):
    reweight(patch, net.BIN_CONV, lambda weights: weights[:, ::-1, ::-1])


@fault("rows and columns of the taps exchanged", "conv2")
def _(patch):
    reweight(patch, net.BIN_CONV, lambda weights: weights.swapaxes(1, 2))


@fault("channels in the opposite order", "conv2")
def _(patch):
    reweight(patch, net.BIN_CONV, lambda weights: weights[..., ::-1])


@fault("inputs of an FC layer in the order of columns", "fc1")
def _(patch):
    # conv3's map has 2 x 3 pixels of 64 channels
    reweight(patch, net.BIN_FC, lambda weights: weights.reshape(
        len(weights), 2, 3, 64).swapaxes(1, 2).reshape(len(weights), -1))


@fault("a bit 1 taken as +1 in the last layer's weights", "last")
def _(patch):
    reweight(patch, net.LAST, lambda weights: 1 - weights)


@fault("a pixel's stored width of 256 bits in place of 128", "conv2")
def _(patch):
    patch.setattr(packing, "STORED_WIDTHS", (256, 512))


@fault("a layer's parameters found one burst too late", "conv3")
def _(patch):
    def later(pack, parameters):
        stream = pack(parameters)
        spans = list(stream.spans)
        spans[2] = replace(spans[2], start=spans[2].start + packing.BURST_WORDS)
        return replace(stream, spans=tuple(spans))

    around(patch, packing, "pack_parameters", later)


@fault("pictures as blue, green, red", "conv1")
def _(patch):
    around(patch, packing, "place_pixels", lambda place, pictures, places: place(
        pictures[..., ::-1], places))


@fault("a batch's first picture in the place of all", "conv1")
def _(patch):
    around(patch, packing, "place_pixels", lambda place, pictures, places: place(
        np.repeat(pictures[:1], len(pictures), axis=0), places))


# The program.

@fault("height and width exchanged", "conv1")
def _(patch):
    reprogram(patch, "SHAPE", lambda value, layer: (
        value & ~0xFFFF | (value & 0xFF) << 8 | value >> 8 & 0xFF))


@fault("padding +1 written as 0", "conv2")
def _(patch):
    patch.setitem(program._PADDINGS, net.ONE, registers.PAD_ZERO)


@fault("padding none written as 0", "conv3")
def _(patch):
    patch.setitem(program._PADDINGS, net.NONE, registers.PAD_ZERO)


@fault("pooling forgotten", "conv2")
def _(patch):
    reprogram(patch, "MODE", lambda value, layer: value & ~0x10)


@fault("half of the outputs", "conv2")
def _(patch):
    reprogram(patch, "OUTPUTS", lambda value, layer: value // 2 if value == 128 else value)


@fault("map buffers A and B exchanged for one layer", "conv3")
def _(patch):
    reprogram(patch, "BUFFERS", lambda value, layer: (
        registers.encode("BUFFERS", SOURCE=registers.FMAP_A, TARGET=registers.FMAP_B)
        if layer.name == "conv3" else value))


@fault("a map written over its own source", "conv2")
def _(patch):
    around(patch, program, "output_buffer", lambda buffer, network, index: (
        registers.FMAP_A if network.layers[index].kind != net.LAST else registers.SUMS))


def rewrite_program(patch, change):
    """Let `change(step)` alter the steps of whole programs, and not those of a walk."""
    def changed(make, *arguments, **options):
        return [change(step) for step in make(*arguments, **options)]

    around(patch, program, "network_program", changed)


@fault("pooling forgotten in the program alone", "program run")
def _(patch):
    rewrite_program(patch, lambda step: replace(
        step, value=step.value & ~0x10) if step.register == "MODE" else step)


@fault("a program that reads other pictures", "program run")
def _(patch):
    rewrite_program(patch, lambda step: replace(step, value=step.value + 128) if (
        step.register, step.purpose) == ("DMA_ADDRESS", "load pictures") else step)


@fault("map buffers C and D exchanged for one layer of a chain", "batches in one run",
       by="selftest")
def _(patch):
    quarters = {registers.FMAP_C: registers.FMAP_D, registers.FMAP_D: registers.FMAP_C}

    def exchanged(output, self, network, index):
        buffer = output(self, network, index)
        return quarters.get(buffer, buffer) if index == 3 else buffer

    around(patch, chain.Chain, "output", exchanged)


@fault("a chain that loads the same pictures for each batch", "batches in one run", by="selftest")
def _(patch):
    def the_first(steps, self, addresses, batches, prepared):
        return [replace(step, value=addresses.pictures) if (step.register, step.purpose) == (
            "DMA_ADDRESS", "load pictures") else step
                for step in steps(self, addresses, batches, prepared)]

    around(patch, chain.Chain, "steps", the_first)


@fault("the sums of a program's run in the opposite order", "program run")
def _(patch):
    def reversed_classes(read, self, slot, count):
        return read(self, slot, count)[:, ::-1]

    around(patch, memory.DeviceMemory, "read_sums", reversed_classes)


# What comes back.

@fault("maps read with the bits of a byte in the opposite order", "conv1")
def _(patch):
    def reversed_bits(unpack, words, layer, count):
        bits = unpack(words, layer, count)
        return bits.reshape(-1, 8)[:, ::-1].reshape(bits.shape)

    around(patch, packing, "unpack_fmap", reversed_bits)


@fault("the sums' sign", "last")
def _(patch):
    around(patch, packing, "unpack_sums", lambda unpack, *arguments: -unpack(*arguments))


@fault("sums of the picture before", "last")
def _(patch):
    around(patch, packing, "unpack_sums", lambda unpack, *arguments: np.roll(
        unpack(*arguments), 1, axis=0))


@fault("k of the last layer forgotten", "scores")
def _(patch):
    around(patch, classifier.Classifier, "_score", lambda score, self, sums: (
        sums.astype(np.float32) + self.parameters.layers[-1].h))


@fault("h of the last layer forgotten", "scores")
def _(patch):
    around(patch, classifier.Classifier, "_score", lambda score, self, sums: (
        self.parameters.layers[-1].k * sums.astype(np.float32)))


@fault("of equal scores the last", "classes")
def _(patch):
    patch.setattr(Result, "index", property(
        lambda result: len(result.scores) - 1 - int(np.argmax(result.scores[::-1]))))


@fault("the lowest score", "classes")
def _(patch):
    patch.setattr(Result, "index", property(lambda result: int(np.argmin(result.scores))))


@fault("files read as blue, green, red", "picture files", by="selftest")
def _(patch):
    around(patch, images, "scaled", lambda scaled, *image, **ours: Image.fromarray(
        np.array(scaled(*image, **ours))[..., ::-1]))


@fault("parameters that change in memory", "a load that is read back", by="load")
def _(patch):
    def flipped(write, self, name, words, word=0):
        if name == "parameters":
            words = words.copy()
            words[5] ^= np.uint64(1 << 40)
        write(self, name, words, word)

    around(patch, memory.DeviceMemory, "write", flipped)


@pytest.fixture
def equal_scores(parameters):
    """The same network, whose last layer gives its two highest scores twice for any picture."""
    last = parameters.layers[-1]
    k, h = np.clip(last.k, -1e9, 1e9), np.clip(last.h, -1e9, 1e9)
    k[[2, 7]], h[[2, 7]] = 0, 1e20
    layers = (*parameters.layers[:-1], replace(last, k=k, h=h))
    return replace(parameters, layers=layers, known_answer=None)


def outcome(parameters, pictures):
    """Who finds something first, and what it names: (by, layer); None if nobody does."""
    device = ModelDevice(batch=4, dram=Dram(4 << 20))
    try:
        opened = Classifier(parameters, device, known_answer=False)
    except BnnError:
        return "load", "a load that is read back"
    with opened:
        try:
            report = opened.check(pictures)
            if not report.passed:
                return "check", report.first_failure.layer
        except BnnError as error:  # the device itself refuses what it is told, and says where
            names = [layer.name for layer in parameters.network.layers]
            return "check", next(name for name in names if f"({name})" in str(error))
        for finding in opened.selftest().findings:
            if not finding.passed:
                return "selftest", finding.name
    return None


def test_without_a_fault_nothing_is_found(equal_scores, pictures):
    assert outcome(equal_scores, pictures[:6]) is None


@pytest.mark.parametrize("text", FAULTS)
def test_a_planted_fault_is_caught_and_named(equal_scores, pictures, monkeypatch, text):
    plant, by, layer = FAULTS[text]
    plant(monkeypatch)
    assert outcome(equal_scores, pictures[:6]) == (by, layer)


def test_the_docs_have_this_table():
    rows = [f"| {text} | {by} | {layer} |" for text, (_, by, layer) in FAULTS.items()]
    written = DOCS.read_text(encoding="utf-8").splitlines()
    assert [line for line in written if line in rows] == rows
