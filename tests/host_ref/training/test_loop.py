import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from host_ref import network as net
from host_ref.training.curves import HISTORY
from host_ref.training.loop import CHECKPOINT, Trainer, TrainingError, split
from host_ref.training.recipe import Recipe
from host_ref.training.teacher import Teacher, save

RECIPE = Recipe(epochs=3, batch=20, validation=40, precision="float32")


def trainer(tiny, pictures, folder, recipe=RECIPE):
    return Trainer(tiny, recipe, split(*pictures, recipe), folder)


def test_split_holds_out_the_same_pictures_and_loses_none(pictures):
    images, labels = pictures
    first, again = split(images, labels, RECIPE), split(images, labels, RECIPE)
    assert len(first.held_images) == 40
    assert len(first.train_images) == len(images) - 40
    assert (first.held_images == again.held_images).all()
    together = sorted(image.tobytes() for image in [*first.train_images, *first.held_images])
    assert together == sorted(image.tobytes() for image in images)


def test_it_learns(tiny, pictures, tmp_path):
    run = trainer(tiny, pictures, tmp_path, replace(RECIPE, epochs=8))
    untrained = run.validate()
    run.run(progress=False)
    assert run.history[-1]["loss"] < run.history[0]["loss"] - 0.3
    assert run.validate() > untrained + 0.1


@pytest.mark.parametrize("binarization", ["deterministic", "stochastic"])
def test_an_interrupted_run_ends_as_an_unbroken_one(tiny, pictures, tmp_path, binarization):
    recipe = replace(RECIPE, binarization=binarization)
    whole = trainer(tiny, pictures, tmp_path / "whole", recipe)
    whole.run(progress=False)
    part = trainer(tiny, pictures, tmp_path / "part", recipe)
    part.recipe = replace(recipe, epochs=1)  # as if killed after the first epoch ...
    part._scale = lambda step: Trainer._scale(whole, step)  # ... of the same schedule
    part.run(progress=False)
    part.recipe = recipe
    part.save()
    resumed = trainer(tiny, pictures, tmp_path / "part", recipe)
    assert resumed.epoch == 1
    resumed.run(progress=False)
    for expected, got in zip(whole.model.state_dict().values(),
                             resumed.model.state_dict().values()):
        assert torch.equal(expected, got)
    lines = (tmp_path / "part" / HISTORY).read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]


def test_another_recipe_does_not_continue_a_checkpoint(tiny, pictures, tmp_path):
    trainer(tiny, pictures, tmp_path).save()
    assert (tmp_path / CHECKPOINT).is_file()
    with pytest.raises(ValueError, match="made by another recipe"):
        trainer(tiny, pictures, tmp_path, replace(RECIPE, batch=40))


def test_latent_weights_stay_within_one(tiny, pictures, tmp_path):
    run = trainer(tiny, pictures, tmp_path, replace(RECIPE, epochs=1, weight_rate=1.0))
    run.run(progress=False)
    assert max(float(latent.detach().abs().max()) for latent in run.model.latent) == 1.0


def test_a_run_starts_from_the_weights_of_another(tiny, pictures, tmp_path):
    first = trainer(tiny, pictures, tmp_path / "first")
    first.run(progress=False)
    recipe = replace(RECIPE, start=str(tmp_path / "first" / CHECKPOINT), surrogate="quadratic")
    second = trainer(tiny, pictures, tmp_path / "second", recipe)
    assert second.epoch == 0
    assert second.validate() == first.validate()
    second.run(progress=False)
    assert [entry["epoch"] for entry in second.history] == [1, 2, 3]


def test_what_it_cannot_start_with_is_named(tiny, pictures, tmp_path):
    with pytest.raises(ValueError, match="nowhere.pt.*not there"):
        trainer(tiny, pictures, tmp_path / "a", replace(RECIPE, start="nowhere.pt"))
    with pytest.raises(ValueError, match="surrogate 'cubic'"):
        trainer(tiny, pictures, tmp_path / "b", replace(RECIPE, surrogate="cubic"))


def test_the_teacher_has_its_share_of_the_target(tiny, pictures, tmp_path):
    teacher = Teacher(classes=10).eval()
    save(tmp_path / "teacher.pt", teacher, RECIPE.seed, RECIPE.validation)
    recipe = replace(RECIPE, teacher=str(tmp_path / "teacher.pt"), teacher_share=0.75)
    run = trainer(tiny, pictures, tmp_path, recipe)
    values = torch.randn(5, 3, 32, 32) * 100
    labels = torch.tensor([0, 1, 2, 3, 9])
    with torch.no_grad():
        expected = 0.75 * teacher(values).softmax(1) + 0.25 * torch.eye(10)[labels]
    assert torch.allclose(run._targets(values, labels), expected, atol=1e-6)


def test_without_a_teacher_the_labels_are_the_target(tiny, pictures, tmp_path):
    labels = torch.tensor([4, 2])
    assert trainer(tiny, pictures, tmp_path)._targets(torch.zeros(2, 3, 8, 8), labels) is labels


def test_a_checkpoint_of_another_network_is_refused(tiny, pictures, tmp_path):
    trainer(tiny, pictures, tmp_path).save()
    description = tiny.description()
    description["layers"][-1]["outputs"] = 4
    other = net.Network.from_description(description)
    with pytest.raises(ValueError, match="another network"):
        Trainer(other, RECIPE, split(*pictures, RECIPE), tmp_path)


def test_settling_averages_what_inference_computes(tiny, pictures, tmp_path):
    """Not the sums of stochastic signs, which spread less."""
    recipe = replace(RECIPE, binarization="stochastic")
    run = trainer(tiny, pictures, tmp_path, recipe)
    run.run(progress=False)
    run.settle(count=200, progress=False)
    first = [norm.running_var.clone() for norm in run.model.norms]
    torch.manual_seed(99)
    run.settle(count=200, progress=False)
    for before, norm in zip(first, run.model.norms):
        assert torch.equal(before, norm.running_var)
        assert not norm.training


def test_settling_takes_any_number_of_pictures(tiny, pictures, tmp_path):
    images = np.concatenate([pictures[0]] * 2)[:271]
    labels = np.concatenate([pictures[1]] * 2)[:271]
    run = Trainer(tiny, replace(RECIPE, validation=20), split(images, labels,
                  replace(RECIPE, validation=20)), tmp_path)
    run.settle(progress=False)  # 251 of them: a last batch of one has no variance
    assert all(torch.isfinite(norm.running_var).all() for norm in run.model.norms)


@pytest.mark.parametrize("changes,complaint", [
    ({"seed": 2}, "held out 40 pictures by seed 1"), ({"bias": "yes"}, "another method")])
def test_a_start_that_does_not_fit_is_refused(tiny, pictures, tmp_path, changes, complaint):
    trainer(tiny, pictures, tmp_path / "first").save()
    recipe = replace(RECIPE, start=str(tmp_path / "first" / CHECKPOINT), **changes)
    with pytest.raises(ValueError, match=complaint):
        trainer(tiny, pictures, tmp_path / "second", recipe)


def test_what_is_no_checkpoint_is_refused(tiny, pictures, tmp_path):
    (tmp_path / CHECKPOINT).write_text("text")
    with pytest.raises(ValueError, match="is not a checkpoint"):
        trainer(tiny, pictures, tmp_path)


def test_checkpoints_may_be_further_apart_but_the_last_epoch_has_one(tiny, pictures, tmp_path):
    run = Trainer(tiny, RECIPE, split(*pictures, RECIPE), tmp_path, save_every_s=3600)
    saved = []
    save_now = run.save
    run.save = lambda: (saved.append(run.epoch), save_now())
    run.run(progress=False)
    assert saved == [1, 3]


def test_binary_weights_start_from_real_ones(tiny, pictures, tmp_path):
    first = trainer(tiny, pictures, tmp_path / "first", replace(RECIPE, weights="real"))
    first.run(progress=False)
    assert first.history[-1]["loss"] < first.history[0]["loss"]
    with pytest.raises(ValueError, match="its weights are real numbers"):
        first.model.affine(0)
    recipe = replace(RECIPE, start=str(tmp_path / "first" / CHECKPOINT))
    second = trainer(tiny, pictures, tmp_path / "second", recipe)
    second.run(progress=False)
    second.model.affine(0)
    fresh = trainer(tiny, pictures, tmp_path / "fresh", replace(RECIPE, epochs=1))
    fresh.run(progress=False)
    # losses, as 40 held-out pictures tell two such runs apart on some processors only
    assert second.history[-1]["loss"] < second.history[0]["loss"] < fresh.history[0]["loss"]


def test_a_loss_that_is_no_number_ends_the_run_and_saves_nothing(tiny, pictures, tmp_path):
    run = trainer(tiny, pictures, tmp_path)
    with torch.no_grad():
        run.model.norms[-1].weight[0] = float("nan")
    with pytest.raises(TrainingError, match="epoch 1: the loss is nan"):
        run.run(progress=False)
    assert not (tmp_path / CHECKPOINT).exists()
