import numpy as np
import pytest
import torch

from host_ref.training.teacher import SIZES, Teacher, load, save


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


@pytest.mark.parametrize("size", SIZES)
def test_a_saved_teacher_answers_the_same(tmp_path, size):
    model = Teacher(4, size).eval()
    path = tmp_path / "new" / "teacher.pt"
    save(path, model, seed=3, validation=50)
    with torch.no_grad():
        assert torch.equal(load(path, 4, 3, 50)(values()), model(values()))
    for classes, seed, validation, complaint in (
            (10, 3, 50, "4 classes, not 10"), (4, 2, 50, "held out 50 pictures by seed 3"),
            (4, 3, 51, "its student 51 by seed 3")):
        with pytest.raises(ValueError, match=complaint):
            load(path, classes, seed, validation)


def test_a_missing_teacher_is_an_error_that_says_what_to_run(tmp_path):
    with pytest.raises(ValueError, match="train_teacher"):
        load(tmp_path / "none.pt", 10, 1, 2000)


def test_what_is_no_teacher_is_refused(tmp_path):
    torch.save({"model": {}}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("text")
    for name in ("other.pt", "text.pt"):
        with pytest.raises(ValueError, match="is not a teacher"):
            load(tmp_path / name, 10, 1, 2000)


def test_a_teacher_whose_training_went_wrong_is_refused(tmp_path):
    model = Teacher(4)
    with torch.no_grad():
        model.head.weight[0, 0] = float("nan")
    save(tmp_path / "wrong.pt", model, 1, 50)
    with pytest.raises(ValueError, match="no numbers"):
        load(tmp_path / "wrong.pt", 4, 1, 50)
