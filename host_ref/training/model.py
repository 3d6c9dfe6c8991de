"""The trainable network: latent float weights, binarized on every use, and batch normalisation.

Block order of BinaryNet: convolution, max pool, batch normalisation, sign.  The input is the odd
integer v = 2p - 255 of the arithmetic contract, which bfloat16 holds exactly.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from host_ref import network as net
from host_ref.training.binarize import SURROGATES, binarize


class BinaryNet(nn.Module):
    """The network of a :class:`host_ref.network.Network`.

    Attributes
    ----------
    latent : ParameterList
        Per layer the float weights: (outputs, inputs, 3, 3) or (outputs, inputs), FC inputs in the
        order row, column, channel.
    norms : ModuleList
        Per layer its batch normalisation.

    Parameters
    ----------
    network : Network
    surrogate : str
        What stands in for the gradient of the activations' sign (the weights' is hard-tanh's).
    """

    def __init__(self, network: net.Network, surrogate: str = "hardtanh") -> None:
        super().__init__()
        if surrogate not in SURROGATES:
            raise ValueError(f"surrogate {surrogate!r} is none of {', '.join(SURROGATES)}")
        self.surrogate = surrogate
        self.network = network
        self.latent = nn.ParameterList()
        self.norms = nn.ModuleList()
        for layer in network.layers:
            shape = (layer.out_channels, layer.in_channels) + ((3, 3) if layer.is_conv else ())
            weight = nn.init.xavier_uniform_(torch.empty(shape))
            if layer.is_conv:
                weight = weight.to(memory_format=torch.channels_last)
            self.latent.append(nn.Parameter(weight))
            norm = nn.BatchNorm2d if layer.is_conv else nn.BatchNorm1d
            # the sums are integers of some size: epsilon hardly matters, but it must be known
            self.norms.append(norm(layer.out_channels, eps=1e-4))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of `values` (N, 3, H, W), the integers v."""
        x = values
        for layer, latent, norm in zip(self.network.layers, self.latent, self.norms):
            weight = binarize(latent.to(x.dtype))
            if layer.is_conv:
                x = self._convolve(x, weight, layer)
            else:
                if x.dim() == 4:
                    x = x.permute(0, 2, 3, 1).flatten(1)
                x = functional.linear(x, weight)
            x = norm(x)
            if layer.kind != net.LAST:
                x = binarize(x, self.surrogate)
        return x

    @staticmethod
    def _convolve(x: torch.Tensor, weight: torch.Tensor, layer: net.Layer) -> torch.Tensor:
        if layer.padding == net.ONE:
            x = functional.pad(x, (1, 1, 1, 1), value=1.0)
        x = functional.conv2d(x, weight, padding=1 if layer.padding == net.ZERO else 0)
        return functional.max_pool2d(x, 2) if layer.pool else x

    @torch.no_grad()
    def clip(self) -> None:
        """Keep the latent weights in [-1, 1], where the estimator passes gradients."""
        torch._foreach_clamp_min_(list(self.latent), -1.0)
        torch._foreach_clamp_max_(list(self.latent), 1.0)
