"""The methods of the papers this stands on, as switches of one training code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

CHOICES: Dict[str, Tuple[str, ...]] = {
    "surrogate": ("hardtanh", "identity", "quadratic"),
    "binarization": ("deterministic", "stochastic"),
    "activations": ("binary", "relu"),
    "weights": ("binary", "real"),
    "normalization": ("batch", "shift"),
    "scale": ("none", "alpha", "alpha_k"),
    "order": ("binarynet", "xnor"),
    "bias": ("no", "yes"),
}
"""What each field of :class:`Method` may be; the first is the default."""


@dataclass(frozen=True)
class Method:
    """How a network binarizes, normalises and scales.

    Attributes
    ----------
    surrogate : str
        What stands in for the gradient of the activations' sign: see
        :mod:`host_ref.training.binarize`.
    binarization : str
        "stochastic": in training an activation x is +1 with probability (x + 1) / 2, clipped
        (BinaryNet, equation 2); inference is deterministic either way.
    activations : str
        "relu": only the weights are binary (Courbariaux et al., BinaryConnect, 2015).
    weights : str
        "real": only the activations are binary, which is the first of two steps from which the
        second starts (Martinez et al., Training Binary Neural Networks with Real-to-Binary
        Convolutions, 2020, section 4.2).
    normalization : str
        "shift": shift-based batch normalisation (BinaryNet, algorithm 3).
    scale : str
        "alpha": sums times the mean |weight| of their output; "alpha_k": also times K, the mean
        |input| around their position (Rastegari et al., XNOR-Net, 2016, section 3.2).
    order : str
        "binarynet": convolution, pool, normalisation, sign.  "xnor": normalisation, sign,
        convolution, pool (XNOR-Net, figure 3).  Chained, the two differ only at the end: with
        "xnor" no normalisation follows the last layer.
    bias : str
        "yes": a bias is added to every sum.

    Raises
    ------
    ValueError
        Names the field and its choices.
    """

    surrogate: str = CHOICES["surrogate"][0]
    binarization: str = CHOICES["binarization"][0]
    activations: str = CHOICES["activations"][0]
    weights: str = CHOICES["weights"][0]
    normalization: str = CHOICES["normalization"][0]
    scale: str = CHOICES["scale"][0]
    order: str = CHOICES["order"][0]
    bias: str = CHOICES["bias"][0]

    def __post_init__(self) -> None:
        check_choices(self, CHOICES)

    @property
    def obstacle(self) -> Optional[str]:
        """Why the accelerator can't compute it; None if every layer is affine in its sums."""
        if self.activations == "relu":
            return "its activations are real numbers, the accelerator's are bits"
        if self.weights == "real":
            return "its weights are real numbers, the accelerator's are bits"
        if self.scale == "alpha_k":
            return ("K scales every position by its own inputs' real size, so no one threshold "
                    "serves a channel")
        return None


def check_choices(switches: object, choices: Dict[str, Tuple[str, ...]]) -> None:
    """Refuse, by its name, the first field of `switches` that is not one of its `choices`."""
    for name, known in choices.items():
        if getattr(switches, name) not in known:
            raise ValueError(f"{name} {getattr(switches, name)!r} is not one of {', '.join(known)}")
