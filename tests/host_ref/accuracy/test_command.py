import json

import pytest

from host_ref.accuracy.__main__ import main
from host_ref.integer import IntegerModel
from host_ref.parameters import save


@pytest.fixture
def file(cifar_sized, tmp_path):
    path = tmp_path / "own.npz"
    save(path, cifar_sized)
    return str(path)


def run(capsys, *arguments):
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def test_tables_and_figures(capsys, cifar_sized, dataset, file, tmp_path):
    pytest.importorskip("matplotlib")
    folder, pictures, labels = dataset
    out = run(capsys, folder, "--parameters", file, "--figures", tmp_path / "a" / "b", "--wrong",
              tmp_path / "c" / "wrong.png", "--mistakes", 2)
    right = (IntegerModel(cifar_sized).classify(pictures) == labels).sum()
    assert f"| {right} | {100 * right / len(labels):.2f} % | 0 | none |" in out
    assert "| float / integer | 0 | 0 |" in out
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        "classes.png", "confidence.png", "confusion.png"]
    assert (tmp_path / "c" / "wrong.png").stat().st_size > 1000


def test_json_of_some(capsys, dataset, file):
    out = json.loads(run(capsys, dataset[0], "--parameters", file, "--json", "--count", 3,
                         "--arithmetic", "paper", "integer", "paper"))
    assert out["count"] == 3
    assert list(out["arithmetics"]) == ["paper", "integer"]
    assert len(out["differences"]) == 1


@pytest.mark.parametrize("arguments, complaint", [
    (["{data}", "--parameters", "{file}", "--count", "0"], "at least 1 picture"),
    (["{data}", "--parameters", "{file}", "--mistakes", "-1"], "0 or more"),
    (["{data}", "--parameters", "nowhere.npz"], "nowhere.npz"),
    (["{data}", "--parameters", "{file}", "--arithmetic", "double"], "invalid choice: 'double'"),
    (["nowhere", "--parameters", "{file}"], "give the folder of CIFAR-10's binary version"),
    (["{data}", "--parameters", "{file}", "--figures", "{file}"], "own.npz"),
])
def test_bad_input_is_one_clear_error(capsys, dataset, file, arguments, complaint):
    with pytest.raises(SystemExit) as ended:
        main([word.format(data=dataset[0], file=file) for word in arguments])
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert captured.out == ""


def test_other_classes_are_refused(capsys, dataset, cifar_sized, tmp_path):
    from dataclasses import replace

    path = tmp_path / "letters.npz"
    save(path, replace(cifar_sized, classes=list("abcdefghij"), name="letters"))
    with pytest.raises(SystemExit):
        main([str(dataset[0]), "--parameters", str(path)])
    assert "'letters' tells other classes apart" in capsys.readouterr().err
