"""Batch normalisation and AdaMax in which every multiplication is a shift.

Courbariaux et al., Binarized Neural Networks, 2016: AP2, algorithm 3 (normalisation) and algorithm
4 (AdaMax).
"""

from __future__ import annotations

from typing import Any, Callable, Optional

import torch
from torch import nn

# Adding this to a number's bits carries into its exponent where its mantissa is above sqrt(2);
# then the mantissa is cut off.  Two passes over memory, where a logarithm takes many.
_BITS = {
    torch.float32: (torch.int32, (1 << 23) - 0x3504F4, -(1 << 23)),
    torch.float64: (torch.int64, (1 << 52) - 0x6A09E667F3BCD, -(1 << 52)),
}


class _PowerOfTwo(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        integer, carry, mask = _BITS[x.dtype]
        return x.view(integer).add(carry).bitwise_and_(mask).view(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


def ap2(x: torch.Tensor) -> torch.Tensor:
    """The power of two nearest to x on a log scale, with its sign; AP2(0) = 0.

    The gradient passes unchanged, as the rounding has none of its own.
    """
    return _PowerOfTwo.apply(x)


class ShiftBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation by shifts over axis 1 of (N, C) or (N, C, H, W)."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        pass

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        x = input if input.dtype == torch.float64 else input.float()
        axes = [axis for axis in range(x.dim()) if axis != 1]
        if self.training:
            mean = x.mean(axes)
            centred = x - _channels(mean, x)
            variance = (centred * ap2(centred)).mean(axes)
            self._remember(mean, variance)
        else:
            centred = x - _channels(self.running_mean, x)
            variance = self.running_var
        scale = ap2(1 / torch.sqrt(variance + self.eps)) * ap2(self.weight)
        return (centred * _channels(scale, x) + _channels(self.bias, x)).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def _channels(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return values.view((1, -1) + (1,) * (x.dim() - 2))


class ShiftAdaMax(torch.optim.Optimizer):
    """AdaMax whose step is a shift of the averaged gradient.

    Parameters
    ----------
    params
        As for any optimizer; ``lr`` of a group is the alpha of algorithm 4.
    betas : tuple of float
        The defaults of algorithm 4: 1 - 2**-3 and 1 - 2**-10.
    """

    def __init__(self, params: Any, lr: float = 2**-10,
                 betas: Any = (1 - 2**-3, 1 - 2**-10)) -> None:
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Optional[Callable[[], float]] = None) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            slow, slower = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = torch.zeros(())
                    state["mean"] = torch.zeros_like(parameter)
                    state["largest"] = torch.zeros_like(parameter)
                state["step"] += 1
                state["mean"].lerp_(parameter.grad, 1 - slow)
                torch.maximum(state["largest"].mul_(slower), parameter.grad.abs(),
                              out=state["largest"])
                rate = ap2(torch.tensor(group["lr"] / (1 - slow ** float(state["step"]))))
                # where every gradient was 0 there is no size to divide by, nor a step to make
                shift = ap2(1 / state["largest"].clamp(min=1e-30))
                parameter.sub_(rate * state["mean"] * shift)
