"""Exit codes when the output can't be written, and names that would drive a terminal."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import pynq_bnn
from host_ref.parameters import save
from pynq_bnn import cli
from pynq_bnn.cli import commands

OK, DIFFERENT, BAD_INPUT, DEFECT, READER_LEFT = 0, 1, 2, 70, 141
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
HOSTILE = ["\x1b[2J\x1b[31mcat", "half \udcff", "a\nPASS: every layer", "tab\t\r\x07", "\u202egod",
           "naïve", "\x9b5A", "猫", "deer", "dog"]


@pytest.fixture
def process():
    """A function that runs a command as its own process: exit code, output, errors (as bytes)."""

    def process(*arguments, stdout=subprocess.PIPE, **environment):
        done = subprocess.run([sys.executable, "-m", "pynq_bnn", *map(str, arguments)],
                              cwd=str(Path(pynq_bnn.__file__).parents[1]), stdout=stdout,
                              stderr=subprocess.PIPE, env=dict(os.environ, **environment))
        return done.returncode, done.stdout, done.stderr

    return process


@pytest.fixture
def hostile(tmp_path, cifar_sized):
    """A network whose name and classes attack a terminal."""
    path = tmp_path / "hostile.npz"
    save(path, replace(cifar_sized, classes=HOSTILE, name=HOSTILE[0]))
    return path


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (32, 32)).save(str(path))
    return path


def test_a_terminal_that_knows_only_ascii(process, hostile):
    code, out, err = process("info", "--parameters", hostile, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (code, err) == (OK, b"")
    assert rb"na\xefve, \x9b5A, \u732b, deer" in out


def test_a_reader_that_left(process):
    reading, writing = os.pipe()
    os.close(reading)
    code, _, err = process("network", stdout=writing)
    os.close(writing)
    assert (code, err) == (READER_LEFT, b"")


@needs_full
@pytest.mark.parametrize("command", [["network"], ["network", "--json"]])
def test_a_full_disk(process, command):
    with open(str(FULL), "wb") as full:
        code, _, err = process(*command, stdout=full)
    assert code == BAD_INPUT
    assert err == b"OSError: the output can't be written: No space left on device\n"


@needs_full
def test_an_error_that_cannot_be_told_keeps_its_code(monkeypatch):
    with open(str(FULL), "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert cli.main(["network", "--parameters", "none.npz"]) == BAD_INPUT


@needs_full
def test_a_full_disk_for_a_figure(run, weights, picture, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "figure.png").symlink_to(FULL)
    code, out, err = run("classify", picture, "--figure", tmp_path / "figure.png")
    assert (code, out) == (BAD_INPUT, "")
    assert "No space left" in err
    assert len(err.splitlines()) == 1


def test_no_output_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert cli.main(["network"]) == OK


def test_a_defect_is_told_from_a_difference(run, monkeypatch):
    monkeypatch.setitem(commands.COMMANDS, "network", lambda options: 1 // 0)
    code, out, err = run("network")
    assert (code, out) == (DEFECT, "")
    assert err.startswith("Traceback")
    assert "ZeroDivisionError" in err


# Names from a file.

def harmless(text):
    """Lines of characters that do nothing but show."""
    text.encode("utf-8")
    assert all(line.isprintable() for line in text.split("\n"))
    return text


@pytest.mark.parametrize("command", ["classify", "info", "check", "network", "selftest"])
def test_names_drive_no_terminal(run, hostile, picture, command):
    paths = [picture] if command in ("classify", "check") else []
    code, out, err = run(command, *paths, "--parameters", hostile,
                         *["--top", "10"] * (command == "classify"))
    assert (code, err) == (OK, "")
    harmless(out)
    assert "\nPASS: every layer\n" not in out.replace(r"\n", "")
    if command in ("classify", "info"):
        assert r"\x1b[2J\x1b[31mcat" in out
        assert r"half \udcff" in out
        assert r"a\nPASS: every layer" in out
        assert "naïve" in out


def test_names_in_an_error(run, hostile, dataset):
    code, _, err = run("evaluate", dataset[0], "--parameters", hostile)
    assert code == BAD_INPUT
    assert r"\x1b[2J\x1b[31mcat" in harmless(err)
    assert len(err.splitlines()) == 1
    code, out, _ = run("evaluate", dataset[0], "--parameters", hostile, "--json")
    assert r"\x1b[2J" in json.loads(out)["error"]


def test_a_path_that_does_not_exist(run):
    for path in ("\x1b[2J.png", "x" * 5000 + ".png", "a\0b.png", "\udcff.png"):
        code, _, err = run("classify", path)
        assert code == BAD_INPUT
        assert len(harmless(err)) < 1200
        assert err.startswith("PictureError: ")


@pytest.mark.parametrize("arguments,complaint", [
    (["evaluate", "{}"], "DatasetError"),
    (["info", "--parameters", "{}"], "ParameterError"),
    (["convert", "{}", "out.npz"], ""),
    (["convert", "theirs.npz", "out.npz", "--network", "{}"], "ParameterError"),
    (["convert", "theirs.npz", "out.npz", "--classes", "{}"], "Error"),
])
@pytest.mark.parametrize("path", ["a\0b", "x" * 5000], ids=["NUL", "long"])
def test_a_path_that_is_none(run, tmp_path, monkeypatch, arguments, complaint, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.npz").write_bytes(b"")
    code, out, err = run(*(word.format(path) for word in arguments))
    assert (code, out) == (BAD_INPUT, "")
    assert len(harmless(err).splitlines()) == 1
    assert complaint in err
    assert len(err) < 1200


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000], ids=["NUL", "long"])
@pytest.mark.parametrize("arguments", [
    ["classify", "a.png", "--figure", "{}.png"], ["evaluate", ".", "--figure", "{}.png"],
    ["convert", "theirs.npz", "{}.npz"]])
def test_an_output_that_cannot_be_is_told_before_anything_is_done(capsys, arguments, path):
    with pytest.raises(SystemExit) as caught:
        cli.main([word.format(path) for word in arguments])
    assert caught.value.code == BAD_INPUT
    err = capsys.readouterr().err
    assert "is not a path to write to: " in err
    assert len(err.splitlines()[-1]) < 400
