import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib")

from host_ref.accuracy import figures


def colours(path):
    with Image.open(str(path)) as image:
        return {colour for _, colour in image.convert("RGB").getcolors(1 << 24)}


def test_figures_of_numbers(report, tmp_path):
    paths = figures.save_all(report, tmp_path / "new")
    assert [path.name for path in paths] == ["confusion.png", "classes.png", "confidence.png"]
    for path in paths:
        assert len(colours(path)) > 20, "not blank"
        assert path.stat().st_size < 100_000


def test_the_wrong_pictures_are_the_ones_that_are_shown(report, tmp_path):
    images = np.zeros((5, 32, 32, 3), np.uint8)
    for index in range(5):
        images[index] = 10 + index, 200, 77
    path = tmp_path / "new" / "wrong.png"
    figures.save_wrong(report, images, 2, path)
    shown = colours(path)
    assert {index for index in range(5) if (10 + index, 200, 77) in shown} == {4, 1}


def test_nothing_wrong_is_a_figure_too(report, tmp_path):
    path = tmp_path / "wrong.png"
    figures.save_wrong(report, np.zeros((5, 32, 32, 3), np.uint8), 0, path)
    assert path.stat().st_size > 1000
