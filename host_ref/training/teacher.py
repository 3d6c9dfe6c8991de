"""A float network that teaches the binary one.

Its class probabilities on the very pictures that the student sees, shifted and mirrored, say which
classes a picture resembles; a label does not (Hinton et al., Distilling the Knowledge in a Neural
Network, 2015).  The network is that of Jordan, 94 % on CIFAR-10 in 3.29 Seconds on a Single GPU,
2024: a whitening convolution, three blocks of convolutions, scaled logits; "large" is that paper's
network for 96 %, with a third convolution and a shortcut in each block.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, NamedTuple, Tuple

import torch
from torch import nn
from torch.nn import functional


class Size(NamedTuple):
    """Channels of the three blocks, and whether each has a third convolution."""

    widths: Tuple[int, int, int]
    deep: bool


SIZES: Dict[str, Size] = {"small": Size((64, 256, 256), False),
                          "large": Size((128, 384, 512), True)}
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class Teacher(nn.Module):
    """Logits (N, classes) of `values` (N, 3, 32, 32), the integers v = 2p - 255."""

    def __init__(self, classes: int = 10, size: str = "small") -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))
        self.size = size
        self.whiten = nn.Conv2d(3, 24, 2)
        widths, deep = SIZES[size]
        self.blocks = nn.Sequential(*(
            _Block(before, width, deep) for before, width in zip((24, *widths), widths)))
        self.head = nn.Linear(widths[-1], classes, bias=False)
        self.to(memory_format=torch.channels_last)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        x = functional.gelu(self.whiten(self.normalise(values)))
        return self.head(self.blocks(x).amax((2, 3))) / 9

    def normalise(self, values: torch.Tensor) -> torch.Tensor:
        """Zero mean and deviation one over CIFAR-10, in the dtype of `values`."""
        x = ((values.float() + 255) / 510 - self.mean) / self.deviation
        return x.to(values.dtype)

    @torch.no_grad()
    def whiten_like(self, values: torch.Tensor) -> None:
        """Set the first layer to the principal directions of 2 x 2 patches, each of variance 1."""
        x = self.normalise(values.float())
        patches = x.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
        strengths, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (directions / torch.sqrt(strengths + 5e-4)).T.flip(0).reshape(12, 3, 2, 2)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))
        self.whiten.bias.zero_()
        self.whiten.weight.requires_grad_(False)


class _Block(nn.Module):
    """Two convolutions, the first of them pooled, and perhaps a third beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, deep: bool) -> None:
        super().__init__()
        self.begin = nn.Sequential(
            _convolution(inputs, outputs), nn.MaxPool2d(2), _norm(outputs), nn.GELU(),
            _convolution(outputs, outputs), _norm(outputs))
        self.end = nn.Sequential(nn.GELU(), _convolution(outputs, outputs),
                                 _norm(outputs)) if deep else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.begin(x)
        if self.end is not None:
            x = functional.gelu(x) + self.end(x)
        return functional.gelu(x)


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    result = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(result.weight[:inputs])  # the first outputs begin as copies of the inputs
    return result


def _norm(width: int) -> nn.BatchNorm2d:
    result = nn.BatchNorm2d(width, momentum=0.4)
    result.weight.requires_grad_(False)  # the next convolution scales
    return result


def save(path: Path, model: Teacher, seed: int, validation: int) -> None:
    """Write the weights, and by what split they were trained, for a recipe's ``teacher``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict(), "size": model.size, "seed": seed,
                "validation": validation}, path)


def load(path: Path, classes: int, seed: int, validation: int) -> Teacher:
    """A saved teacher, ready to be asked by a student of this recipe.

    Raises
    ------
    ValueError
        If it is not there, not a teacher, of other classes, or was trained on pictures that the
        student holds out.
    """
    if not path.is_file():
        raise ValueError(f"{path}, the teacher, is not there: python -m "
                         "host_ref.training.train_teacher makes one")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        weights, held_out = state["model"], (state["seed"], state["validation"])
        model = Teacher(len(weights["head.weight"]), state["size"])
        model.load_state_dict(weights)
    except Exception as error:  # damaged files raise a dozen kinds
        raise ValueError(f"{path} is not a teacher: {error}") from None
    if not all(torch.isfinite(values).all() for values in weights.values()):
        raise ValueError(f"{path} holds values that are no numbers: its training went wrong")
    if len(weights["head.weight"]) != classes:
        raise ValueError(f"{path} knows {len(weights['head.weight'])} classes, not {classes}")
    if held_out != (seed, validation):
        raise ValueError(f"{path} held out {held_out[1]} pictures by seed {held_out[0]}, its "
                         f"student {validation} by seed {seed}: it would know pictures that are "
                         "held out")
    return model.eval()
