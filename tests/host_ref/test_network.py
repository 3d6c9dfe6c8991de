import json

import pytest

from host_ref import network as net
from host_ref.network import CIFAR10, CNV, Network, NetworkError


def describe(*layers, height=32, width=32):
    """A description from (kind, outputs, padding, pool) tuples, named l0, l1 and so on."""
    entries = []
    for number, (kind, outputs, *conv) in enumerate(layers):
        entry = {"name": f"l{number}", "kind": kind, "outputs": outputs}
        entry.update(zip(("padding", "pool"), conv))
        entries.append(entry)
    return {"height": height, "width": width, "layers": entries}


def build(*layers, **size):
    return Network.from_description(describe(*layers, **size))


def test_cifar10_is_the_network_of_the_paper():
    assert CIFAR10.macs == 616_966_144
    assert CIFAR10.weight_bits == 14_022_016
    assert CIFAR10.classes == 10
    assert [layer.in_width for layer in CIFAR10.layers] == [32, 32, 16, 16, 8, 8, 1, 1, 1]
    assert [layer.in_channels for layer in CIFAR10.layers] == [
        3, 128, 128, 256, 256, 512, 8192, 1024, 1024]
    assert [layer.out_channels for layer in CIFAR10.layers] == [
        128, 128, 256, 256, 512, 512, 1024, 1024, 10]
    assert [layer.pool for layer in CIFAR10.layers[:6]] == [False, True] * 3
    assert max(layer.fmap_bits for layer in CIFAR10.layers) == 128 * 1024
    assert [round(layer.macs / 1e6, 2) for layer in CIFAR10.layers[:6]] == [
        3.54, 150.99, 75.5, 150.99, 75.5, 150.99]
    assert sum(layer.weight_bits for layer in CIFAR10.layers[:6]) / 2 ** 20 == pytest.approx(
        4.36, abs=0.01)


def test_largest_sums():
    assert CIFAR10.layers[0].max_sum == 6885
    assert CIFAR10.layers[5].max_sum == 4608
    assert CIFAR10.layers[6].max_sum == 8192


def test_cnv_shrinks_as_bnn_pynqs():
    assert [(layer.out_height, layer.out_width) for layer in CNV.layers] == [
        (30, 30), (14, 14), (12, 12), (5, 5), (3, 3), (1, 1), (1, 1), (1, 1), (1, 1)]
    assert CNV.layers[6].in_channels == 256


def test_shapes_of_a_rectangle():
    network = build(("fp_conv", 64, "none", True), ("bin_conv", 128, "one", False),
                    ("last", 7), height=10, width=6)
    first, second, last = network.layers
    assert (first.sum_height, first.sum_width) == (8, 4)
    assert (first.out_height, first.out_width) == (4, 2)
    assert (second.out_height, second.out_width) == (4, 2)
    assert first.weight_shape == (64, 3, 3, 3)
    assert second.weight_shape == (128, 3, 3, 64)
    assert last.weight_shape == (7, 4 * 2 * 128)
    assert last.fmap_bits == 0
    assert first.macs == 27 * 64 * 8 * 4


@pytest.mark.parametrize("network", [CIFAR10, CNV])
def test_description_survives_json(network):
    text = json.dumps(network.description())
    assert Network.from_description(json.loads(text)) == network


@pytest.mark.parametrize("layers, size", [
    ([("fp_conv", 64, "zero", False), ("last", 2)], (1, 1)),
    ([("fp_conv", 128, "zero", False), ("bin_conv", 128, "zero", True),
      ("bin_conv", 64, "zero", True), ("last", 64)], (32, 32)),
    ([("fp_conv", 512, "none", True), ("bin_fc", 8192), ("bin_fc", 64), ("last", 64)], (4, 4)),
    ([("fp_conv", 512, "zero", False), ("last", 64)], (16, 1)),
    ([("fp_conv", 512, "zero", True), ("bin_conv", 64, "zero", True), ("last", 3)], (32, 32)),
])
def test_the_edges_of_the_limits_are_allowed(layers, size):
    build(*layers, height=size[0], width=size[1])


FIRST = ("fp_conv", 64, "zero", False)


@pytest.mark.parametrize("layers, size, complaint", [
    ([FIRST, ("last", 10)], (33, 4), "33 x 4"),
    ([FIRST, ("last", 10)], (4, 0), "4 x 0"),
    ([("fp_conv", 96, "zero", False), ("last", 10)], (4, 4), "'l0'.*96.*multiple of 64"),
    ([("fp_conv", 0, "zero", False), ("last", 10)], (4, 4), "'l0'.*0 outputs"),
    ([("fp_conv", 576, "zero", False), ("last", 10)], (4, 4), "'l0'.*576 channels"),
    ([("fp_conv", 64, "one", False), ("last", 10)], (4, 4), "'l0'.*zero or none"),
    ([("fp_conv", 64, "same", False), ("last", 10)], (4, 4), "'l0'.*'same'"),
    ([("fp_conv", 64, "none", False), ("last", 10)], (2, 9), "'l0'.*too small"),
    ([("fp_conv", 64, "zero", True), ("last", 10)], (4, 5), "'l0'.*even"),
    ([("fp_conv", 64, "none", True), ("last", 10)], (5, 4), "'l0'.*even"),
    ([("fp_conv", 64, "zero", 1), ("last", 10)], (4, 4), "'l0'.*pool"),
    ([("fp_conv", 192, "zero", False), ("last", 10)], (32, 32), "'l0'.*bits"),
    ([FIRST, ("last", 10)], (12, 12), "'l1'.*9216 inputs"),
    ([FIRST, ("bin_fc", 100), ("last", 10)], (4, 4), "'l1'.*100"),
    ([FIRST, ("bin_fc", 8256), ("last", 10)], (4, 4), "'l1'.*8256"),
    ([FIRST, ("bin_fc", 64, "zero"), ("last", 10)], (4, 4), "'l1'.*padding"),
    ([FIRST, ("last", 65)], (4, 4), "'l1'.*65 classes"),
    ([FIRST, ("last", 1)], (4, 4), "'l1'.*1 classes"),
    ([FIRST, ("bin_fc", 64), ("bin_conv", 64, "zero", False), ("last", 10)], (4, 4), "'l2'.*FC"),
    ([("bin_conv", 64, "zero", False), ("last", 10)], (4, 4), "'l0'.*first"),
    ([FIRST, FIRST, ("last", 10)], (4, 4), "'l1'.*first"),
    ([FIRST, ("last", 10), ("last", 10)], (4, 4), "'l1'.*last"),
    ([FIRST, ("bin_fc", 64)], (4, 4), "'l1'.*last"),
    ([FIRST, ("maxout", 64), ("last", 10)], (4, 4), "'l1'.*'maxout'"),
    ([FIRST, ("bin_fc", 64.5), ("last", 10)], (4, 4), "layer 1.*float"),
    ([], (4, 4), "no layers"),
])
def test_what_is_outside_is_refused_by_name(layers, size, complaint):
    with pytest.raises(NetworkError, match=complaint):
        build(*layers, height=size[0], width=size[1])


def test_two_layers_of_one_name_are_refused():
    description = describe(FIRST, ("bin_fc", 64), ("last", 10), height=4, width=4)
    description["layers"][1]["name"] = "l0"
    with pytest.raises(NetworkError, match="'l0'"):
        Network.from_description(description)


@pytest.mark.parametrize("description", [
    None, [], {}, {"height": 4, "width": 4}, {"height": "x", "width": 4, "layers": []},
    {"height": float("inf"), "width": 4, "layers": [{}]},
    {"height": 4, "width": 4, "layers": [{}]}, {"height": 4, "width": 4, "layers": ["conv"]},
    {"height": 4, "width": 4, "layers": 3},
])
def test_garbage_is_refused(description):
    with pytest.raises(NetworkError):
        Network.from_description(description)


def test_limits_are_the_contracts():
    assert (net.MAX_SIDE, net.MAX_CHANNELS, net.MAX_FC_INPUTS, net.MAX_CLASSES,
            net.MAX_FMAP_BITS, net.CHANNEL_STEP) == (32, 512, 8192, 64, 131072, 64)
