"""The commands that need no device: convert and network.  The others: test_cli.py."""

import json

import numpy as np
import pytest

from host_ref.network import CIFAR10, Network
from host_ref.parameters import load

OK, BAD_INPUT = 0, 2


@pytest.fixture
def described(cifar_sized, tmp_path):
    """A JSON file that describes a small network for CIFAR-10's pictures."""
    path = tmp_path / "network.json"
    path.write_text(json.dumps(cifar_sized.network.description()))
    return path


@pytest.fixture
def arrays(cifar_sized, rng):
    """Such a network as Zhao et al. would hold it: w, k, h a layer, in Lasagne's order."""
    result = []
    for layer, own in zip(cifar_sized.network.layers, cifar_sized.layers):
        shape = ((layer.out_channels, layer.in_channels, 3, 3) if layer.is_conv
                 else (layer.in_channels, layer.out_channels))
        result += [rng.uniform(-1, 1, shape).astype(np.float32), own.k, own.h]
    return result


@pytest.fixture
def source(arrays, tmp_path):
    np.savez(tmp_path / "theirs.npz", *arrays)
    return tmp_path / "theirs.npz"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "ours.npz"


def test_convert(run, source, output, described):
    code, out, err = run("convert", source, output, "--network", described)
    converted = load(output)
    lines = out.splitlines()
    assert (code, err) == (OK, "")
    assert converted.name == "theirs"
    assert converted.training["sha256"] in lines[0]
    assert [line.split()[0] for line in lines[2:5]] == ["conv1", "conv2", "last"]
    for layer, line in zip(converted.layers, lines[2:5]):
        assert f"{layer.weights.mean():.1%}" in line
        assert f"{(layer.k < 0).sum()} of" in line
    assert all(f"  {line}" in lines for line in converted.training["assumed"])
    assert converted.checksum in lines[-1]
    assert "not measured" in lines[-1]


def test_convert_as_json(run, source, output, described):
    code, out, _ = run("convert", source, output, "--network", described, "--json")
    report = json.loads(out)
    assert (code, report["checksum"]) == (OK, load(output).checksum)
    assert report["converted_from"] == "Zhao et al.'s w, k, h"


@pytest.mark.parametrize("in_file", [True, False])
def test_convert_with_classes_and_a_name(run, source, output, described, tmp_path, in_file):
    names = [f"breed {number}" for number in range(10)]
    (tmp_path / "names.txt").write_text("\n".join(names) + "\n")
    classes = tmp_path / "names.txt" if in_file else ",".join(names)
    code, _, _ = run("convert", source, output, "--network", described, "--classes", classes,
                     "--name", "dogs")
    assert code == OK
    assert (load(output).name, list(load(output).classes)) == ("dogs", names)


def test_convert_straight_kernels(run, source, output, described, arrays):
    for kernels, expected in (("straight", arrays[0]), ("flipped", arrays[0][:, :, ::-1, ::-1])):
        assert run("convert", source, output, "--network", described, "--force",
                   "--kernels", kernels)[0] == OK
        weights = load(output).layers[0].weights
        assert np.array_equal(weights, expected.transpose(0, 2, 3, 1) < 0), kernels


def test_convert_overwrites_only_by_force(run, source, output, described):
    output.write_bytes(b"precious")
    code, _, err = run("convert", source, output, "--network", described)
    assert code == BAD_INPUT
    assert "ours.npz exists: --force" in err
    assert output.read_bytes() == b"precious"
    assert run("convert", source, output, "--network", described, "--force")[0] == OK
    assert load(output).name == "theirs"


@pytest.mark.parametrize("change,complaint", [
    (lambda arrays: arrays.pop(), "8 arrays, must have 9"),
    (lambda arrays: arrays[3].fill(np.nan), r"arr_3 (w of layer 'conv2') holds NaN"),
])
def test_a_bad_source_leaves_no_file(run, arrays, output, described, tmp_path, change, complaint):
    change(arrays)
    np.savez(tmp_path / "bad.npz", *arrays)
    code, out, err = run("convert", tmp_path / "bad.npz", output, "--network", described)
    assert (code, out) == (BAD_INPUT, "")
    assert err.startswith("ParameterError: ")
    assert complaint in err
    assert len(err.splitlines()) == 1
    assert not output.exists()


@pytest.mark.parametrize("arguments,complaint", [
    (["none.npz", "out.npz"], "none.npz"),
    (["theirs.npz", "no/such/folder/out.npz", "--network", "network.json"], "no/such/folder"),
    (["theirs.npz", "out.npz", "--network", "none.json"], "none.json"),
    (["theirs.npz", "out.npz", "--network", "theirs.npz"], "is not valid JSON"),
    (["theirs.npz", "out.npz", "--network", "deep.json"], "nested too deeply"),
    (["theirs.npz", "out.npz", "--network", "folder"], "folder can't be read: Is a directory"),
    (["theirs.npz", "out.npz", "--network", "list.json"], "list.json: network description"),
    (["theirs.npz", "out.npz", "--network", "network.json", "--classes", "theirs.npz"],
     "is neither classes"),
    (["theirs.npz", "out.npz", "--network", "network.json", "--classes", "a,b"], "2 classes"),
])
def test_bad_input(run, source, described, tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "folder").mkdir()
    code, out, err = run("convert", *arguments)
    assert (code, out) == (BAD_INPUT, "")
    assert complaint in err
    assert len(err.splitlines()) == 1


def test_network(run, weights, cifar_sized):
    code, out, _ = run("network")
    assert code == OK
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["conv1", "conv2", "last"]
    assert f"{cifar_sized.network.macs:,} multiply-accumulates" in out


def test_network_as_json_gives_a_description_to_start_from(run, weights, cifar_sized):
    code, out, _ = run("network", "--json")
    content = json.loads(out)
    assert (code, content["total"]["macs"]) == (OK, cifar_sized.network.macs)
    assert Network.from_description(content["description"]) == cifar_sized.network


def test_network_of_what_is_none(run):
    code, _, err = run("network", "--parameters", "cifar100")
    assert code == BAD_INPUT
    assert "no network 'cifar100'" in err


def test_the_shipped_network_is_the_papers(run):
    code, out, _ = run("network", "--json")
    assert code == OK
    assert Network.from_description(json.loads(out)["description"]) == CIFAR10
