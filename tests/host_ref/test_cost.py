import json
from pathlib import Path

import pytest

from host_ref.cost import network_cost
from host_ref.network import CIFAR10, CNV


def test_the_papers_figures():
    """Zhao et al., FPGA'17, table 1 and section 2: 13.37 Mibit of weights, 1.23 GOP."""
    cost = network_cost(CIFAR10)
    assert cost.total.macs == 616_966_144
    assert round(cost.total.ops / 1e9, 3) == 1.234
    assert [round(part.weight_bits / 2 ** 20, 2) for part in (cost.total, cost.conv, cost.fc)] == [
        13.37, 4.36, 9.01]
    assert cost.total.out_bits == 128 * 1024


def test_parts_add_up():
    for network in (CIFAR10, CNV):
        cost = network_cost(network)
        assert cost.conv.macs + cost.fc.macs == cost.total.macs == network.macs
        assert sum(layer.weight_bits for layer in cost.layers) == network.weight_bits
        for before, after in zip(cost.layers, cost.layers[1:]):
            assert before.out_bits == after.in_bits
            assert before.output == after.input or after.kind in ("bin_fc", "last")


def test_a_layer_counted_by_hand():
    conv1, conv2 = network_cost(CNV).layers[:2]
    assert (conv1.in_bits, conv1.out_bits) == (32 * 32 * 3 * 8, 30 * 30 * 64)
    assert (conv2.input, conv2.output) == ("30x30x64", "14x14x64")
    assert conv2.weight_bits == 64 * 64 * 9
    assert conv2.float_bytes == 64 * 64 * 9 * 4
    assert conv2.macs == 28 * 28 * 64 * 64 * 9, "sums are counted before pooling"
    assert conv2.ops == 2 * conv2.macs


def test_floats_are_32_times_as_large():
    total = network_cost(CIFAR10).total
    assert total.float_bytes / total.weight_bytes == 32


@pytest.mark.parametrize("network", [CIFAR10, CNV])
def test_the_table(network):
    cost = network_cost(network)
    lines = str(cost).splitlines()
    names = [layer.name for layer in network.layers]
    assert [line.split()[0] for line in lines[1:10]] == names
    assert all(f"{layer.macs:,}" in line for layer, line in zip(network.layers, lines[1:]))
    assert len({len(line) for line in lines[:13]}) == 1, "columns line up"
    assert f"{network.macs:,}" in lines[-1]


def test_as_json():
    content = json.loads(json.dumps(network_cost(CIFAR10).to_dict()))
    assert content["total"]["ops"] == 2 * 616_966_144
    assert [layer["name"] for layer in content["layers"]][-1] == "fc3"


def test_the_docs_show_it():
    page = Path(__file__).parents[2] / "docs" / "network.md"
    assert str(network_cost(CIFAR10)) in page.read_text(encoding="utf-8")
