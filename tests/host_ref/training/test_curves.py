import json

import pytest

from host_ref.training import curves


def write(folder, accuracies):
    folder.mkdir()
    entries = [{"epoch": epoch, "loss": 1.0, "train_accuracy": accuracy,
                "validation_accuracy": accuracy} for epoch, accuracy in enumerate(accuracies, 1)]
    (folder / curves.HISTORY).write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_runs_are_drawn_one_behind_the_other(tmp_path, monkeypatch):
    write(tmp_path / "first", [0.1, 0.2])
    write(tmp_path / "second", [0.3, 0.4, 0.5])
    drawn = []
    monkeypatch.setattr(curves, "plot", lambda *arguments: drawn.append(arguments))
    curves.chain([tmp_path / "first", tmp_path / "second"], tmp_path / "curves.png")
    history, _, borders = drawn[0]
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4, 5]
    assert [entry["loss"] for entry in history] == [1] * 5
    assert [entry["validation_accuracy"] for entry in history] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert borders == [2.5]


def test_the_command_draws_a_picture(tmp_path, monkeypatch):
    write(tmp_path / "run", [0.1, 0.2])
    output = tmp_path / "curves.png"
    monkeypatch.setattr("sys.argv", ["curves", str(tmp_path / "run"), "--output", str(output)])
    curves.main()
    assert output.stat().st_size > 5000


def test_a_folder_without_a_history_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["curves", str(tmp_path), "--output", "x.png"])
    with pytest.raises(SystemExit):
        curves.main()
    assert f"no {curves.HISTORY} in {tmp_path}" in capsys.readouterr().err
