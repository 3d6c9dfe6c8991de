"""BNN-PYNQ's published CNV weights: the .bin files of a ``cnvW1A1`` folder, for its hardware.

Read in its code: the files' layout in bnn/src/training/finnthesizer.py (BNNProcElemMem), how many
processing elements (PE) and columns a word (SIMD) each layer has in
bnn/src/network/cnvW1A1/hw/config.h, the arithmetic in hw/top.cpp there and in finn-hlslib's
activations.hpp and interpret.hpp:

- A bit 1 is +1.  A hidden layer counts the products that are +1, and gives +1 where its threshold
  is **less** than the count, ``std::less``: a tie is -1.  Gammas below 0 are in the weights' signs.
- Layer one takes pixels as q/128, q = round(128·(2p/255 - 1)) from -128 to 127, and its threshold
  is in 1/256.
- The last layer has no threshold; the class is the first maximum of its counts.

All of that is exact here, but for one thing: the accelerator takes 2p - 255 of a pixel, and that is
2q + 1 only of pixels that went through :data:`PIXELS` first.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from host_ref.cifar10 import CLASSES
from host_ref.errors import shortened
from host_ref.network import CNV, FP_CONV, LAST, Layer, Network
from host_ref.parameters import LayerParameters, ParameterError

TITLE = "BNN-PYNQ's cnvW1A1 .bin files"

FOLDING = ((16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (4, 1))
"""(PE, SIMD) of each layer (config.h)."""

PIXELS = np.array([min(p + (p >= 128), 255) for p in range(256)], np.uint8)
"""What makes a picture BNN-PYNQ's: its q of a pixel p is ``PIXELS[p] - 128``.

Its steps of 1/128 put p below 128 on p - 128, p above on p - 127, and saturate at 127.
"""

_LONGEST_NAMES = 1 << 16
_THRESHOLD_BITS = {True: 24, False: 16}  # layer one's, the others' (top.cpp)


class Folder(NamedTuple):
    """What a folder holds.

    Attributes
    ----------
    network : Network
        CNV, with as many classes as have names.
    layers : tuple of LayerParameters
    classes : list of str
    sha256 : str
        Of all files that were read, one behind the other, in hex.
    notes : list of str
        What is assumed, and what can't be exact.
    """

    network: Network
    layers: Tuple[LayerParameters, ...]
    classes: List[str]
    sha256: str
    notes: List[str]


def read(folder: Path, classes: Optional[Sequence[str]] = None) -> Folder:
    """Read a folder's files.

    Parameters
    ----------
    folder : path
    classes : sequence of str, optional
        Default: the lines of its classes.txt.

    Raises
    ------
    ParameterError
        Names the file.
    """
    names = _names(folder) if classes is None else list(classes)
    description = CNV.description()
    description["layers"][-1]["outputs"] = len(names)
    network = Network.from_description(description)
    digest = hashlib.sha256()
    layers = tuple(_layer(folder, number, layer, digest)
                   for number, layer in enumerate(network.layers))
    return Folder(network, layers, names, digest.hexdigest(), [
        "the network is CNV as BNN-PYNQ's bitstream cnvW1A1 has it: a sum equal to its threshold "
        "gives -1",
        "pixels go in as 2p - 255; BNN-PYNQ rounds them to steps of 1/128, so first sums differ a "
        "little, and are its own only of pictures that went through "
        "host_ref.converters.bnn_pynq.PIXELS"])


def _layer(folder: Path, number: int, layer: Layer, digest: Any) -> LayerParameters:
    """One layer: k·s + h is above 0 where its hardware gives +1."""
    plus = _weights(folder, number, layer, digest)
    weights = np.ascontiguousarray((1 - plus).reshape(layer.weight_shape))
    if layer.kind == LAST:  # its counts themselves
        k, h = np.full(len(plus), 0.5), np.full(len(plus), layer.taps / 2)
    else:
        thresholds = _thresholds(folder, number, layer, digest)
        if layer.kind == FP_CONV:
            # theirs: 2Q > T of Q = Σ w·q.  Ours is s = Σ w·(2q + 1) = 2Q + Σ w.
            least = thresholds + 1 + (2 * plus.astype(np.int64) - 1).sum(axis=1)
        else:
            # theirs: n > T of n products that are +1.  Ours is s = 2n - taps, so s >= 2T + 2 - taps
            least = 2 * thresholds + 2 - layer.taps
        k, h = np.ones(len(plus)), -least
    return LayerParameters(weights, k.astype(np.float32), h.astype(np.float32))


def _weights(folder: Path, number: int, layer: Layer, digest: Any) -> np.ndarray:
    """uint8 (outputs, taps), 1 is +1, taps in our order: theirs is row, column, channel too.

    Output ``i`` is in the file of PE ``i % PE``, a word holds SIMD taps from its bit 0 on.
    """
    pe, simd = FOLDING[number]
    each = layer.taps // simd  # words an output
    outputs = -(-layer.out_channels // pe)  # of one PE
    files = []
    for own in range(pe):
        path = folder / f"{number}-{own}-weights.bin"
        # what is behind the last layer's classes fills it up to 64 outputs and is never looked at
        words = _words(path, each, outputs, layer.kind == LAST, digest)[:outputs * each]
        if (words >> np.uint64(simd)).any():
            raise ParameterError(f"{path.name} has words of more than {simd} bits: not the 1-bit "
                                 "weights of cnvW1A1")
        files.append(words)
    bits = np.stack(files)[:, :, np.newaxis] >> np.arange(simd, dtype=np.uint64) & np.uint64(1)
    by_output = bits.astype(np.uint8).reshape(pe, outputs, layer.taps).swapaxes(0, 1)
    return by_output.reshape(-1, layer.taps)[:layer.out_channels]


def _thresholds(folder: Path, number: int, layer: Layer, digest: Any) -> np.ndarray:
    """int64 (outputs,), as the files have them."""
    pe, _ = FOLDING[number]
    beyond = 1 << (_THRESHOLD_BITS[layer.kind == FP_CONV] - 1)
    files = []
    for own in range(pe):
        path = folder / f"{number}-{own}-thres.bin"
        values = _words(path, 1, layer.out_channels // pe, False, digest).view(np.int64)
        bad = values[(values < -beyond) | (values >= beyond)]
        if bad.size:
            raise ParameterError(f"{path.name} holds {bad[0]}: the hardware's thresholds go from "
                                 f"{-beyond} to {beyond - 1}")
        files.append(values)
    return np.stack(files, axis=1).reshape(-1)


def _words(path: Path, each: int, outputs: int, more: bool, digest: Any) -> np.ndarray:
    """A file's 64-bit words, `each` for `outputs` outputs (at least, if `more` may follow)."""
    expected = 8 * each * outputs
    largest = 8 * each * 64 if more else expected
    try:
        size = path.stat().st_size
        if not expected <= size <= largest or size % (8 * each):
            raise ParameterError(
                f"{path.name} has {size} bytes, cnvW1A1's has {expected}"
                f"{' or more' if more else ''}: another network, or more than 1 bit a value")
        content = path.read_bytes()
    except OSError as error:
        raise ParameterError(f"{path.name} can't be read: {shortened(error)}; a folder of "
                             "BNN-PYNQ's is bnn/params/cifar10/cnvW1A1 or one like it") from None
    digest.update(content)
    return np.frombuffer(content, "<u8").astype(np.uint64)


def _names(folder: Path) -> List[str]:
    path = folder / "classes.txt"
    try:
        if path.stat().st_size > _LONGEST_NAMES:
            raise ParameterError(f"classes.txt has more than {_LONGEST_NAMES:,} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ParameterError(f"classes.txt can't be read, so give the classes: {shortened(error)}"
                             ) from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    # theirs are the same words, Airplane and so on: as ours, so that its accuracy can be counted
    same = [name.lower() for name in names] == list(CLASSES)
    return list(CLASSES) if same else names
