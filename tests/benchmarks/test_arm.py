"""The ARM benchmark, as far as no emulator is needed: its stand-in, its sums, its messages."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from host_ref import network as net
from host_ref.random_networks import random_parameters
from pynq_bnn import Classifier

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name, path, monkeypatch):
    """A module of the benchmarks, which are no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS / "arm"))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def arm(monkeypatch):
    return load("benchmarks_arm", BENCHMARKS / "arm.py", monkeypatch)


@pytest.fixture
def measured(monkeypatch):
    return load("benchmarks_arm_measured", BENCHMARKS / "arm/measured.py", monkeypatch)


@pytest.fixture
def run_tests(monkeypatch):
    return load("benchmarks_arm_run_tests", BENCHMARKS / "arm/run_tests.py", monkeypatch)


@pytest.fixture
def fake_root(monkeypatch, run_tests, tmp_path):
    """An emulator that prints its environment's search path and its arguments."""
    root, qemu = tmp_path / "root", tmp_path / "qemu-arm"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/python3.11").touch()
    qemu.write_text('#!/bin/sh\nprintf "%s\\n" "$PYTHONPATH" "$@"\n')
    qemu.chmod(0o755)
    emulator = run_tests.emulator
    monkeypatch.setattr(emulator, "BUILD", tmp_path)
    monkeypatch.setattr(emulator, "root", lambda: root)
    monkeypatch.setattr(emulator.shutil, "which", lambda name: str(tmp_path / name))
    return root


@pytest.fixture
def classifier(measured):
    """A small network on the stand-in; loading it reads all parameters back."""
    network = net.Network.from_description({"height": 32, "width": 32, "layers": [
        {"name": "conv1", "kind": net.FP_CONV, "outputs": 64, "padding": net.ZERO, "pool": True},
        {"name": "conv2", "kind": net.BIN_CONV, "outputs": 64, "padding": net.ONE, "pool": True},
        {"name": "last", "kind": net.LAST, "outputs": 10}]})
    parameters = random_parameters(network, np.random.default_rng(0))
    with Classifier(parameters, measured.StandIn(), known_answer=False) as classifier:
        yield classifier


def test_the_stand_in_takes_every_measured_call(measured, classifier, tmp_path):
    path = tmp_path / "picture.jpg"
    measured.Image.fromarray(measured.random_pictures()[0]).resize((60, 40)).save(path)
    for row in measured.rows(classifier, str(path), str(path)):
        row.call()
        row.call()


def test_parts_are_marked_and_restored(measured, classifier, capfd):
    before = Classifier.classify
    table = measured.measure_parts(classifier)
    assert Classifier.classify is before
    names = {row["meaning"] for row in table}
    assert {"nothing", "pynq_bnn.classifier.Classifier.classify",
            "pynq_bnn.images.to_pictures"} <= names
    assert capfd.readouterr().err.count("begin") == len(table)


def test_marks_and_the_empty_call_are_taken_off(arm):
    said = {"about": {"warm_up": 1, "repeats": 2, "marks": 3},
            "rows": [{"meaning": "nothing", "divisor": 1}, {"meaning": "work", "divisor": 4}]}
    lines, count = ["a warning"], 0
    # a mark costs 100, an empty call 10 more; warming up costs whatever it likes
    for mark, call in [(900, 999), (100, 110), (100, 110), (900, 99999), (100, 510), (130, 518)]:
        for step in (0, mark, call):
            count += step
            lines.append(f"instructions {count}")
    assert arm.call_counts(said, lines) == {"work": (100, 2)}


def test_parts_are_sums_over_their_calls(arm):
    rows = [{"call": "all", "meaning": "nothing", "times": 1, "divisor": 1},
            {"call": "all", "meaning": "part", "times": 2, "divisor": 2}]
    lines = ["instructions 3", "begin", "instructions 10", "instructions 20", "end",
             "begin", "instructions 30", "instructions 60", "instructions 70",
             "instructions 90", "end"]
    assert arm.part_counts({"rows": rows}, lines) == [("all", "part", 2, 15)]


def test_counts_that_are_missing_end_it_with_a_message(arm):
    said = {"about": {"warm_up": 1, "repeats": 2, "marks": 3},
            "rows": [{"meaning": "nothing", "divisor": 1}]}
    with pytest.raises(SystemExit, match="0 counts"):
        arm.call_counts(said, [])


def test_a_failing_script_ends_it_with_its_last_line(arm, monkeypatch):
    class Failed:
        returncode, stdout = 1, ""
        stderr = "instructions 1\nValueError: what was wrong\ninstructions 2\n"

    monkeypatch.setattr(arm.emulator, "python", lambda arguments: Failed)
    with pytest.raises(SystemExit, match="ValueError: what was wrong$"):
        arm.emulated("calls")


@pytest.mark.parametrize("missing, package", [("qemu-arm", "qemu-user"), ("gcc", "gcc")])
def test_without_a_tool_it_says_what_to_install(arm, monkeypatch, missing, package):
    monkeypatch.setattr(arm.emulator.shutil, "which",
                        lambda name: None if name == missing else f"/usr/bin/{name}")
    monkeypatch.setattr(arm.emulator.os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match=f"{missing} is missing: sudo apt install {package}"):
        arm.emulator.require_tools()


def test_the_targets_are_those_of_measured_calls(arm, measured, classifier):
    meanings = [row.meaning for row in measured.rows(classifier, "", "")]
    assert meanings[0] == "nothing"
    assert {*arm.TARGETS, arm.JPEG, arm.FULL} <= set(meanings)


def test_the_photograph_is_the_same_every_time(arm):
    first, second = (np.asarray(arm.photo((64, 48))) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (48, 64, 3)
    assert first.std() > 20


def test_what_is_run_emulated_can_run_itself_again(run_tests, fake_root, tmp_path):
    script = run_tests.emulator.launcher([tmp_path / "one", tmp_path / "two"])
    search, *arguments = _said(script, {}, "-c", "print('a b')")
    assert search == f"{fake_root}/usr/lib/python3/dist-packages:{tmp_path}/one:{tmp_path}/two"
    assert arguments == ["-cpu", "cortex-a9", "-L", str(fake_root), "-0", str(script),
                         f"{fake_root}/usr/bin/python3.11", "-c", "print('a b')"]
    assert _said(script, {"PYTHONPATH": "/own"})[0] == "/own"


def _said(script, environment, *arguments):
    return subprocess.run([str(script), *arguments], env=environment, text=True, check=True,
                          stdout=subprocess.PIPE).stdout.splitlines()


@pytest.mark.parametrize("options, chosen", [
    (["-v"], ["tests/pynq_bnn", "tests/host_ref", "tests/pynq_sim"]),
    (["tests/host_ref", "-x"], ["tests/host_ref"])])
def test_all_tests_or_those_that_are_named(run_tests, fake_root, monkeypatch, capfd, tmp_path,
                                           options, chosen):
    monkeypatch.setattr(run_tests, "packages", lambda: tmp_path)
    assert run_tests.main(options) == 0
    said = capfd.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("tests/")] == chosen
    assert "--ignore=tests/host_ref/training" in said


def test_what_was_counted_is_of_todays_engine(measured, monkeypatch):
    comparison = load("benchmarks_comparison", BENCHMARKS / "comparison.py", monkeypatch)
    assert comparison.ENGINE == measured.ENGINE
    row, = comparison.cortex_a9()  # none if engine.c has changed since: make bench-arm
    assert row.kind == "predicted"
    assert row.alone_ms * row.rate == pytest.approx(1e3)
