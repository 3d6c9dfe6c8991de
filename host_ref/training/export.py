"""A trained model as a parameter file, its accuracy measured in the accelerator's arithmetic."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Dict, Tuple

import numpy as np
import torch
from tqdm import tqdm

from host_ref import cifar10
from host_ref.integer import IntegerModel, known_answer
from host_ref.parameters import VALUES, LayerParameters, Parameters
from host_ref.training.loop import Trainer
from host_ref.training.model import BinaryNet

CHUNK = 250


def layer_parameters(model: BinaryNet) -> Tuple[LayerParameters, ...]:
    """Weight bits and the affine form of each batch normalisation."""
    result = []
    for index, (layer, latent) in enumerate(zip(model.network.layers, model.latent)):
        bits = (latent.detach().cpu().numpy() < 0).astype(np.uint8)
        if layer.is_conv:
            bits = np.ascontiguousarray(bits.transpose(0, 2, 3, 1))
        result.append(LayerParameters(bits, *model.affine(index)))
    return tuple(result)


def export(trainer: Trainer, name: str, images: np.ndarray, labels: np.ndarray,
           command: str) -> Parameters:
    """Parameters of the trained model; accuracy counted on `images` by the integer model.

    Parameters
    ----------
    images, labels : uint8 (N, 32, 32, 3), uint8 (N,)
        The test split, used once and for nothing else.
    command : str
        How the training was called, for the header.
    """
    network = trainer.model.network
    training: Dict[str, Any] = {
        "command": command, "recipe": asdict(trainer.recipe), "epochs_run": trainer.epoch,
        "device": trainer.device.type, "torch": torch.__version__.split("+")[0],
        "seconds": round(sum(entry["seconds"] for entry in trainer.history)),
        "validation_accuracy": trainer.history[-1]["validation_accuracy"],
    }
    preprocessing = {"size": [network.height, network.width], "values": VALUES,
                     "crop": "centre"}
    bare = Parameters(network=network, layers=layer_parameters(trainer.model),
                      classes=cifar10.CLASSES, name=name, preprocessing=preprocessing,
                      training=training, accuracy={}, known_answer=None)
    integer = IntegerModel(bare)
    right = 0
    for start in tqdm(range(0, len(images), CHUNK), desc="test pictures"):
        predicted = integer.scores(integer.sums(images[start:start + CHUNK])).argmax(axis=1)
        right += int((predicted == labels[start:start + CHUNK]).sum())
    accuracy = {"right": right, "count": len(images), "accuracy": right / len(images),
                "on": "CIFAR-10 test split", "arithmetic": "integer (host_ref.integer)"}
    return replace(bare, accuracy=accuracy, known_answer=known_answer(bare))


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
