import math

import numpy as np
import pytest
import torch

from host_ref import floating
from host_ref.training.shift import ShiftAdaMax, ShiftBatchNorm, ap2


def test_ap2_is_the_references_and_passes_the_gradient():
    x = torch.tensor([0.0, 1.4, -3.0, 0.2, 1e-20], dtype=torch.float64, requires_grad=True)
    y = ap2(x)
    assert y.tolist() == floating.ap2(x.detach().numpy()).tolist() == [0, 1, -4, 0.25, 2.0**-66]
    y.backward(torch.tensor([1.0, 2, 3, 4, 5], dtype=torch.float64))
    assert x.grad.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ap2_rounds_right_beside_every_boundary(dtype):
    """Against exact integers: x = m · 2**e rounds up iff m**2 is above 2 · (2**bits)**2."""
    bits = {torch.float32: 23, torch.float64: 52}[dtype]
    root = math.isqrt(2 << 2 * bits)  # the largest mantissa below sqrt(2)
    for mantissa in (1 << bits, root - 1, root, root + 1, (2 << bits) - 1):
        for exponent in range(-40, 40):
            x = torch.tensor([mantissa, -mantissa], dtype=dtype) * 2.0 ** (exponent - bits)
            up = mantissa**2 > 2 << 2 * bits
            expected = 2.0 ** (exponent + up)
            assert ap2(x).tolist() == [expected, -expected]

@pytest.mark.parametrize("shape", [(50, 3), (20, 3, 4, 5)])
def test_training_normalises_by_algorithm_3(shape):
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64) * 20 + 7
    norm = ShiftBatchNorm(3, eps=1e-4).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -0.3, 5.0], dtype=torch.float64))
        norm.bias.copy_(torch.tensor([0.125, 0.25, 0.375]))
    y = norm(x).detach().numpy()
    for channel in range(3):
        s = x.numpy()[:, channel]
        centred = s - s.mean()
        variance = (centred * floating.ap2(centred)).mean()
        scale = floating.ap2(1 / np.sqrt(variance + 1e-4))
        gamma = [1.0, -0.25, 4.0][channel]
        np.testing.assert_allclose(y[:, channel], centred * scale * gamma + 0.125 * (channel + 1))


def test_inference_uses_the_averages_of_training():
    torch.manual_seed(0)
    norm = ShiftBatchNorm(2, eps=0.0, momentum=None).double()
    batches = [torch.randn(40, 2, dtype=torch.float64) * scale for scale in (5.0, 9.0)]
    for batch in batches:
        norm(batch)
    means = torch.stack([batch.mean(0) for batch in batches]).mean(0)
    assert torch.allclose(norm.running_mean, means)
    norm.eval()
    s = torch.arange(-30.0, 30, dtype=torch.float64)[:, None].expand(-1, 2)
    with torch.no_grad():
        y = norm(s).numpy()
    k, h = floating.shift_batch_norm(*(value.detach().numpy() for value in (
        norm.weight, norm.bias, norm.running_mean, norm.running_var)), 0.0)
    np.testing.assert_allclose(y, k * s.numpy() + h, atol=1e-12)


def test_adamax_steps_are_algorithm_4():
    x = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
    optimizer = ShiftAdaMax([x], lr=2**-10)
    x.grad = torch.tensor([0.3, -5.0, 0.0])
    optimizer.step()
    # mean = g / 8, largest = |g|; the rate 2**-10 / (1 - 7/8) = 2**-7 and 1 / |g| are shifts
    expected = [1 - 2**-7 * (0.3 / 8) * 4, 1 + 2**-7 * (5 / 8) * 0.25, 1]
    assert x.tolist() == pytest.approx(expected)
    x.grad = torch.tensor([0.0, 0.0, 0.0])
    before = x.detach().clone()
    optimizer.step()
    assert x[0] < before[0]  # the averages go on
    assert x[1] > before[1]
    assert x[2] == 1


def test_adamax_finds_a_minimum():
    x = torch.tensor([3.0, -2.0], requires_grad=True)
    optimizer = ShiftAdaMax([x], lr=2**-4)
    for _ in range(300):
        optimizer.zero_grad()
        ((x - torch.tensor([1.0, 0.5])) ** 2).sum().backward()
        optimizer.step()
    assert torch.allclose(x, torch.tensor([1.0, 0.5]), atol=0.1)
