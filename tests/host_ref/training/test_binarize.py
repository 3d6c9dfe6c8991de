import pytest
import torch

from host_ref.training.binarize import binarize, sign


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_sign_is_one_or_minus_one_and_sign_of_zero_is_one(dtype):
    x = torch.tensor([-3.0, -1e-30, 0.0, 1e-30, 0.5, 1e30], dtype=dtype)
    assert sign(x).tolist() == [-1, -1, 1, 1, 1, 1]
    assert sign(x).dtype == dtype


def test_gradient_is_that_of_hard_tanh():
    x = torch.tensor([-1.5, -0.999, 0.0, 0.999, 1.5], requires_grad=True)
    binarize(x).backward(torch.tensor([2.0, 3.0, 5.0, 7.0, 11.0]))
    assert x.grad.tolist() == [0, 3, 5, 7, 0]


def test_quadratic_surrogate_weights_the_gradient_by_its_slope():
    x = torch.tensor([-1.5, -0.75, 0.0, 0.5, 1.5], requires_grad=True)
    y = binarize(x, "quadratic")
    y.backward(torch.tensor([2.0, 4.0, 5.0, 7.0, 11.0]))
    assert y.tolist() == [-1, -1, 1, 1, 1]
    assert x.grad.tolist() == [0, 2, 10, 7, 0]


def test_identity_surrogate_passes_every_gradient():
    x = torch.tensor([-1.5, 0.5, 99.0], requires_grad=True)
    binarize(x, "identity").backward(torch.tensor([2.0, 3.0, 5.0]))
    assert x.grad.tolist() == [2, 3, 5]


def test_stochastic_binarization_has_the_probability_of_the_hard_sigmoid():
    torch.manual_seed(0)
    x = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.001, 3.0])
    drawn = torch.stack([binarize(x, stochastic=True) for _ in range(4000)])
    assert set(drawn.unique().tolist()) == {-1, 1}
    share = (drawn > 0).float().mean(0)
    assert torch.allclose(share, ((x + 1) / 2).clamp(0, 1), atol=0.03)
    assert share[0] == 0
    assert share[-1] == share[-2] == 1


def test_the_gradient_of_a_stochastic_sign_is_that_at_x():
    x = torch.tensor([-1.5, 0.5, 1.5], requires_grad=True)
    binarize(x, "quadratic", stochastic=True).backward(torch.ones(3))
    assert x.grad.tolist() == [0, 1, 0]
