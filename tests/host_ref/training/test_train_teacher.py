import numpy as np
import torch

from host_ref.training.loop import split
from host_ref.training.recipe import Recipe
from host_ref.training.train_teacher import accuracy, train


def test_it_learns_and_its_seed_repeats_it(monkeypatch):
    monkeypatch.setattr("host_ref.training.train_teacher.BATCH", 50)
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 340).astype(np.uint8)
    noise = rng.integers(0, 25, (340, 32, 32, 3))
    images = (noise + 55 * labels[:, None, None, None]).astype(np.uint8)
    data = split(images, labels, Recipe(validation=40))
    first, again = (train(data, 3, 1, dtype=torch.float32, progress=False) for _ in range(2))
    assert accuracy(first, data, torch.float32) > 0.6
    for one, other in zip(first.parameters(), again.parameters()):
        assert torch.equal(one, other)
