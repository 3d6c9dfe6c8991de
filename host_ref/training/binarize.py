"""Deterministic binarization with the straight-through estimator.

Forward: sign(x), sign(0) = +1.  Backward: the gradient of hard-tanh, so it passes where |x| <= 1
(Courbariaux et al., Binarized Neural Networks, 2016, section 1.3).
"""

from __future__ import annotations

from typing import Any

import torch

# Sign and exponent of 1.0: keeping only the sign bit and or-ing these in turns any number into +1
# or -1 in two passes over memory, where a comparison and a select take four.
_BITS = {
    torch.bfloat16: (torch.int16, -(1 << 15), 0x3F80),
    torch.float32: (torch.int32, -(1 << 31), 0x3F800000),
}


def sign(x: torch.Tensor) -> torch.Tensor:
    """+1 or -1 of the same shape and dtype (-0.0 is taken by its sign bit; no layer makes one)."""
    integer, mask, one = _BITS[x.dtype]
    return x.view(integer).bitwise_and(mask).bitwise_or_(one).view(x.dtype)


class _SignSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, x, -1.0, 1.0)


def binarize(x: torch.Tensor) -> torch.Tensor:
    """sign(x) whose gradient is that of hard-tanh."""
    return _SignSTE.apply(x)
