import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pynq_bnn
from host_ref.integer import IntegerModel
from host_ref.parameters import save
from pynq_bnn import classifier as classifier_module
from pynq_bnn import cli, registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram

OK, DIFFERENT, BAD_INPUT, DEVICE_FAILED = 0, 1, 2, 3
COMMANDS = ("classify", "check", "evaluate", "info", "selftest")  # those that use a device


@pytest.fixture(autouse=True)
def small_network(weights, monkeypatch):
    """Every command here runs on a small network, on the model."""
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "model")


@pytest.fixture
def large(rng):
    return rng.integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)


@pytest.fixture
def files(large, tmp_path):
    """Paths of three pictures."""
    paths = [str(tmp_path / f"{name}.png") for name in ("a", "b", "c")]
    for path, picture in zip(paths, large):
        Image.fromarray(picture).save(path)
    return paths


@pytest.fixture
def dataset(large, tmp_path):
    """A folder laid out as CIFAR-10's binary version with three pictures of class 4."""
    records = [bytes([4]) + picture.transpose(2, 0, 1).tobytes() for picture in large]
    (tmp_path / "test_batch.bin").write_bytes(b"".join(records))
    return str(tmp_path)


@pytest.fixture
def on(monkeypatch):
    """A function that has the commands run on the given device."""
    return lambda device: monkeypatch.setattr(classifier_module, "open_device", lambda _: device)


def arguments_of(command, files, dataset):
    return {"classify": files, "check": files[:1], "evaluate": [dataset], "info": [],
            "selftest": []}[command]


# Every command.

def test_classify(run, files, large, cifar_sized):
    code, out, _ = run("classify", *files, "--top", 2)
    model = IntegerModel(cifar_sized)
    scores = model.scores(model.sums(large))
    lines = out.splitlines()
    assert code == OK
    for n, path in enumerate(files):
        assert lines[3 * n] == path
        best = np.argsort(-scores[n], kind="stable")[:2]
        for line, index in zip(lines[3 * n + 1:3 * n + 3], best):
            assert line.split() == [cifar_sized.classes[index], f"{scores[n][index]:.3f}"]
    assert "device model" in out


def test_classify_json(run, files, large, cifar_sized):
    code, out, err = run("classify", *files, "--json")
    results = json.loads(out)
    model = IntegerModel(cifar_sized)
    assert (code, err) == (OK, "")
    assert [each["path"] for each in results] == files
    assert [each["sums"] for each in results] == model.sums(large).tolist()
    assert [each["index"] for each in results] == model.classify(large).tolist()
    assert all(each["timing"]["device"] == "model" for each in results)


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_classify_saves_a_figure(run, files, tmp_path, extra):
    pytest.importorskip("matplotlib")
    code, out, _ = run("classify", files[0], "--figure", tmp_path / "figure.png", *extra)
    assert code == OK
    with Image.open(str(tmp_path / "figure.png")) as image:
        assert min(image.size) > 100
    if extra:
        json.loads(out)
    else:
        assert str(tmp_path / "figure.png") in out


def test_bench_measures_a_picture_a_batch_and_a_stream(run, weights, files):
    code, out, _ = run("bench", files[0], "--repeat", 2, "--seconds", 0.1, "--json")
    reports = json.loads(out)
    assert code == OK
    assert reports["latency"]["batch"] == 1
    assert reports["latency"]["wall_clock_ms"]["total"]["n"] == 2
    assert reports["latency_of_a_batch"]["batch"] == reports["throughput"]["batch"]
    assert reports["throughput"]["pictures"] > 0
    assert "a call, 2 calls after" in run("bench", files[0], "--repeat", 2, "--seconds", 0.1)[1]


def test_check(run, files):
    code, out, _ = run("check", *files)
    assert code == OK
    assert [line.split()[0] for line in out.splitlines()] == [
        "layer", "conv1", "conv2", "last", "program", "scores", "classes", "PASS:"]
    code, out, _ = run("check", *files, "--json")
    report = json.loads(out)
    assert (code, report["passed"], report["images"], len(report["layers"])) == (OK, True, 3, 6)


def test_evaluate(run, dataset, large, cifar_sized):
    right = int((IntegerModel(cifar_sized).classify(large) == 4).sum())
    code, out, _ = run("evaluate", dataset)
    assert code == OK
    assert out.startswith(f"{right} of 3 right")
    code, out, err = run("evaluate", dataset, "--json", "--count", 2)
    assert (code, err) == (OK, "")
    assert json.loads(out)["count"] == 2


def test_evaluate_saves_the_confusion_matrix(run, dataset, tmp_path):
    pytest.importorskip("matplotlib")
    code, _, _ = run("evaluate", dataset, "--figure", tmp_path / "confusion.png")
    assert code == OK
    assert (tmp_path / "confusion.png").stat().st_size > 1000


def test_info(run, cifar_sized):
    code, out, _ = run("info")
    assert code == OK
    for part in (pynq_bnn.__version__, cifar_sized.checksum, "interface: 4.1", "device: model",
                 "clock_mhz", "batch: 8", "classes: airplane, automobile"):
        assert part in out
    code, out, _ = run("info", "--json")
    info = json.loads(out)
    assert (code, info["pynq_bnn"]) == (OK, pynq_bnn.__version__)
    assert info["network"]["checksum"] == cifar_sized.checksum


def test_selftest(run):
    code, out, _ = run("selftest")
    assert code == OK
    assert out.splitlines()[-1] == "self-test passed on device model"
    code, out, _ = run("selftest", "--json")
    assert (code, json.loads(out)["passed"]) == (OK, True)


def test_another_network(run, tmp_path, parameters, rng):
    save(tmp_path / "other.npz", parameters)
    Image.fromarray(rng.integers(0, 256, (8, 10, 3)).astype(np.uint8)).save(
        str(tmp_path / "small.png"))
    code, out, _ = run("info", "--parameters", tmp_path / "other.npz", "--json")
    assert (code, json.loads(out)["network"]["name"]) == (OK, "small")
    assert run("check", tmp_path / "small.png", "--parameters", tmp_path / "other.npz")[0] == OK


# A device that is wrong: exit code 1, and a report all the same.

def test_a_wrong_device_is_reported_by_check_and_selftest(run, files, on):
    device = ModelDevice()
    on(device)
    row, bit = 55 // 4, 55 % 4 * 128 + 5  # pixel 55 of a map of 16 x 16 pixels of 128 bits
    for value in (0, 1):  # one of the two is wrong
        device.clear_faults()
        device.stick(registers.FMAP_A, row, bit, value)
        code, out, _ = run("check", files[0], "--json")
        if code == DIFFERENT:
            break
    report = json.loads(out)
    assert (code, report["passed"]) == (DIFFERENT, False)
    first = report["layers"][0]["first"]
    assert (first["row"], first["column"], first["channel"]) == (3, 7, 5)
    code, out, _ = run("check", files[0])
    assert code == DIFFERENT
    assert "FAIL: conv1 differs first, at image 0, row 3, column 7, channel 5" in out


def test_a_known_answer_that_is_wrong(run, files, weights, cifar_sized):
    answer = list(cifar_sized.known_answer)
    answer[0] += 2
    save(weights / "cifar10.npz", replace(cifar_sized, known_answer=answer))
    code, out, err = run("classify", files[0])
    assert (code, out) == (DEVICE_FAILED, "")
    assert "known-answer test failed" in err
    code, out, _ = run("selftest")
    assert code == DIFFERENT
    assert "FAIL known answer" in out
    assert run("check", files[0])[0] == OK, "the device is right"


# Bad input: exit code 2; a device that fails: 3; one clear line, or JSON.

@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("arguments,kind,complaint", [
    (["classify", "none.png"], "PictureError", "none.png: no such file"),
    (["check", "none.png"], "PictureError", "none.png: no such file"),
    (["evaluate", "nowhere"], "DatasetError", "test_batch.bin"),
    (["info", "--parameters", "cifar100"], "ParameterError", "no network 'cifar100'"),
    (["classify", "."], "PictureError", "directory"),
])
def test_bad_input(run, tmp_path, monkeypatch, arguments, kind, complaint, as_json):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments, *["--json"] * as_json)
    assert code == BAD_INPUT
    if as_json:
        error = json.loads(out)
        assert (error["kind"], err) == (kind, "")
        assert complaint in error["error"]
    else:
        assert out == ""
        assert err.startswith(f"{kind}: ")
        assert complaint in err
        assert len(err.splitlines()) == 1


def test_a_figure_that_cannot_be_saved(run, files, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "taken.png").mkdir()
    code, out, _ = run("classify", files[0], "--figure", tmp_path / "taken.png", "--json")
    assert code == BAD_INPUT
    assert "taken.png" in json.loads(out)["error"], "the error alone, no results before it"


def test_one_bad_picture_among_good_ones_is_named(run, files, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"text")
    code, out, err = run("classify", files[0], tmp_path / "bad.png", files[1])
    assert (code, out) == (BAD_INPUT, "")
    assert "picture [1]" in err
    assert "bad.png" in err


def test_other_classes_than_cifar10s(run, dataset, tmp_path, cifar_sized):
    classes = [f"breed {n}" for n in range(10)]
    save(tmp_path / "dogs.npz", replace(cifar_sized, classes=classes))
    code, _, err = run("evaluate", dataset, "--parameters", tmp_path / "dogs.npz")
    assert code == BAD_INPUT
    assert "other classes" in err


def test_a_device_that_is_none(run, monkeypatch):
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "abacus")
    code, _, err = run("info")
    assert code == BAD_INPUT
    assert "'abacus'" in err
    assert "PYNQ_BNN_DEVICE" in err


def test_a_device_that_is_not_there(run):
    code, out, _ = run("info", "--device", "board", "--json")
    assert (code, json.loads(out)["kind"]) == (DEVICE_FAILED, "DeviceError")


@pytest.mark.parametrize("device,kind", [
    (lambda: ModelDevice(overrides={"VERSION": 5 << 16}), "IdentificationError"),
    (lambda: ModelDevice(dram=Dram(8192)), "MemoryExhausted")])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_that_fails(run, files, dataset, on, command, device, kind):
    on(device())
    code, out, _ = run(command, *arguments_of(command, files, dataset), "--json")
    assert (code, json.loads(out)["kind"]) == (DEVICE_FAILED, kind)


def test_a_device_that_hangs(run, files, on):
    device = ModelDevice()
    on(device)
    answer, status = device.mmio.read, registers.offset("STATUS")
    device.mmio.read = lambda offset: 1 if offset == status else answer(offset)
    code, _, err = run("classify", files[0], "--timeout", 0.05)
    assert code == DEVICE_FAILED
    assert err.startswith("DeviceTimeout: the accelerator did not finish within 0.05 s")
    del device.mmio.read
    assert run("classify", files[0])[0] == OK


@pytest.mark.parametrize("arguments,complaint", [
    ([], "required"), (["clasify", "a.png"], "invalid choice"), (["classify"], "PATH"),
    (["classify", "a.png", "--top", "0"], "whole number"),
    (["classify", "a.png", "--top", "three"], "whole number"),
    (["evaluate", "folder", "--count", "-5"], "whole number"),
    (["classify", "a.png", "--top", "9" * 5000], "whole number"),
    (["info", "--timeout", "0"], "is not a time of more than 0 s"),
    (["info", "--timeout", "nan"], "is not a time"),
    (["info", "--timeout", "inf"], "is not a time"),
    (["info", "--timeout", "soon"], "is not a time"),
    (["info", "--device", "gpu"], "invalid choice"),
    (["classify", "a.png", "--figure", "figure.docx"], "does not end in .png or .pdf"),
    (["classify", "a.png", "--figure", "no/such/folder/figure.png"], "not a folder"),
    (["convert", "a.npz"], "OUTPUT.npz"), (["convert", "a.npz", "b.zip"], "does not end in .npz"),
    (["convert", "a", "b.npz", "--from", "keras"], "invalid choice"),
    (["network", "--device", "model"], "unrecognized"),
])
def test_bad_usage_is_told_before_anything_is_done(arguments, complaint, capsys, monkeypatch):
    monkeypatch.setattr(classifier_module, "open_device", lambda _: pytest.fail("opened"))
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == BAD_INPUT
    assert complaint in capsys.readouterr().err


def test_a_figure_without_matplotlib_is_told_before_anything_is_done(capsys, monkeypatch):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        cli.main(["classify", "a.png", "--figure", "figure.png"])
    assert "needs matplotlib" in capsys.readouterr().err


def test_help_names_every_command_and_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(command in out for command in (*COMMANDS, "convert", "network"))
    assert "Exit codes" in out


def test_run_as_a_module():
    result = subprocess.run([sys.executable, "-m", "pynq_bnn", "--version"], check=True,
                            cwd=str(Path(pynq_bnn.__file__).parents[1]),
                            stdout=subprocess.PIPE, universal_newlines=True)
    assert result.stdout.strip() == pynq_bnn.__version__
