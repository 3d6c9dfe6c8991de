"""The parameter file: a network's weights, k and h, its classes and where they come from.

One ``.npz``, never pickled.  ``header`` is JSON (UTF-8 in a uint8 array): format version, name,
network description, classes, preprocessing, training, accuracy, known answer, checksum.  Each layer
has ``<layer>.weights``, its bits packed output by output, most significant bit first, in the order
of ``Layer.weight_shape`` (uint8 (outputs, ceil(taps / 8))), and ``<layer>.k`` and ``<layer>.h``
(float32 (outputs,)).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple, Union

import numpy as np

from host_ref.errors import BnnError, shortened
from host_ref.network import Layer, Network, NetworkError
from host_ref.npz import read_members

FORMAT_VERSION = 1
"""A reader refuses what is newer than this."""

VALUES = "2p-255"
"""The only value of ``preprocessing["values"]``: how a pixel p becomes the integer of layer one."""

MAX_MAGNITUDE = 1e30
"""Largest absolute k and h: with sums of at most 8,192, k·s + h stays 4 decades inside float32."""

MAX_FILE_BYTES = 16 << 20
"""What a file may unpack to: nine times the shipped network.  In memory each weight takes a byte,
eight times that, and a PYNQ board has 512 MB in all."""

_HEADER = ("format", "name", "network", "classes", "preprocessing", "training", "accuracy",
           "known_answer", "checksum")


class ParameterError(BnnError, ValueError):
    """Parameters that are damaged, inconsistent or too new; names the file and the layer."""


@dataclass(frozen=True, eq=False)
class LayerParameters:
    """What one layer computes with.

    Attributes
    ----------
    weights : uint8, of ``Layer.weight_shape``
        Bits; 1 is -1, 0 is +1.
    k, h : float32 (outputs,)
        y = k·s + h.
    """

    weights: np.ndarray
    k: np.ndarray
    h: np.ndarray


@dataclass(frozen=True, eq=False)
class Parameters:
    """A network with everything it needs to classify; checked when it is made.

    Attributes
    ----------
    network : Network
    layers : tuple of LayerParameters
        One for each layer of the network.
    classes : sequence of str
        Names of the last layer's outputs.
    name : str
    preprocessing : dict
        ``"size"``: [height, width] of the network's picture; ``"crop"``: how a picture of another
        shape is cut, by name; ``"values"``: :data:`VALUES`.
    training, accuracy : dict
        How it was trained; its measured accuracy, on what, with which command.  Any JSON, but
        ``accuracy["calibration"]["temperature"]``, where there, is a number above 0.
    known_answer : sequence of int, optional
        The last layer's sums for :func:`known_answer_picture`: see
        :func:`host_ref.integer.known_answer`.

    Raises
    ------
    ParameterError
        Names the layer, where one is at fault.
    """

    network: Network
    layers: Tuple[LayerParameters, ...]
    classes: Sequence[str]
    name: str
    preprocessing: Dict[str, Any]
    training: Dict[str, Any] = field(default_factory=dict)
    accuracy: Dict[str, Any] = field(default_factory=dict)
    known_answer: Optional[Sequence[int]] = None

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.network.layers):
            raise ParameterError(f"parameters for {len(self.layers)} layers, "
                                 f"the network has {len(self.network.layers)}")
        for layer, own in zip(self.network.layers, self.layers):
            _check_layer(layer, own)
        _check_header(self)

    @property
    def temperature(self) -> Optional[float]:
        """What scores are divided by to be logits of probabilities; None if nobody fitted one.

        See :mod:`host_ref.calibration`, which leaves it in ``accuracy``.
        """
        found = self.accuracy.get("calibration")
        return None if found is None else float(found["temperature"])

    @cached_property
    def checksum(self) -> str:
        """SHA-256, in hex, over header and arrays; the same on every machine."""
        return _checksum(self)


def save(path: Union[str, Path], parameters: Parameters) -> None:
    """Write a parameter file; the same parameters give the same bytes (with the same numpy)."""
    path = Path(path)
    header = dict(_header(parameters), checksum=_checksum(parameters))
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        arrays: Dict[str, Any] = {"header": np.frombuffer(_json(header), dtype=np.uint8),
                                  **_arrays(parameters)}
        np.savez(file, **arrays)
    partial.replace(path)  # so that an interrupted save leaves the old file whole


def load(path: Union[str, Path]) -> Parameters:
    """Read a parameter file and check all of it.

    Raises
    ------
    ParameterError
        If it can't be read, isn't one, is damaged, newer than this reader, or if anything in it has
        the wrong shape, type or range.
    """
    try:
        return _assemble(_read(path))
    except (ParameterError, NetworkError) as error:
        raise ParameterError(f"{shortened(path, 200)}: {error}") from None
    except RecursionError:
        raise ParameterError(f"{shortened(path, 200)}: its header is nested too deeply") from None


def known_answer_picture(height: int, width: int) -> np.ndarray:
    """The picture of the known-answer test, uint8 (height, width, 3).

    Channel c of the pixel in row y, column x is (59·x + 71·y + 10·x·y + 101·c) mod 256: at 32 x 32
    every value comes up in every channel.
    """
    y, x, c = np.ogrid[:height, :width, :3]
    return ((59 * x + 71 * y + 10 * x * y + 101 * c) % 256).astype(np.uint8)


def _header(parameters: Parameters) -> Dict[str, Any]:
    """The header without its checksum."""
    return {"format": FORMAT_VERSION, "name": parameters.name,
            "network": parameters.network.description(), "classes": list(parameters.classes),
            "preprocessing": parameters.preprocessing, "training": parameters.training,
            "accuracy": parameters.accuracy, "known_answer": parameters.known_answer}


def _arrays(parameters: Parameters) -> Dict[str, np.ndarray]:
    """Every layer's arrays by their names in the file."""
    arrays: Dict[str, np.ndarray] = {}
    for layer, own in zip(parameters.network.layers, parameters.layers):
        bits = own.weights.reshape(layer.out_channels, layer.taps)
        arrays[f"{layer.name}.weights"] = np.packbits(bits, axis=1)
        arrays[f"{layer.name}.k"] = own.k
        arrays[f"{layer.name}.h"] = own.h
    return arrays


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, allow_nan=False).encode()


def _checksum(parameters: Parameters) -> str:
    digest = hashlib.sha256(_json(_header(parameters)))
    for name, array in _arrays(parameters).items():
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _read(path: Union[str, Path]) -> Dict[str, Any]:
    """Every array of the file, unchecked."""
    try:
        with open(path, "rb") as file:
            return read_members(file, MAX_FILE_BYTES)
    except Exception as error:  # zip, zlib, numpy and the system have a dozen kinds for bad files
        raise ParameterError("can't be read as a parameter file; it is missing, damaged or "
                             f"something else: {error}") from None


def _assemble(found: Dict[str, Any]) -> Parameters:
    """The parameters that the arrays `found` make up."""
    header = _parse_header(found)
    network = Network.from_description(header["network"])
    names = {"header"} | {f"{layer.name}.{part}" for layer in network.layers
                          for part in ("weights", "k", "h")}
    for what, odd in (("lacks", names - set(found)), ("has unexpected", set(found) - names)):
        if odd:
            raise ParameterError(f"{what} {', '.join(sorted(odd))}")
    layers = tuple(
        LayerParameters(_unpack(layer, found[f"{layer.name}.weights"]),
                        found[f"{layer.name}.k"], found[f"{layer.name}.h"])
        for layer in network.layers)
    parameters = Parameters(network, layers, header["classes"], header["name"],
                            header["preprocessing"], header["training"], header["accuracy"],
                            header["known_answer"])
    if header["checksum"] != parameters.checksum:
        raise ParameterError(f"checksum {parameters.checksum} of what it holds isn't the one in "
                             f"its header, {header['checksum']}: it was altered after saving")
    return parameters


def _parse_header(found: Dict[str, Any]) -> Dict[str, Any]:
    try:
        header = json.loads(found["header"].tobytes().decode())
        version = int(header["format"])
    except (KeyError, AttributeError, TypeError, ValueError, OverflowError, RecursionError):
        raise ParameterError("no readable header: not a parameter file") from None
    if version != FORMAT_VERSION:
        raise ParameterError(f"format version {version}, but this reader's is {FORMAT_VERSION}: "
                             "update pynq-bnn if it is newer")
    odd = set(header) ^ set(_HEADER)
    if odd:
        raise ParameterError(f"header lacks or has unexpected {', '.join(sorted(odd))}")
    if not isinstance(header["classes"], list):
        raise ParameterError("classes in the header must be a list")
    return header


def _unpack(layer: Layer, packed: np.ndarray) -> np.ndarray:
    """Bits of `layer.weight_shape` from the file's packed bytes."""
    _check_array(layer, "weights", packed, np.uint8, (layer.out_channels, -(-layer.taps // 8)))
    bits = np.unpackbits(packed, axis=1)
    if bits[:, layer.taps:].any():
        raise ParameterError(f"layer {layer.name!r}: bits set in the padding of its weights")
    return np.ascontiguousarray(bits[:, :layer.taps]).reshape(layer.weight_shape)


def _check_array(layer: Layer, name: str, array: Any, dtype: Any, shape: Tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        found = f"{getattr(array, 'dtype', type(array).__name__)} {getattr(array, 'shape', '')}"
        raise ParameterError(f"layer {layer.name!r}: {name} must be {np.dtype(dtype)} {shape}, "
                             f"not {found}")


def _check_layer(layer: Layer, own: LayerParameters) -> None:
    _check_array(layer, "weights", own.weights, np.uint8, layer.weight_shape)
    if own.weights.max() > 1:
        raise ParameterError(f"layer {layer.name!r}: weights hold {own.weights.max()}, not bits")
    for name, array in (("k", own.k), ("h", own.h)):
        _check_array(layer, name, array, np.float32, (layer.out_channels,))
        bad = np.flatnonzero(~(np.abs(array) <= MAX_MAGNITUDE))  # NaN compares false
        if bad.size:
            raise ParameterError(f"layer {layer.name!r}: {name}[{bad[0]}] is {array[bad[0]]}, "
                                 f"must be within ±{MAX_MAGNITUDE:g}")


def _check_header(parameters: Parameters) -> None:
    """Classes, preprocessing, known answer, and that all of the header can be written."""
    network, last = parameters.network, parameters.network.layers[-1]
    if len(parameters.classes) != network.classes:
        raise ParameterError(f"layer {last.name!r}: {network.classes} outputs, but "
                             f"{len(parameters.classes)} classes have names")
    if not all(isinstance(label, str) for label in (parameters.name, *parameters.classes)):
        raise ParameterError("name and classes must be text")
    for part in ("preprocessing", "training", "accuracy"):
        if not isinstance(getattr(parameters, part), dict):
            raise ParameterError(f"{part} must be a dict")
    expected = {"size": [network.height, network.width], "values": VALUES}
    found = {key: parameters.preprocessing.get(key) for key in expected}
    if found != expected:
        raise ParameterError(f"preprocessing has {found}, must have {expected}")
    answer = parameters.known_answer
    if answer is not None and not (
            isinstance(answer, (list, tuple)) and len(answer) == network.classes
            and all(isinstance(total, int) and abs(total) <= last.max_sum for total in answer)):
        raise ParameterError(f"known_answer must be {network.classes} integers within "
                             f"±{last.max_sum}, not {answer}")
    if "calibration" in parameters.accuracy:
        _check_calibration(parameters.accuracy["calibration"])
    try:
        _json(_header(parameters))
    except (TypeError, ValueError) as error:
        raise ParameterError(f"the header must be plain JSON: {error}") from None


def _check_calibration(found: Any) -> None:
    temperature: Any = found.get("temperature") if isinstance(found, dict) else None
    number = isinstance(temperature, (int, float)) and not isinstance(temperature, bool)
    if not (number and 1e-6 <= temperature <= 1e6):  # NaN compares false
        raise ParameterError("accuracy's calibration must hold a temperature, a number from 1e-6 "
                             f"to 1e6, not {shortened(repr(temperature), 100)}")
