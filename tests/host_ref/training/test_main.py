"""The command from a folder of pictures to a file that classifies them."""

import json

import numpy as np
import pytest
from PIL import Image

import pynq_bnn
from host_ref.training import __main__ as command
from host_ref.training.loop import CHECKPOINT

SHADES = {"black": 30, "grey": 128, "white": 225}
OPTIONS = ["--quiet", "--epochs", "4", "--batch", "20", "--precision", "float32"]


@pytest.fixture
def shades(tmp_path):
    """A folder of dark, grey and bright pictures, none of the network's size."""
    rng = np.random.default_rng(4)
    for name, level in SHADES.items():
        place = tmp_path / "shades" / name
        place.mkdir(parents=True)
        for number in range(50):
            noise = level + rng.integers(-30, 31, (12, 15, 3))
            Image.fromarray(noise.astype(np.uint8)).save(place / f"{number:02}.png")
    return tmp_path / "shades"


@pytest.fixture
def run(monkeypatch, tmp_path, tiny):
    """A function that runs the command on a network of ten classes, with more options."""
    path = tmp_path / "network.json"
    path.write_text(json.dumps(tiny.description()))

    def run(data, *more):
        words = ["train", str(data), "--folder", str(tmp_path / "run"), "--network", str(path),
                 *OPTIONS, "--validation", "20", *more]
        monkeypatch.setattr(command.sys, "argv", words)
        command.main()

    return run


def test_from_a_folder_to_a_classifier_of_its_classes(run, shades, tmp_path):
    output = tmp_path / "mine.npz"
    run(shades, "--output", str(output))
    assert (tmp_path / "run" / CHECKPOINT).is_file()
    assert (tmp_path / "run" / "curves.png").is_file()
    with pynq_bnn.Classifier(output, device="model") as classifier:
        parameters = classifier.parameters
        assert classifier.classes == sorted(SHADES)
        assert parameters.accuracy["count"] == 30
        assert parameters.accuracy["calibration"]["on"] == "held-out training pictures"
        assert parameters.temperature is not None
        assert parameters.accuracy["on"] == "shades, 20 % of its pictures, held back"
        assert str(shades) not in parameters.training["command"]
        paths = sorted(shades.glob("*/*.png"))
        right = sum(label == path.parent.name
                    for label, path in zip(classifier.classify(paths).labels, paths))
        assert right > 0.8 * len(paths)
        assert classifier.check(paths[::50]).passed


def test_another_function_prepares_the_pictures(run, shades, tmp_path, monkeypatch):
    """One that sees nothing in them, so that nothing can be learnt."""
    (tmp_path / "blind.py").write_text(
        "import numpy\n"
        "def black(path, height, width):\n"
        "    return numpy.zeros((1, height, width, 3), numpy.uint8)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    output = tmp_path / "blind.npz"
    run(shades, "--prepare", "blind.black", "--output", str(output))
    parameters = pynq_bnn.load_parameters(output)
    assert parameters.preprocessing["prepared_by"] == "blind.black"
    assert parameters.accuracy["right"] == 10  # always the same class


@pytest.mark.parametrize("more, message", [
    (["--network", "cnn"], "--network cnn: none of cifar10, cnv, and no such file"),
    (["--validation", "2000"], "of 120 training pictures --validation 2000 leaves less"),
    (["--prepare", "nothing"], "--prepare nothing"),
    (["--output", "x.npz", "--activations", "relu"], "no --output for this method"),
    (["--bias", "perhaps"], "invalid choice"),
])
def test_bad_options_get_one_line(run, shades, capsys, more, message):
    with pytest.raises(SystemExit):
        run(shades, *more)
    assert message in capsys.readouterr().err


def test_a_bad_folder_or_network_file_gets_one_line(run, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        run(tmp_path / "empty")
    assert "neither CIFAR-10's binary version" in capsys.readouterr().err
    (tmp_path / "odd.json").write_text("{")
    with pytest.raises(SystemExit):
        run(tmp_path / "empty", "--network", str(tmp_path / "odd.json"))
    assert "odd.json" in capsys.readouterr().err
