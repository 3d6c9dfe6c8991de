import numpy as np
import torch

from host_ref import parameters
from host_ref.integer import IntegerModel
from host_ref.training.curves import plot
from host_ref.training.export import export
from host_ref.training.loop import Recipe, Trainer, split, to_values

RECIPE = Recipe(epochs=2, batch=20, validation=40, precision="float32")


def test_the_exported_network_is_the_trained_one(tiny, pictures, tmp_path):
    """The integer model on the exported file gives the trained model's own answers."""
    images, labels = pictures
    trainer = Trainer(tiny, RECIPE, split(images, labels, RECIPE), tmp_path)
    trainer.run(progress=False)
    trainer.settle(count=200, progress=False)
    with torch.no_grad():
        values = to_values(images, torch.device("cpu"), torch.float32)
        logits = trainer.model(values).numpy()
    result = export(trainer, "tiny", images, labels, command="a test")
    integer = IntegerModel(result)
    scores = integer.scores(integer.sums(images))
    np.testing.assert_allclose(scores, logits, rtol=1e-3, atol=1e-3)
    assert result.accuracy["right"] == int((logits.argmax(axis=1) == labels).sum())

    parameters.save(tmp_path / "tiny.npz", result)
    assert parameters.load(tmp_path / "tiny.npz").known_answer == result.known_answer
    plot(trainer.history, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000
