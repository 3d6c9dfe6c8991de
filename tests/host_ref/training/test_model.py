"""Every method's network: what folds does so exactly, what doesn't says why."""

import numpy as np
import pytest
import torch
from torch import nn

from host_ref import network as net
from host_ref.folding import apply, fold
from host_ref.integer import IntegerModel
from host_ref.parameters import VALUES, Parameters
from host_ref.training.binarize import sign
from host_ref.training.export import layer_parameters
from host_ref.training.loop import to_values
from host_ref.training.methods import Method
from host_ref.training.model import BinaryNet

FOLDING = [
    Method(),
    Method(bias="yes"),
    Method(normalization="shift"),
    Method(normalization="shift", bias="yes"),
    Method(scale="alpha"),
    Method(scale="alpha", order="xnor"),
    Method(scale="alpha", order="xnor", bias="yes", normalization="shift"),
]
NOT_FOLDING = [Method(activations="relu"), Method(scale="alpha_k", order="xnor")]


def name(method):
    return "-".join(value for value in vars(method).values())


def trained_like(network, method, pictures):
    """A model in float64 with nasty normalisations whose statistics fit its own sums."""
    torch.manual_seed(5)
    model = BinaryNet(network, method).double()
    with torch.no_grad():
        for norm in model.norms:
            norm.weight.normal_()
            norm.weight[:3] = torch.tensor([0.0, -0.0, -2.0])
            norm.bias.normal_()
            norm.momentum = None
        for bias in model.biases:
            bias.normal_(std=5)
    model.train()
    with torch.no_grad():
        model(values(pictures))
    return model.eval()


def values(pictures):
    return to_values(pictures, torch.device("cpu"), torch.float64)


@pytest.mark.parametrize("method", FOLDING, ids=name)
def test_every_layer_of_a_folded_network_has_the_models_bits(method, tiny, pictures):
    model = trained_like(tiny, method, pictures[0])
    parameters = Parameters(tiny, layer_parameters(model), [str(i) for i in range(10)], "tiny",
                            {"size": [8, 8], "values": VALUES})
    integer = IntegerModel(parameters)
    seen = []
    for norm in model.norms:
        norm.register_forward_hook(lambda module, args, result: seen.append(result))
    with torch.no_grad():
        logits = model(values(pictures[0])).numpy()
    outputs = integer.run(pictures[0])
    for layer, own, real in zip(tiny.layers, outputs[:-1], seen):
        bits = (sign(real) < 0).numpy()
        if layer.is_conv:
            bits = bits.transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(own, bits.reshape(own.shape), err_msg=layer.name)
    np.testing.assert_allclose(integer.scores(outputs[-1]), logits, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("method", FOLDING, ids=name)
def test_the_threshold_is_right_for_every_reachable_sum(method, tiny, pictures):
    """After a layer's integer sum, the model's own arithmetic and the folded one give one sign."""
    model = trained_like(tiny, method, pictures[0])
    for index, layer in enumerate(tiny.layers[:-1]):
        sums = torch.arange(-layer.max_sum, layer.max_sum + 1, dtype=torch.float64)
        s = sums[:, None].expand(-1, layer.out_channels)
        with torch.no_grad():
            scaled = s * model.alpha(index) if method.scale == "alpha" else s
            biased = scaled + model.biases[index] if method.bias == "yes" else scaled
            norm = model.norms[index]
            shape = (len(s), layer.out_channels) + ((1, 1) if layer.is_conv else ())
            y = norm(biased.reshape(shape)).reshape(s.shape).numpy()
        folded = apply(s.numpy().astype(np.int64), *fold(*model.affine(index)))
        wrong = folded != (y < 0)
        # k and h are rounded to float32: a sum that normalises to 0 within that may fall either way
        size = np.abs(y).max(axis=0, keepdims=True) + np.abs(model.affine(index)[1])
        assert not (wrong & (np.abs(y) > 1e-6 * size)).any(), layer.name
        assert wrong.sum() <= 2


@pytest.mark.parametrize("method", NOT_FOLDING, ids=name)
def test_what_does_not_fold_says_why_and_still_runs(method, tiny, pictures):
    model = trained_like(tiny, method, pictures[0])
    with torch.no_grad():
        assert torch.isfinite(model(values(pictures[0]))).all()
    with pytest.raises(ValueError, match="can't be folded: .*(real numbers|K scales)"):
        layer_parameters(model)


def test_k_is_the_mean_input_around_each_position():
    """XNOR-Net, section 3.2: K = A * k, A the mean |input| over the channels, k a 3 x 3 average."""
    network = net.Network.from_description({"height": 4, "width": 4, "layers": [
        {"name": "conv1", "kind": "fp_conv", "outputs": 64, "padding": "zero", "pool": False},
        {"name": "conv2", "kind": "bin_conv", "outputs": 64, "padding": "zero", "pool": False},
        {"name": "fc1", "kind": "last", "outputs": 2}]})
    model = BinaryNet(network, Method(scale="alpha_k", order="xnor")).eval()
    plain = BinaryNet(network, Method(scale="alpha", order="xnor")).eval()
    plain.load_state_dict(model.state_dict())
    x = torch.randn(2, 64, 4, 4)
    with torch.no_grad():
        scaled, unscaled = model._sums(1, x).numpy(), plain._sums(1, x).numpy()
    mean = np.pad(x.abs().mean(1).numpy(), ((0, 0), (1, 1), (1, 1)))
    expected = sum(mean[:, dy:dy + 4, dx:dx + 4] for dy in range(3) for dx in range(3)) / 9
    np.testing.assert_allclose(scaled, unscaled * expected[:, None], rtol=1e-4, atol=1e-5)


def test_alpha_is_the_mean_weight_and_learns():
    network = net.CNV
    model = BinaryNet(network, Method(scale="alpha", order="xnor"))
    weight = model.latent[8]
    np.testing.assert_allclose(model.alpha(8).detach().numpy(),
                               weight.detach().abs().mean(1).numpy(), rtol=1e-6)
    model.alpha(8).sum().backward()
    assert (weight.grad == weight.detach().sign() / weight.shape[1]).all()


def test_stochastic_binarization_is_for_training_alone(tiny, pictures):
    model = BinaryNet(tiny, Method(binarization="stochastic"))
    x = to_values(pictures[0][:20], torch.device("cpu"), torch.float32)
    with torch.no_grad():
        assert not torch.equal(model(x), model(x))
        model.eval()
        assert torch.equal(model(x), model(x))


def test_a_weight_at_its_limit_can_come_back(tiny, pictures):
    model = BinaryNet(tiny, Method())
    with torch.no_grad():
        for latent in model.latent:
            latent.copy_(latent.sign())
    x = to_values(pictures[0][:20], torch.device("cpu"), torch.float32)
    model(x).square().sum().backward()
    for latent in model.latent[1:]:
        assert (latent.grad != 0).float().mean() > 0.2


def test_the_last_layer_of_xnor_order_is_not_normalised(tiny):
    assert len(BinaryNet(tiny, Method(order="xnor")).norms) == len(tiny.layers) - 1
    assert isinstance(BinaryNet(tiny, Method()).norms[-1], nn.BatchNorm1d)
