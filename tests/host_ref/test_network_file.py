import json

import pytest

from host_ref.network import CNV
from host_ref.network_file import read_network
from host_ref.parameters import ParameterError


def test_a_description_comes_back(tmp_path):
    (tmp_path / "cnv.json").write_text(json.dumps(CNV.description()))
    assert read_network(tmp_path / "cnv.json") == CNV
    assert read_network(str(tmp_path / "cnv.json")) == CNV


@pytest.mark.parametrize("content,complaint", [
    (b"", "bad.json is not valid JSON: Expecting value"), (b"{", "is not valid JSON"),
    (b"\xff", "is not valid JSON: 'utf-8'"), (b"[1, 2]", "bad.json: network description lacks"),
    (b'{"height": 4, "width": 4, "layers": []}', "bad.json: network description has no layers"),
    (b"[" * 100_000, "bad.json is not a network: it is nested too deeply"),
    (b'{"a":' * 100_000, "nested too deeply"),
])
def test_a_file_that_describes_none(tmp_path, content, complaint):
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(ParameterError, match=complaint):
        read_network(tmp_path / "bad.json")


def test_what_can_be_read_but_not_be_shown_is_nested_too_deeply(tmp_path):
    layer = '{"name": "conv1", "kind": "fp_conv", "outputs": 64, "pool": HERE}'
    for depth in range(880, 1000):
        deep = layer.replace("HERE", "[" * depth + "]" * depth)
        (tmp_path / "bad.json").write_text('{"height": 4, "width": 4, "layers": [' + deep + "]}")
        with pytest.raises(ParameterError, match="bad.json"):
            read_network(tmp_path / "bad.json")


@pytest.mark.parametrize("path", ["none.json", ".", "a\0b", "x" * 5000])
def test_a_path_without_a_file(path):
    with pytest.raises(ParameterError, match="can't be read") as caught:
        read_network(path)
    assert len(str(caught.value)) < 400
