"""What decides the result of a training run."""

from __future__ import annotations

from dataclasses import dataclass

from host_ref.training import methods
from host_ref.training.methods import Method

CHOICES = {"precision": ("bfloat16", "float32"), "optimizer": ("adam", "shift_adamax"),
           "mirror": ("yes", "no"), **methods.CHOICES}
"""What a field of a recipe may be, where only certain words are possible."""


@dataclass(frozen=True)
class Recipe(Method):
    """What decides the result; it travels inside the checkpoint and the parameter file."""

    epochs: int = 16
    batch: int = 100
    seed: int = 1
    weight_rate: float = 3e-3
    norm_rate: float = 5e-3
    warmup: float = 0.1
    label_smoothing: float = 0.05
    validation: int = 2000
    precision: str = "bfloat16"
    optimizer: str = "adam"
    """Or "shift_adamax" (BinaryNet, algorithm 4)."""
    mirror: str = "yes"
    """Whether training mirrors half of the pictures: "no" where left and right are classes."""
    cutout: int = 0
    """Side in pixels of a grey square put somewhere into each training picture; 0: none."""
    start: str = ""
    """A checkpoint whose weights the schedule starts from; empty: random ones."""
    teacher: str = ""
    """A file of :mod:`host_ref.training.teacher`; empty: the labels alone teach."""
    teacher_share: float = 0.8
    """How much of each target is the teacher's probabilities, the rest being the label."""

    def __post_init__(self) -> None:
        super().__post_init__()
        methods.check_choices(self, CHOICES)
        for name, least in (("epochs", 1), ("batch", 2), ("validation", 0), ("cutout", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} {getattr(self, name)}: at least {least}")
