"""Other people's parameters as ours: BinaryNet's, BNN-PYNQ's and Zhao et al.'s."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import List, Optional, Sequence, Tuple, Union

from host_ref.cifar10 import CLASSES
from host_ref.converters import binarynet, bnn_pynq, zhao
from host_ref.converters.archive import Source, read
from host_ref.converters.layout import Recognized, layer_parameters
from host_ref.integer import known_answer
from host_ref.network import Network, NetworkError
from host_ref.parameters import VALUES, LayerParameters, ParameterError, Parameters

FORMATS = {"binarynet": binarynet, "zhao": zhao}
FOLDER_FORMAT = "bnn-pynq"


def convert(path: Union[str, Path], source_format: Optional[str] = None,
            network: Optional[Network] = None, flipped: Optional[bool] = None,
            classes: Optional[Sequence[str]] = None, name: Optional[str] = None) -> Parameters:
    """Read another project's file or folder; docs/converters.md says how each is understood.

    Parameters
    ----------
    path : path
    source_format : {"binarynet", "zhao", "bnn-pynq"}, optional
        Default: told from the contents; a folder is BNN-PYNQ's.
    network : Network, optional
        Default: the known network with weights of these shapes.
    flipped : bool, optional
        Whether the source's convolutions flip their kernels.  Default: as the known network with
        weights of these shapes does, else True as in Lasagne.
    classes : sequence of str, optional
        Default: those that a folder names, else CIFAR-10's, if there are ten.
    name : str, optional
        Default: the file's, without its ending.

    Returns
    -------
    converted : Parameters
        With a known answer and no accuracy, since none is measured.  ``training`` says what it was
        converted from and, in "assumed", what the file itself doesn't say.

    Raises
    ------
    OSError
        If there is no such file.
    ParameterError
        If the file can't be converted; names the array and the layer.
    """
    path = Path(path)
    if source_format == FOLDER_FORMAT and not path.is_dir():
        raise NotADirectoryError(f"{path} is no folder of BNN-PYNQ's .bin files")
    try:
        if path.is_dir():
            bare = _folder(path, source_format, network, flipped, classes)
        else:
            bare = _file(path, source_format, network, flipped, classes)
        bare = bare if name is None else replace(bare, name=name)
    except (ParameterError, NetworkError) as error:
        raise ParameterError(f"{path}: {error}") from None
    return replace(bare, known_answer=known_answer(bare))


def _file(path: Path, source_format: Optional[str], network: Optional[Network],
          flipped: Optional[bool], classes: Optional[Sequence[str]]) -> Parameters:
    source = read(path)
    reader = FORMATS[source_format or _guess(source)]
    recognized = reader.recognize(source, network)
    if flipped is not None:
        recognized = replace(recognized, flipped=flipped)
    network = recognized.network
    layers, notes = reader.read(source, network)
    assumed = [*_assumed(recognized), *notes]
    if classes is None:
        classes = CLASSES
        assumed.append("the classes are CIFAR-10's")
        if network.classes != len(CLASSES):
            raise ParameterError(f"it doesn't name its {network.classes} classes: give them")
    return _parameters(path, network, layer_parameters(network, layers, recognized.flipped),
                       classes, reader.TITLE, source.sha256, assumed)


def _folder(path: Path, source_format: Optional[str], network: Optional[Network],
            flipped: Optional[bool], classes: Optional[Sequence[str]]) -> Parameters:
    if source_format not in (None, FOLDER_FORMAT):
        raise ParameterError(f"is a folder, and {source_format}'s parameters are one file")
    if network is not None or flipped is not None:
        raise ParameterError("is a folder of BNN-PYNQ's, whose hardware says what the network is: "
                             "neither a description nor kernels can be given")
    found = bnn_pynq.read(path, classes)
    return _parameters(path.resolve(), found.network, found.layers, found.classes, bnn_pynq.TITLE,
                       found.sha256, found.notes)


def _parameters(path: Path, network: Network, layers: Tuple[LayerParameters, ...],
                classes: Sequence[str], title: str, sha256: str,
                assumed: Sequence[str]) -> Parameters:
    return Parameters(
        network, layers, list(classes), path.stem,
        {"size": [network.height, network.width], "crop": "centre", "values": VALUES},
        {"converted_from": title, "source": path.name, "sha256": sha256, "assumed": list(assumed)})


def _guess(source: Source) -> str:
    """Zhao et al.'s have two vectors after each w, BinaryNet's four or five."""
    fourth = source.arrays[3:4]
    return "zhao" if source.raw or (fourth and fourth[0].ndim > 1) else "binarynet"


def _assumed(recognized: Recognized) -> List[str]:
    """What the arrays leave open, in words."""
    network = recognized.network
    convolutions = [layer for layer in network.layers if layer.is_conv]
    pools = ", ".join(layer.name for layer in convolutions if layer.pool) or "no layer"
    paddings = ", ".join(sorted({layer.padding for layer in convolutions}))
    return [
        f"the network is {recognized.title}: pictures of {network.height} x {network.width}, "
        f"padding {paddings}, 2 x 2 pools before the normalization of {pools}",
        f"convolutions {'flip' if recognized.flipped else 'do not flip'} their kernels",
        "pictures went in as 2p/255 - 1", *recognized.notes]
