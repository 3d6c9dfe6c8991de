import numpy as np
import pytest
import torch

from host_ref.training.teacher import Teacher, load, save


def values(count=3):
    rng = np.random.default_rng(0)
    return torch.from_numpy((2 * rng.integers(0, 256, (count, 3, 32, 32)) - 255).astype(np.float32))


def test_whitened_patches_have_no_correlation():
    model = Teacher()
    x = values(20)
    model.whiten_like(x)
    with torch.no_grad():
        out = model.whiten(model.normalise(x))[:, :12].permute(1, 0, 2, 3).reshape(12, -1)
    second_moments = (out @ out.T / out.shape[1]).numpy()
    np.testing.assert_allclose(second_moments, np.eye(12), atol=0.01)


def test_a_saved_teacher_answers_the_same(tmp_path):
    model = Teacher(classes=4).eval()
    save(tmp_path / "new" / "teacher.pt", model)
    with torch.no_grad():
        assert torch.equal(load(tmp_path / "new" / "teacher.pt")(values()), model(values()))


def test_a_missing_teacher_is_an_error_that_says_what_to_run(tmp_path):
    with pytest.raises(ValueError, match="train_teacher"):
        load(tmp_path / "none.pt")
