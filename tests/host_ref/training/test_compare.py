import json
from dataclasses import replace

import numpy as np
import pytest

from host_ref.training import compare
from host_ref.training.loop import split
from host_ref.training.recipe import Recipe

RECIPE = Recipe(epochs=1, batch=20, validation=20, precision="float32")


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (60, 32, 32, 3)).astype(np.uint8)
    return split(images, rng.integers(0, 10, 60).astype(np.uint8), RECIPE)


@pytest.mark.parametrize("variant", compare.VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_trains_and_what_folds_gives_the_same_classes(variant, data, tmp_path):
    result = compare.measure(variant, RECIPE, data, tmp_path, progress=False)
    assert result["compared"] == 20
    folds = variant.changes.get("scale") != "alpha_k" and "activations" not in variant.changes
    assert result["differ"] == (0 if folds else None)


def test_what_is_measured_already_is_kept(data, tmp_path):
    first = compare.measure(compare.VARIANTS[0], RECIPE, data, tmp_path, progress=False)
    first["accuracy"] = 0.5
    (tmp_path / compare.RESULT).write_text(json.dumps(first))
    again = compare.measure(compare.VARIANTS[0], RECIPE, data, tmp_path, progress=False)
    assert again == first


def test_a_result_of_another_budget_is_refused(data, tmp_path):
    compare.measure(compare.VARIANTS[0], RECIPE, data, tmp_path, progress=False)
    with pytest.raises(ValueError, match="another budget"):
        compare.measure(compare.VARIANTS[0], replace(RECIPE, epochs=2), data, tmp_path, False)


def test_the_command_writes_table_and_picture(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 32, 32, 3)).astype(np.uint8)
    labels = rng.integers(0, 10, 60).astype(np.uint8)
    monkeypatch.setattr(compare.cifar10, "load", lambda folder, split: (images, labels))
    monkeypatch.setattr(compare, "VARIANTS", compare.VARIANTS[:2])
    compare.main([str(tmp_path), "--folder", str(tmp_path), "--seeds", "1", "--epochs", "1",
                  "--pictures", "20", "--validation", "30", "--batch", "10", "--quiet"])
    kept = json.loads((tmp_path / "00-seed1" / compare.RESULT).read_text())
    assert kept["budget"]["pictures"] == 20
    assert "stochastic" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert (tmp_path / "methods.png").stat().st_size > 5000


def test_the_variants_differ_only_in_what_they_name():
    assert compare.network("zero").macs == compare.network("one").macs
    assert [layer.padding for layer in compare.network("one").layers[:3]] == ["zero", "one", "one"]
    assert compare.VARIANTS[0].changes == {}


def test_the_table_has_means_and_runs(tmp_path):
    def runs(name, values, differ):
        return [{"name": name, "accuracy": value, "compared": 100, "differ": differ,
                 "curve": [0.1, value]}
                for value in values]

    results = [runs("first", (0.5, 0.6), 0), runs("second", (0.7, 0.72), None)]
    lines = compare.table(results).splitlines()
    assert lines[2] == "| first | 55.00 % | 50.00, 60.00 | +0.00 | 0 of 200 pictures differ |"
    assert lines[3] == "| second | 71.00 % | 70.00, 72.00 | +16.00 | do not exist |"
    compare.plot(results, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000
