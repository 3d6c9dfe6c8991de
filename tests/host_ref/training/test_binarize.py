import pytest
import torch

from host_ref.training.binarize import binarize, sign


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
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
