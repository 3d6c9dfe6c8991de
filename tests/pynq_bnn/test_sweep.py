import numpy as np
import pytest
from PIL import Image

from pynq_bnn import Classifier
from pynq_bnn.sweep import Sweep


@pytest.fixture
def photo(rng):
    return Image.fromarray(rng.integers(0, 256, (48, 80, 3)).astype(np.uint8))


def test_tiles_row_by_row(photo):
    sweep = Sweep.of(photo, side=32, step=8)
    assert (sweep.columns, sweep.rows) == (7, 3)
    assert sweep.boxes[0] == (0, 0, 32, 32)
    assert sweep.boxes[7] == (0, 8, 32, 40)
    assert len(sweep.tiles) == 21
    assert np.array_equal(sweep.tiles[8], np.asarray(photo)[8:40, 8:40])


def test_a_path_and_an_array_are_the_same(photo, tmp_path):
    photo.save(tmp_path / "photo.png")
    for source in (str(tmp_path / "photo.png"), np.asarray(photo)):
        assert np.array_equal(Sweep.of(source, 32, 8).tiles[20], Sweep.of(photo, 32, 8).tiles[20])


def test_a_tile_gets_the_answer_it_gets_alone(photo, weights):
    pytest.importorskip("matplotlib")
    sweep = Sweep.of(photo, side=40, step=8)
    with Classifier(device="model") as classifier:
        results = classifier.classify(sweep.tiles)
        assert results.labels == [classifier.classify(tile).label for tile in sweep.tiles]
    figure = sweep.plot(results)
    spots = [len(drawn.get_offsets()) for drawn in figure.axes[0].collections]
    assert sum(spots) == len(results)
    assert sorted(spots, reverse=True) == spots
    with pytest.raises(ValueError, match="results for 1 tiles"):
        Sweep.of(photo, 48, 40).plot(results)


@pytest.mark.parametrize("side, step", [(0, 1), (49, 1), (32, 0)])
def test_what_does_not_fit(photo, side, step):
    with pytest.raises(ValueError, match="in a photograph of 80 x 48"):
        Sweep.of(photo, side, step)


def test_too_many():
    with pytest.raises(ValueError, match="a larger step"):
        Sweep.of(Image.new("RGB", (1000, 1000)), 8, 1)
