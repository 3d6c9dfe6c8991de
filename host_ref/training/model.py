"""The trainable network: latent float weights, binarized on every use, and batch normalisation.

The block of BinaryNet: convolution, max pool, normalisation, sign; a :class:`Method` says what is
done otherwise.  The input is the odd integer v = 2p - 255 of the arithmetic contract, which
bfloat16 holds exactly.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from host_ref import network as net
from host_ref.floating import batch_norm, shift_batch_norm
from host_ref.training.binarize import binarize
from host_ref.training.methods import Method
from host_ref.training.shift import ShiftBatchNorm


class BinaryNet(nn.Module):
    """The network of a :class:`host_ref.network.Network`.

    Attributes
    ----------
    latent : ParameterList
        Per layer the float weights: (outputs, inputs, 3, 3) or (outputs, inputs), FC inputs in the
        order row, column, channel.
    biases : ParameterList
        Per layer (outputs,); empty without biases.
    norms : ModuleList
        Per layer its normalisation; the last layer of XNOR-Net's order has none.

    Parameters
    ----------
    network : Network
    method : Method
    """

    def __init__(self, network: net.Network, method: Method) -> None:
        super().__init__()
        self.network, self.method = network, method
        self.latent = nn.ParameterList()
        self.biases = nn.ParameterList()
        self.norms = nn.ModuleList()
        for layer in network.layers:
            shape = (layer.out_channels, layer.in_channels) + ((3, 3) if layer.is_conv else ())
            weight = nn.init.xavier_uniform_(torch.empty(shape))
            if layer.is_conv:
                weight = weight.to(memory_format=torch.channels_last)
            self.latent.append(nn.Parameter(weight))
            if method.bias == "yes":
                self.biases.append(nn.Parameter(torch.zeros(layer.out_channels)))
            if layer.kind != net.LAST or method.order == "binarynet":
                self.norms.append(self._norm(layer))

    def _norm(self, layer: net.Layer) -> nn.Module:
        # the sums are integers of some size: epsilon hardly matters, but it must be known
        if self.method.normalization == "shift":
            return ShiftBatchNorm(layer.out_channels, eps=1e-4)
        norm = nn.BatchNorm2d if layer.is_conv else nn.BatchNorm1d
        return norm(layer.out_channels, eps=1e-4)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of `values` (N, 3, H, W), the integers v."""
        x = values
        for index, layer in enumerate(self.network.layers):
            if not layer.is_conv and x.dim() == 4:
                x = x.permute(0, 2, 3, 1).flatten(1)
            x = self._sums(index, x)
            if index < len(self.norms):
                x = self.norms[index](x)
        return x

    def _sums(self, index: int, x: torch.Tensor) -> torch.Tensor:
        """A layer's sums, scaled, biased and pooled, of what the layer before normalised."""
        layer, method = self.network.layers[index], self.method
        inputs = self._activate(x) if index else x
        # clipped to [-1, 1] after every step, so the gradient may pass everywhere: one that stopped
        # at 1, where bfloat16 rounds many weights to, would hold them there for good
        weight = self.latent[index].to(x.dtype)
        if method.weights == "binary":
            weight = binarize(weight, "identity")
        if layer.is_conv:
            if layer.padding == net.ONE:
                inputs = functional.pad(inputs, (1, 1, 1, 1), value=1.0)
            padding = 1 if layer.padding == net.ZERO else 0
            sums = functional.conv2d(inputs, weight, padding=padding)
        else:
            sums = functional.linear(inputs, weight)
        if method.scale != "none":
            sums = sums * self._per_output(self.alpha(index), sums)
        if method.scale == "alpha_k" and index:
            sums = sums * _input_scale(layer, x)
        if self.biases:
            sums = sums + self._per_output(self.biases[index], sums)
        return functional.max_pool2d(sums, 2) if layer.pool else sums

    def _activate(self, x: torch.Tensor) -> torch.Tensor:
        if self.method.activations == "relu":
            return functional.relu(x)
        stochastic = self.training and self.method.binarization == "stochastic"
        return binarize(x, self.method.surrogate, stochastic)

    def alpha(self, index: int) -> torch.Tensor:
        """XNOR-Net's scale factors (outputs,): the mean |weight| of each output."""
        return self.latent[index].abs().flatten(1).mean(1)

    @staticmethod
    def _per_output(values: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        return values.to(sums.dtype).view((1, -1) + (1,) * (sums.dim() - 2))

    @torch.no_grad()
    def affine(self, index: int) -> Tuple[np.ndarray, np.ndarray]:
        """k and h, float32 (outputs,), of y = k·s + h: all that follows a layer's integer sums.

        Raises
        ------
        ValueError
            If the method isn't affine in the sums; says why.
        """
        if self.method.obstacle:
            raise ValueError(f"this network can't be folded: {self.method.obstacle}")
        outputs = self.network.layers[index].out_channels
        k, h = np.ones(outputs), np.zeros(outputs)
        if index < len(self.norms):
            norm = self.norms[index]
            fold = shift_batch_norm if self.method.normalization == "shift" else batch_norm
            k, h = fold(*(_array(values) for values in (
                norm.weight, norm.bias, norm.running_mean, norm.running_var)), norm.eps)
        if self.biases:
            h = h + k * _array(self.biases[index])
        if self.method.scale != "none":
            k = k * _array(self.alpha(index))
        return k.astype(np.float32), h.astype(np.float32)

    @torch.no_grad()
    def clip(self) -> None:
        """Keep the latent weights in [-1, 1] (BinaryNet, section 1.3)."""
        torch._foreach_clamp_min_(list(self.latent), -1.0)
        torch._foreach_clamp_max_(list(self.latent), 1.0)


def _input_scale(layer: net.Layer, x: torch.Tensor) -> torch.Tensor:
    """XNOR-Net's K: the mean |input| in each position's window; (N, 1, H, W), FC: (N, 1)."""
    size = x.abs().mean(1, keepdim=True)
    if not layer.is_conv:
        return size
    window = torch.full((1, 1, 3, 3), 1 / 9, dtype=x.dtype, device=x.device)
    return functional.conv2d(size, window, padding=0 if layer.padding == net.NONE else 1)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)
