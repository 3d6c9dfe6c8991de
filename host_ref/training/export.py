"""A trained model as a parameter file, its accuracy measured in the accelerator's arithmetic."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Dict, Tuple

import numpy as np
import torch
from tqdm import tqdm

from host_ref.integer import IntegerModel, known_answer
from host_ref.parameters import LayerParameters, Parameters
from host_ref.training.dataset import Dataset
from host_ref.training.loop import Trainer
from host_ref.training.model import BinaryNet

CHUNK = 250


def layer_parameters(model: BinaryNet) -> Tuple[LayerParameters, ...]:
    """Weight bits and the affine form of all that follows each layer's sums."""
    result = []
    for index, (layer, latent) in enumerate(zip(model.network.layers, model.latent)):
        bits = (latent.detach().cpu().numpy() < 0).astype(np.uint8)
        if layer.is_conv:
            bits = np.ascontiguousarray(bits.transpose(0, 2, 3, 1))
        result.append(LayerParameters(bits, *model.affine(index)))
    return tuple(result)


def export(trainer: Trainer, name: str, dataset: Dataset, command: str,
           progress: bool = True) -> Parameters:
    """Parameters of the trained model, its accuracy counted on the test split by the integer model.

    Parameters
    ----------
    dataset : Dataset
        Gives classes and preprocessing; its test split is used once and for nothing else.
    command : str
        How the training was called, for the header.

    Raises
    ------
    ValueError
        If the network can't be folded: see :meth:`BinaryNet.affine`.
    """
    training: Dict[str, Any] = {
        "command": command, "recipe": asdict(trainer.recipe), "epochs_run": trainer.epoch,
        "device": trainer.device.type, "torch": torch.__version__.split("+")[0],
        "seconds": round(sum(entry["seconds"] for entry in trainer.history)),
        "validation_accuracy": trainer.history[-1]["validation_accuracy"],
    }
    bare = Parameters(network=trainer.model.network, layers=layer_parameters(trainer.model),
                      classes=dataset.classes, name=name, preprocessing=dataset.preprocessing,
                      training=training, accuracy={}, known_answer=None)
    images, labels = dataset.test_images, dataset.test_labels
    integer = IntegerModel(bare)
    right = 0
    for start in tqdm(range(0, len(images), CHUNK), desc="test pictures",
                      disable=not progress):
        predicted = integer.scores(integer.sums(images[start:start + CHUNK])).argmax(axis=1)
        right += int((predicted == labels[start:start + CHUNK]).sum())
    accuracy = {"right": right, "count": len(images), "accuracy": right / len(images),
                "on": dataset.tested_on, "arithmetic": "integer (host_ref.integer)"}
    return replace(bare, accuracy=accuracy, known_answer=known_answer(bare))

