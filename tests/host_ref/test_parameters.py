"""Every way in which a parameter file can be bad gives one error that names file and layer."""

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from host_ref.network import CIFAR10, MAX_LAYERS, Network
from host_ref.parameters import (
    MAX_MAGNITUDE,
    VALUES,
    LayerParameters,
    ParameterError,
    Parameters,
    known_answer_picture,
    load,
    save,
)
from host_ref.random_networks import random_parameters

NETWORK = Network.from_description({"height": 4, "width": 6, "layers": [
    {"name": "conv1", "kind": "fp_conv", "outputs": 64, "padding": "none", "pool": True},
    {"name": "fc1", "kind": "bin_fc", "outputs": 128},
    {"name": "out", "kind": "last", "outputs": 3}]})


def make(**changes):
    parameters = random_parameters(NETWORK, np.random.default_rng(1))
    return replace(parameters, classes=["cat", "dog", "naïve"], name="test",
                   training={"epochs": 3, "rate": 0.1},
                   accuracy={"test": 0.875, "pictures": 10000}, known_answer=[4, -128, 0],
                   **changes)


@pytest.fixture
def path(tmp_path):
    result = tmp_path / "net.npz"
    save(result, make())
    return result


def raw(path):
    with np.load(str(path)) as archive:
        return {name: archive[name] for name in archive.files}


def write_raw(path, arrays):
    with open(str(path), "wb") as file:
        np.savez(file, **arrays)


def header_of(arrays):
    return json.loads(arrays["header"].tobytes().decode())


def with_header(arrays, **changes):
    header = header_of(arrays)
    for name, value in changes.items():
        if value is KeyError:
            del header[name]
        else:
            header[name] = value
    return dict(arrays, header=np.frombuffer(json.dumps(header).encode(), np.uint8))


def complaint(path):
    """The message of the one error that loading gives; it must name the file."""
    with pytest.raises(ParameterError) as caught:
        load(path)
    assert "net.npz" in str(caught.value)
    return str(caught.value)


# ---- good files


def test_everything_survives(path):
    saved, loaded = make(), load(path)
    assert loaded.network == saved.network
    for name in ("classes", "name", "preprocessing", "training", "accuracy", "known_answer",
                 "checksum"):
        assert getattr(loaded, name) == getattr(saved, name)
    for one, other in zip(saved.layers, loaded.layers):
        for name in ("weights", "k", "h"):
            assert getattr(one, name).dtype == getattr(other, name).dtype
            # bit for bit: -0.0 stays -0.0
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
            assert getattr(one, name).shape == getattr(other, name).shape


def test_text_paths_and_any_suffix(tmp_path):
    save(str(tmp_path / "weights.bin"), make())
    assert [file.name for file in tmp_path.iterdir()] == ["weights.bin"]
    assert load(str(tmp_path / "weights.bin")).name == "test"


def test_saving_is_deterministic(tmp_path, path):
    again = tmp_path / "again.npz"
    save(again, load(path))
    assert again.read_bytes() == path.read_bytes()


def test_an_interrupted_save_leaves_the_old_file(path, monkeypatch):
    def fail(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    before = path.read_bytes()
    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(KeyboardInterrupt):
        save(path, make(preprocessing={"size": [4, 6], "crop": "fit", "values": VALUES}))
    assert path.read_bytes() == before


def test_the_checksum_covers_everything(path):
    seen = {load(path).checksum}
    other = make()
    other.layers[1].weights[127, 127] ^= 1
    variants = [other, make(), make(), replace(make(), name="other"),
                replace(make(), accuracy={"test": 0.9}), replace(make(), known_answer=None)]
    variants[1].layers[0].k[5] = 17
    variants[2].layers[2].h[2] = 17
    for variant in variants:
        assert re.fullmatch("[0-9a-f]{64}", variant.checksum)
        seen.add(variant.checksum)
    assert len(seen) == 1 + len(variants)


def test_the_file_for_cifar10_is_small(tmp_path):
    parameters = random_parameters(CIFAR10, np.random.default_rng(2))
    save(tmp_path / "cifar10.npz", parameters)
    assert (tmp_path / "cifar10.npz").stat().st_size <= 2_200_000
    loaded = load(tmp_path / "cifar10.npz")
    assert loaded.checksum == parameters.checksum
    assert (loaded.layers[0].weights == parameters.layers[0].weights).all()


def test_the_known_answer_picture():
    picture = known_answer_picture(32, 32)
    assert picture.dtype == np.uint8
    assert picture.shape == (32, 32, 3)
    assert picture[3, 5, 2] == (59 * 5 + 71 * 3 + 10 * 15 + 202) % 256
    for channel in range(3):
        assert len(np.unique(picture[:, :, channel])) == 256
    assert known_answer_picture(1, 7).shape == (1, 7, 3)


# ---- bad files


def test_missing_file(tmp_path):
    complaint(tmp_path / "net.npz")


@pytest.mark.parametrize("content", [
    b"", b"not a parameter file", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x80\x04K\x01."])
def test_something_else(path, content):
    path.write_bytes(content)
    complaint(path)


def test_a_lone_array(path):
    with open(str(path), "wb") as file:
        np.save(file, np.arange(5))
    complaint(path)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_truncated(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[:int(len(content) * keep)])
    complaint(path)


def test_one_flipped_bit_anywhere(path):
    """Zip's own CRC or our checks catch it, or it lies where it changes nothing."""
    content, checksum = path.read_bytes(), load(path).checksum
    rng = np.random.default_rng(3)
    refused = 0
    for place in rng.integers(0, len(content), 200):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(damaged))
        try:
            assert load(path).checksum == checksum
        except ParameterError as error:
            refused += 1
            assert "net.npz" in str(error)  # noqa: PT017 - most places must raise, not all
    assert refused > 100


def test_pickles_are_never_read(path):
    write_raw(path, dict(raw(path), **{"fc1.k": np.array([{}], dtype=object)}))
    complaint(path)


@pytest.mark.parametrize("name", ["conv1.weights", "fc1.k", "out.h"])
def test_missing_array(path, name):
    arrays = raw(path)
    del arrays[name]
    write_raw(path, arrays)
    assert name in complaint(path)


def test_unexpected_array(path):
    write_raw(path, dict(raw(path), **{"fc1.bias": np.zeros(128, np.float32)}))
    assert "fc1.bias" in complaint(path)


def test_without_header(path):
    arrays = raw(path)
    del arrays["header"]
    write_raw(path, arrays)
    assert "header" in complaint(path)


@pytest.mark.parametrize("header", [b"", b"{", b"[]", b"7", b"\xff", b"{}", b'{"format": "new"}',
                                    b'{"format": Infinity}'])
def test_garbled_header(path, header):
    write_raw(path, dict(raw(path), header=np.frombuffer(header, np.uint8)))
    assert "header" in complaint(path)


def change(name, array):
    return lambda arrays: dict(arrays, **{name: array(arrays[name])})


def put(name, place, value):
    def alter(array):
        array = array.copy()
        array[place] = value
        return array

    return change(name, alter)


@pytest.mark.parametrize("damage, words", [
    (change("fc1.weights", lambda a: a[:-1]), ["'fc1'", "weights", "(128, 16)", "(127, 16)"]),
    (change("fc1.weights", lambda a: a.T), ["'fc1'", "weights"]),
    (change("fc1.weights", lambda a: a.astype(np.int16)), ["'fc1'", "weights", "int16"]),
    (change("conv1.k", lambda a: a[:63]), ["'conv1'", "k", "(64,)", "(63,)"]),
    (change("conv1.k", lambda a: a.reshape(64, 1)), ["'conv1'", "k"]),
    (change("out.h", lambda a: a.astype(np.float64)), ["'out'", "h", "float64"]),
    (change("out.h", lambda a: a.astype(">f4")), ["'out'", "h"]),
    (put("conv1.k", 7, np.nan), ["'conv1'", "k[7]", "nan"]),
    (put("fc1.h", 100, np.nan), ["'fc1'", "h[100]", "nan"]),
    (put("fc1.h", 0, -np.inf), ["'fc1'", "h[0]", "-inf"]),
    (put("out.k", 2, 2e30), ["'out'", "k[2]", "2", "1e+30"]),
    (put("fc1.k", 1, -3e38), ["'fc1'", "k[1]"]),
    (put("conv1.weights", (5, 3), 0xFF), ["'conv1'", "padding"]),  # 27 bits in 4 bytes
    (put("conv1.weights", (5, 0), 0x5A), ["checksum"]),
    (put("fc1.k", 3, 0.123), ["checksum"]),
], ids=lambda value: value[0] if isinstance(value, list) else "")
def test_bad_array(path, damage, words):
    write_raw(path, damage(raw(path)))
    message = complaint(path)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("changes, words", [
    ({"checksum": "0" * 64}, ["checksum", "0" * 64]),
    ({"checksum": None}, ["checksum"]),
    ({"checksum": KeyError}, ["checksum"]),
    ({"format": 2}, ["format version 2", "update"]),
    ({"format": 0}, ["format version 0"]),
    ({"format": 2, "extra": 1, "classes": KeyError}, ["format version 2"]),
    ({"extra": 1}, ["extra"]),
    ({"name": "renamed"}, ["checksum"]),
    ({"accuracy": {"test": 0.99}}, ["checksum"]),
    ({"accuracy": {"test": float("nan")}}, ["JSON"]),
    ({"training": [1]}, ["training"]),
    ({"classes": ["cat", "dog"]}, ["'out'", "3 outputs", "2 classes"]),
    ({"classes": ["cat", "dog", 3]}, ["classes", "text"]),
    ({"classes": "cat"}, ["classes"]),
    ({"preprocessing": {"size": [4, 6], "crop": "centre", "values": "p/255"}}, ["p/255", VALUES]),
    ({"preprocessing": {"size": [32, 32], "crop": "centre", "values": VALUES}}, ["[32, 32]"]),
    ({"preprocessing": {}}, ["preprocessing"]),
    ({"preprocessing": None}, ["preprocessing"]),
    ({"known_answer": [1, 2]}, ["known_answer"]),
    ({"known_answer": [1, 2, 129]}, ["known_answer", "128"]),
    ({"known_answer": [1, 2, 3.5]}, ["known_answer"]),
    ({"known_answer": 5}, ["known_answer"]),
    ({"known_answer": [1, 2, 3]}, ["checksum"]),
    ({"network": None}, ["network"]),
    ({"network": {"height": 4, "width": 6, "layers": []}}, ["layers"]),
])
def test_bad_header(path, changes, words):
    write_raw(path, with_header(raw(path), **changes))
    message = complaint(path)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("part", ["training", "accuracy", "name", "network", "classes"])
def test_a_header_nested_without_end(path, part):
    """At some depths it can be read, but not be checked or written."""
    arrays = raw(path)
    header = json.dumps(dict(header_of(arrays), **{part: {"deep": "HERE"}}))
    for depth in (500, *range(880, 1000), 100_000):
        deep = header.replace('"HERE"', "[" * depth + "]" * depth).encode()
        write_raw(path, dict(arrays, header=np.frombuffer(deep, np.uint8)))
        assert len(complaint(path)) < 1200


def test_thirty_thousand_layers_are_refused_at_once(path):
    arrays = raw(path)
    network = header_of(arrays)["network"]
    network["layers"] = [dict(network["layers"][1], name=f"fc{n}") for n in range(30_000)]
    write_raw(path, with_header(arrays, network=network))
    begun = time.process_time()
    assert f"30000 layers, at most {MAX_LAYERS}" in complaint(path)
    assert time.process_time() - begun < 2


def test_names_of_a_hundred_thousand_characters_are_cut(path):
    arrays, long = raw(path), "n" * 100_000
    layers = header_of(arrays)["network"]["layers"]
    for changes in ({"network": {"height": 4, "width": 6, "layers": [
                        dict(layers[0], name=long), *layers[1:]]}}, {long: 1},
                    {"network": {"height": 4, "width": 6, "layers": [dict(layers[0], kind=long)]}},
                    {"preprocessing": {"size": long}}, {"known_answer": long}):
        write_raw(path, with_header(arrays, **changes))
        assert len(complaint(path)) < 1200
    write_raw(path, dict(arrays, **{long[:60_000]: arrays["fc1.k"]}))
    assert len(complaint(path)) < 1200


def test_a_network_outside_the_limits_names_its_layer(path):
    arrays = raw(path)
    network = header_of(arrays)["network"]
    network["layers"][1]["outputs"] = 100
    write_raw(path, with_header(arrays, network=network))
    assert "'fc1'" in complaint(path)


# ---- bad parameters are refused before they can be saved


def layer_with(**changes):
    good = make().layers[0]
    fields = {"weights": good.weights, "k": good.k, "h": good.h}
    return LayerParameters(**dict(fields, **changes))


@pytest.mark.parametrize("layer, words", [
    (layer_with(weights=np.full((64, 3, 3, 3), 2, np.uint8)), "'conv1'.*weights.*2"),
    (layer_with(weights=np.zeros((64, 27), np.uint8)), "'conv1'.*weights"),
    (layer_with(weights=np.zeros((64, 3, 3, 3), bool)), "'conv1'.*weights.*bool"),
    (layer_with(k=[1.0] * 64), "'conv1'.*k.*list"),
    (layer_with(h=np.full(64, np.inf, np.float32)), "'conv1'.*h.*inf"),
])
def test_parameters_are_checked_when_made(layer, words):
    with pytest.raises(ParameterError, match=words):
        replace(make(), layers=(layer, *make().layers[1:]))


def test_a_layer_too_few():
    good = make()
    with pytest.raises(ParameterError, match="2 layers.*3"):
        Parameters(NETWORK, good.layers[:2], good.classes, "short", good.preprocessing)


def test_header_contents_must_be_json():
    with pytest.raises(ParameterError, match="JSON"):
        make(preprocessing={"size": [4, 6], "crop": {1, 2}, "values": VALUES})


def test_the_largest_k_and_h_keep_scores_finite():
    largest = np.float32(MAX_MAGNITUDE)
    layer = layer_with(k=np.full(64, largest), h=np.full(64, -largest))
    replace(make(), layers=(layer, *make().layers[1:]))
    assert np.isfinite(largest * np.float32(8192) + largest)
