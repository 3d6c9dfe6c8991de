"""Binarization, and what stands in for its gradient.

Forward: sign(x), sign(0) = +1.  Backward, a surrogate: "hardtanh", the straight-through estimator,
passes the gradient where |x| < 1 (Courbariaux et al., Binarized Neural Networks, 2016, section
1.3); "identity" passes it everywhere (Bengio et al., Estimating or Propagating Gradients, 2013);
"quadratic" weights it where |x| <= 1 by 2 - 2|x|, the slope of a piecewise quadratic that lies
closer to the sign (Liu et al., Bi-Real Net, 2018, section 3.3).
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

import torch

# Sign and exponent of 1.0: keeping only the sign bit and or-ing these in turns any number into +1
# or -1 in two passes over memory, where a comparison and a select take four.
_BITS = {
    torch.bfloat16: (torch.int16, -(1 << 15), 0x3F80),
    torch.float32: (torch.int32, -(1 << 31), 0x3F800000),
    torch.float64: (torch.int64, -(1 << 63), 0x3FF << 52),
}


def sign(x: torch.Tensor) -> torch.Tensor:
    """+1 or -1 of the same shape and dtype (-0.0 is taken by its sign bit; no layer makes one)."""
    integer, mask, one = _BITS[x.dtype]
    return x.view(integer).bitwise_and(mask).bitwise_or_(one).view(x.dtype)


class _Sign(torch.autograd.Function):
    """sign(x + noise), differentiated as if it were a function of x."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, noise: Optional[torch.Tensor]) -> torch.Tensor:
        ctx.save_for_backward(x)
        return sign(x if noise is None else x + noise)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, x, -1.0, 1.0), None


class _SignIdentity(_Sign):
    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[torch.Tensor, None]:
        return gradient, None


class _SignQuadratic(_Sign):
    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        return x.abs().mul_(-2).add_(2).clamp_(min=0).mul_(gradient), None


SURROGATES = {"hardtanh": _Sign, "identity": _SignIdentity, "quadratic": _SignQuadratic}


def binarize(x: torch.Tensor, surrogate: str = "hardtanh",
             stochastic: bool = False) -> torch.Tensor:
    """+1 or -1 with the gradient of one of the SURROGATES.

    Parameters
    ----------
    stochastic : bool
        +1 with probability (x + 1) / 2, clipped to [0, 1] (BinaryNet, equation 2).
    """
    noise = torch.empty_like(x).uniform_(-1, 1) if stochastic else None
    return SURROGATES[surrogate].apply(x, noise)
