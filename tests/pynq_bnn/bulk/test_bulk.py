"""Big sets: every picture once, in order, whatever is damaged or interrupted."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from pynq_bnn import Classifier
from pynq_bnn.bulk import AnswersError, classify_all
from pynq_bnn.bulk import decoding as decoding_module
from pynq_bnn.errors import BnnError, PictureError


@pytest.fixture(scope="module")
def classifier():
    with Classifier(device="model") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path):
    """Forty pictures in two folders, three of them damaged, and a text."""
    rng, root = np.random.default_rng(3), tmp_path / "set"
    for n in range(40):
        path = root / ("b" if n % 2 else "a") / f"{n:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(path)
    for name in ("a/04.png", "a/06.png", "b/39.png"):
        (root / name).write_bytes((root / name).read_bytes()[:40])
    (root / "notes.txt").write_text("no picture")
    return root


def expected(classifier, folder):
    """(name, label), without a label where the picture is damaged."""
    rows = []
    for path in sorted(folder.rglob("*.png")):
        try:
            rows.append((str(path), classifier.classify(str(path)).label))
        except PictureError:
            rows.append((str(path), None))
    return rows


def read(path):
    if path.suffix == ".csv":
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [int(row["index"]) for row in rows] == list(range(len(rows)))
    assert all(bool(row["label"]) != bool(row["error"]) for row in rows)
    return [(row["name"], row["label"] or None) for row in rows]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("workers", [0, 2])
def test_every_picture_once_and_in_order(classifier, folder, tmp_path, suffix, workers):
    output = tmp_path / f"answers{suffix}"
    summary = classify_all(classifier, [folder], output, workers=workers)
    assert read(output) == expected(classifier, folder)
    assert (summary.classified, summary.bad, summary.before) == (37, 3, 0)
    assert sum(summary.labels.values()) == 37
    assert "37 pictures classified, 3 could not" in str(summary)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_archives_give_what_the_folder_gives(classifier, folder, tmp_path, suffix):
    archive, output = tmp_path / f"set{suffix}", tmp_path / "answers.jsonl"
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in paths:
                file.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz" if suffix == ".tar.gz" else "w") as file:
            for path in paths:
                file.add(path, path.relative_to(folder))
    classify_all(classifier, [archive], output, workers=0)
    assert read(output) == [(name.replace(str(folder), str(archive)), label)
                            for name, label in expected(classifier, folder)]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("cut", [0, 1, 1000, 2500, 4000])
def test_an_interrupted_run_goes_on_where_its_file_ends(classifier, folder, tmp_path, suffix, cut):
    whole, output = tmp_path / f"whole{suffix}", tmp_path / f"answers{suffix}"
    classify_all(classifier, [folder], whole, workers=0)
    output.write_bytes(whole.read_bytes()[:cut])  # in the middle of a line, most often
    summary = classify_all(classifier, [folder], output, resume=True, workers=0)
    assert output.read_bytes() == whole.read_bytes()
    assert summary.before + summary.classified + summary.bad == 40
    again = classify_all(classifier, [folder], output, resume=True, workers=0)
    assert (again.before, again.classified, again.bad) == (40, 0, 0)


def test_an_error_in_the_midst_leaves_what_was_answered(classifier, folder, tmp_path, monkeypatch):
    output, missing = tmp_path / "answers.jsonl", tmp_path / "missing"
    with pytest.raises(PictureError, match="missing: no such file"):
        classify_all(classifier, [folder, missing], output, workers=0)
    missing.mkdir()
    classify_all(classifier, [folder, missing], output, resume=True, workers=0)
    assert read(output) == expected(classifier, folder)


def test_a_file_that_is_there_is_not_overwritten(classifier, folder, tmp_path):
    output = tmp_path / "answers.csv"
    output.write_text("mine")
    with pytest.raises(AnswersError, match="exists: resume goes on"):
        classify_all(classifier, [folder], output, workers=0)
    assert output.read_text() == "mine"


def test_answers_of_other_pictures_or_parameters_are_refused(classifier, folder, tmp_path):
    output = tmp_path / "answers.jsonl"
    classify_all(classifier, [folder / "a"], output, workers=0)
    with pytest.raises(AnswersError, match="its answer 0 is of .*00.png.*01.png"):
        classify_all(classifier, [folder / "b"], output, resume=True, workers=0)
    with pytest.raises(AnswersError, match="have 'nothing' there"):
        classify_all(classifier, [folder / "a" / "00.png"], output, resume=True, workers=0)
    text = output.read_text()
    output.write_text(text.replace(classifier.parameters.checksum, "0123456789abcdef"))
    with pytest.raises(AnswersError, match="of parameters 0123456789abcdef, not"):
        classify_all(classifier, [folder / "a"], output, resume=True, workers=0)
    output.write_text("[]\n")
    with pytest.raises(AnswersError, match="no file of answers"):
        classify_all(classifier, [folder / "a"], output, resume=True, workers=0)


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_a_damaged_archive_is_named(classifier, tmp_path, name):
    (tmp_path / name).write_bytes(b"no archive at all" * 40)
    with pytest.raises(PictureError, match=f"{name} is damaged or no archive"):
        classify_all(classifier, [tmp_path / name], tmp_path / "answers.csv", workers=0)


def test_the_pictures_in_memory_are_few(classifier, folder, tmp_path, monkeypatch):
    """However many there are: chunks that are begun, and the batches on the device."""
    made, most = [], 0
    picture = decoding_module._picture

    def counted(entry, height, width):
        made.append(entry.name)
        return picture(entry, height, width)

    monkeypatch.setattr(decoding_module, "_picture", counted)
    monkeypatch.setattr(decoding_module, "CHUNK", 4)
    answered = 0
    stream = classifier.stream

    def watched(pictures):
        nonlocal answered, most
        for result in stream(pictures):
            most = max(most, len(made) - answered)
            answered += 1
            yield result

    monkeypatch.setattr(classifier, "stream", watched)
    many = [folder] * 5
    classify_all(classifier, many, tmp_path / "answers.csv", workers=0)
    assert len(made) == 200
    damaged = 3 * len(many)  # decoded, and never answered by the stream
    assert most <= 3 * classifier.batch + 4 + damaged


def test_a_decoding_process_that_dies_is_an_error(classifier, folder, tmp_path):
    """Killed for real, by a picture's path that a worker opens."""
    output = tmp_path / "answers.csv"
    with pytest.raises(BnnError, match="died .*go on with resume"):
        classify_all(classifier, _killing([folder] * 8), output, workers=1)
    classify_all(classifier, [folder] * 8, output, resume=True, workers=1)
    assert read(output) == 8 * expected(classifier, folder)


def _killing(sources):
    """The sources; after the first, the processes that decode are killed."""
    for number, source in enumerate(sources):
        if number == 5:
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)
        yield source


def test_the_command(run, folder, tmp_path):
    output = tmp_path / "answers.jsonl"
    arguments = ("classify", folder, "--output", output, "--workers", 0, "--device", "model",
                 "--json")
    code, out, _ = run(*arguments)
    assert code == 0
    assert json.loads(out)["classified"] == 37
    code, out, _ = run(*arguments)
    assert code == 2
    assert "resume" in json.loads(out)["error"]
    code, out, _ = run(*arguments, "--resume")
    assert code == 0
    assert json.loads(out)["before"] == 40


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_that_is_interrupted_or_killed_goes_on(classifier, folder, tmp_path, with_signal,
                                                     workers):
    output, whole = tmp_path / "answers.jsonl", tmp_path / "whole.jsonl"
    many = [folder] * 8
    process = subprocess.Popen(
        [sys.executable, "-m", "pynq_bnn", "classify", *map(str, many), "--output", str(output),
         "--device", "model", "--workers", str(workers), "--json"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        # a shell's background jobs ignore SIGINT, and so would their children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    end = time.monotonic() + 60
    while (not output.exists() or not output.stat().st_size) and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(with_signal)
    assert process.wait(60) != 0
    count = len(output.read_bytes().splitlines())
    assert 0 < count < 320
    classify_all(classifier, many, output, resume=True, workers=0)
    classify_all(classifier, many, whole, workers=0)
    assert output.read_bytes() == whole.read_bytes()


def test_options_that_need_an_output_say_so(run, folder):
    code, _, error = run("classify", folder / "a" / "00.png", "--resume")
    assert code == 2
    assert "--resume, --workers and --cluster go with --output" in error
