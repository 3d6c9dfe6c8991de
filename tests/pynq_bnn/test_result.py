import json
import pickle
import sys

import numpy as np
import pytest
from PIL import Image

from host_ref.parameters import ParameterError
from pynq_bnn.result import THUMBNAILS_SHOWN, Result, Results
from pynq_bnn.timing import Timing

CLASSES = ("bee", "cat & dog", "<elk>", "fox")


def result(scores=(0.5, 2.0, -1.0, 2.0), classes=CLASSES):
    count = len(classes)
    return Result(classes, np.array(scores, np.float32), np.arange(count),
                  np.full((32, 32, 3), 9, np.uint8), Timing("model", 1, total_s=0.1))


def test_of_equal_scores_the_first_wins():
    answer = result()
    assert (answer.index, answer.label) == (1, "cat & dog")
    assert answer.top(3) == [("cat & dog", 2.0), ("fox", 2.0), ("bee", 0.5)]
    assert len(answer.top(99)) == 4
    many = tuple(f"class{n}" for n in range(64))
    assert [label for label, _ in result(np.zeros(64), many).top(64)] == list(many)


def test_top_of_nothing_is_refused():
    with pytest.raises(ValueError, match="top"):
        result().top(0)


def test_arrays_are_the_users_own_and_read_only():
    scores = np.array([1, 2, 3, 4], np.float32)
    answer = result(scores)
    scores[:] = 0
    assert answer.scores.tolist() == [1, 2, 3, 4]
    assert type(answer.scores) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        answer.scores[0] = 5


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="4 classes"):
        result(scores=(1, 2, 3))


def test_repr_says_label_score_and_device():
    assert repr(result()) == "<Result cat & dog (score 2.00; next fox 2.00) on model>"


def test_html_is_escaped_and_carries_its_picture():
    text = result()._repr_html_()
    assert "cat &amp; dog" in text
    assert "&lt;elk&gt;" in text
    assert "<elk>" not in text
    assert "data:image/png;base64," in text
    assert "not probabilities" in text


def test_html_needs_no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert result()._repr_html_()


def test_equal_scores_can_be_drawn(tmp_path):
    answer = result((0, 0, 0, 0))
    assert answer._repr_html_()
    answer.save(tmp_path / "zero.png")


def test_save_writes_a_picture_with_something_on_it(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "result.png"
    result().save(path)
    with Image.open(path) as image:
        assert image.width > 600
        assert len(np.unique(np.asarray(image))) > 20


def test_a_label_is_no_formula(tmp_path):
    pytest.importorskip("matplotlib")
    result((1, 0), (r"$\nonsense$", "b")).save(tmp_path / "result.svg")


def test_bars_can_be_drawn_on_other_axes():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    assert result().plot(figure.subplots()) is figure
    assert len(figure.axes) == 1


def test_many_classes_are_cut_and_counted():
    many = tuple(f"class{n}" for n in range(64))
    text = result(np.arange(64), many)._repr_html_()
    assert "class63" in text
    assert "class3<" not in text
    assert "54 lower ones not shown" in text


def test_to_dict_is_json():
    loaded = json.loads(json.dumps(result().to_dict()))
    assert loaded["label"] == "cat & dog"
    assert loaded["scores"] == [0.5, 2.0, -1.0, 2.0]


def several(*scores):
    count = len(scores)
    scores = np.array(scores, np.float32).reshape(count, len(CLASSES))
    pictures = np.arange(count, dtype=np.uint8).repeat(8 * 8 * 3).reshape(count, 8, 8, 3)
    return Results(CLASSES, scores, scores.astype(np.int16), pictures,
                   Timing("model", max(count, 1), total_s=0.1))


def test_results_are_a_sequence():
    results = several((0.5, 2, -1, 2), (9, 0, 0, 0), (0, 0, 9, 0))
    assert len(results) == 3
    assert results.labels == ["cat & dog", "bee", "<elk>"]
    assert results.indices.tolist() == [1, 0, 2]
    assert results.scores.shape == (3, 4)
    assert results[1:].labels == ["bee", "<elk>"]
    assert results[-1].label == "<elk>"
    assert [each.picture[0, 0, 0] for each in results] == [0, 1, 2]
    assert [each.sums.tolist() for each in results[1:]] == [[9, 0, 0, 0], [0, 0, 9, 0]]
    with pytest.raises(IndexError):
        results[3]
    assert repr(results) == "<Results cat & dog, bee, <elk> (3 pictures) on model>"
    assert repr(results[:0]) == "<Results of no pictures>"


def test_results_have_the_calls_timing():
    results = several((1, 0, 0, 0), (0, 1, 0, 0))
    assert results.timing.count == 2
    assert results.images_per_s == pytest.approx(20)
    loaded = json.loads(json.dumps(results.to_dict()))
    assert loaded["labels"] == ["bee", "cat & dog"]
    assert loaded["timing"]["images_per_s"] == pytest.approx(20)
    assert loaded["scores"][1] == [0, 1, 0, 0]


def test_results_are_read_only_and_of_one_length():
    results = several((1, 0, 0, 0))
    for array in (results.scores, results.sums, results.pictures):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(ValueError, match="2 pictures, 1 scores and 1 sums"):
        Results(CLASSES, results.scores, results.sums, np.zeros((2, 8, 8, 3), np.uint8),
                results.timing)


def test_a_result_outlives_its_batch():
    results = several((1, 0, 0, 0), (0, 1, 0, 0))
    result = results[0]
    for array in (result.scores, result.sums, result.picture):
        assert array.base is None or array.base.size == array.size, "keeps the whole batch alive"


def test_a_long_grid_is_cut_and_counted():
    text = several(*[(0.5, 2, -1, 2)] * (THUMBNAILS_SHOWN + 5))._repr_html_()
    assert text.count("<img") == THUMBNAILS_SHOWN
    assert "5 more pictures not shown" in text
    assert "cat &amp; dog" in text
    assert "cat & dog" not in text


def test_a_result_is_pickled_whole():
    made = []

    def timing():
        made.append(1)
        return Timing("model", 1, total_s=0.1)

    whole = result()
    late = Result._owning(CLASSES, whole.scores, whole.sums, whole.picture, timing)
    assert repr(late).endswith("on model>")
    assert late.timing is late.timing
    assert made == [1], "made once, when looked at"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(late, protocol))
        assert again.top() == late.top()
        assert again.timing == late.timing
        with pytest.raises(ValueError, match="read-only"):
            again.scores[0] = 5
    with pytest.raises(AttributeError, match="no attribute 'score'"):
        late.score  # noqa: B018


def test_probabilities_want_a_temperature():
    calibrated = several((0.5, 2, -1, 2), (9, 0, 0, 0))
    with pytest.raises(ParameterError, match="holds no temperature"):
        calibrated.probabilities  # noqa: B018
    with pytest.raises(ParameterError, match="holds no temperature"):
        calibrated[0].probability  # noqa: B018
    assert calibrated[0].to_dict()["probability"] is None
    assert "probab" not in repr(calibrated[0])
    calibrated.temperature = 2.0
    powers = np.exp(np.array([0.5, 2, -1, 2]) / 2)
    np.testing.assert_allclose(calibrated.probabilities[0], powers / powers.sum())
    one = calibrated[:1][0]
    assert one.probability == pytest.approx(powers[1] / powers.sum())
    assert one.to_dict()["probability"] == one.probability
    assert f"probability {one.probability:.2f}" in repr(one)
    assert f"right with probability {one.probability:.2f}" in one._repr_html_()
