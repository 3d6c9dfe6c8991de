"""Other people's parameter files as ours: BinaryNet's and BNN-PYNQ's .npz, Zhao et al.'s .zip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from host_ref.cifar10 import CLASSES
from host_ref.converters import binarynet, zhao
from host_ref.converters.archive import Source, read
from host_ref.converters.layout import Recognized, layer_parameters
from host_ref.integer import known_answer
from host_ref.network import Network, NetworkError
from host_ref.parameters import VALUES, ParameterError, Parameters

FORMATS = {"binarynet": binarynet, "zhao": zhao}


def convert(path: Union[str, Path], source_format: Optional[str] = None,
            network: Optional[Network] = None, flipped: Optional[bool] = None,
            classes: Optional[Sequence[str]] = None, name: Optional[str] = None) -> Parameters:
    """Read another project's file; docs/converters.md says how each array is understood.

    Parameters
    ----------
    path : path
    source_format : {"binarynet", "zhao"}, optional
        Default: told from the contents.
    network : Network, optional
        Default: the known network with weights of these shapes.
    flipped : bool, optional
        Whether the source's convolutions flip their kernels.  Default: as the known network with
        weights of these shapes does, else True as in Lasagne.
    classes : sequence of str, optional
        Default: CIFAR-10's, if there are ten.
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
    try:
        source = read(path)
        reader = FORMATS[source_format or _guess(source)]
        recognized = reader.recognize(source, network)
        if flipped is not None:
            recognized = replace(recognized, flipped=flipped)
        network = recognized.network
        layers, notes = reader.read(source, network)
        training: Dict[str, Any] = {
            "converted_from": reader.TITLE, "source": path.name, "sha256": source.sha256,
            "assumed": [*_assumed(recognized), *notes]}
        if classes is None:
            classes = CLASSES
            training["assumed"].append("the classes are CIFAR-10's")
            if network.classes != len(CLASSES):
                raise ParameterError(f"it doesn't name its {network.classes} classes: give them")
        bare = Parameters(
            network, layer_parameters(network, layers, recognized.flipped), list(classes),
            path.stem if name is None else name,
            {"size": [network.height, network.width], "crop": "centre", "values": VALUES}, training)
    except (ParameterError, NetworkError) as error:
        raise ParameterError(f"{path}: {error}") from None
    return replace(bare, known_answer=known_answer(bare))


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
