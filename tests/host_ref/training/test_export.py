from dataclasses import replace

import numpy as np
import pytest
import torch

from host_ref import parameters
from host_ref.integer import IntegerModel
from host_ref.training.curves import plot
from host_ref.training.dataset import Dataset
from host_ref.training.export import export
from host_ref.training.loop import Trainer, split, to_values
from host_ref.training.recipe import Recipe

RECIPE = Recipe(epochs=2, batch=20, validation=40, precision="float32")
CLASSES = tuple(f"shade {number}" for number in range(10))


@pytest.fixture
def shades(pictures):
    """The last 60 pictures are the test split."""
    images, labels = pictures
    return Dataset("shades", CLASSES, images[:180], labels[:180], images[180:], labels[180:],
                   tested_on="shades, the last 60")


def train(tiny, data, recipe, folder):
    held = split(data.train_images, data.train_labels, recipe)
    trainer = Trainer(tiny, recipe, held, folder)
    trainer.run(progress=False)
    trainer.settle(count=200, progress=False)
    return trainer


def test_the_exported_network_is_the_trained_one(tiny, shades, tmp_path):
    """The integer model on the exported file gives the trained model's own answers."""
    trainer = train(tiny, shades, RECIPE, tmp_path)
    with torch.no_grad():
        values = to_values(shades.test_images, torch.device("cpu"), torch.float32)
        logits = trainer.model(values).numpy()
    result = export(trainer, "tiny", shades, "a test", progress=False)
    integer = IntegerModel(result)
    scores = integer.scores(integer.sums(shades.test_images))
    np.testing.assert_allclose(scores, logits, rtol=1e-3, atol=1e-3)
    right = int((logits.argmax(axis=1) == shades.test_labels).sum())
    assert result.accuracy["right"] == right
    assert (result.accuracy["count"], result.accuracy["on"]) == (60, "shades, the last 60")

    parameters.save(tmp_path / "tiny.npz", result)
    loaded = parameters.load(tmp_path / "tiny.npz")
    assert loaded.known_answer == result.known_answer
    assert tuple(loaded.classes) == CLASSES
    assert loaded.preprocessing == shades.preprocessing
    plot(trainer.history, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_what_does_not_fold_is_not_exported(tiny, shades, tmp_path):
    trainer = train(tiny, shades, replace(RECIPE, epochs=1, activations="relu"), tmp_path)
    with pytest.raises(ValueError, match="can't be folded"):
        export(trainer, "tiny", shades, "a test", progress=False)
