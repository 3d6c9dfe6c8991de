"""Train the teacher: the small one in minutes on a CPU, the large one in a minute on a GPU.

``python -m host_ref.training.train_teacher CIFAR_DIR --output runs/teacher.pt``.  After Jordan,
94 % on CIFAR-10 in 3.29 Seconds on a Single GPU, 2024: Nesterov SGD on summed losses, the rate a
triangle, batch norms' biases learning faster.  It sees the student's training pictures alone,
never those held out.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import Callable, Union

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from host_ref import cifar10
from host_ref.training.augment import augment
from host_ref.training.loop import Split, TrainingError, split, to_values
from host_ref.training.recipe import Recipe
from host_ref.training.teacher import SIZES, Teacher, save

log = logging.getLogger(__name__)

BATCH = 500
MOMENTUM = 0.85
RATE = 11.5 / (1024 * (1 + 1 / (1 - MOMENTUM)))
"""Peak learning rate of the summed loss; independent of the batch."""
DECAY = 0.0153 / (1024 * (1 + 1 / (1 - MOMENTUM)))
"""Weight decay a picture, decoupled from the rate."""
BIAS_SCALE = 64
"""How much faster the biases of batch norms learn."""
SMOOTHING = 0.1


def train(data: Split, epochs: int, seed: int, device: str = "cpu",
          dtype: torch.dtype = torch.bfloat16, progress: bool = True, size: str = "small",
          cutout: int = 0, compiled: bool = False) -> Teacher:
    """A teacher of the training pictures; its accuracy on the held-out ones goes to the log."""
    torch.manual_seed(seed)
    generator = torch.Generator(device).manual_seed(seed)
    images = torch.from_numpy(data.train_images).to(device)
    labels = torch.from_numpy(data.train_labels.astype(np.int64)).to(device)
    model = Teacher(int(data.train_labels.max()) + 1, size)
    model.whiten_like(to_values(data.train_images[:2000], torch.device("cpu"), torch.float32))
    model.to(device)
    biases = [part.bias for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    others = [value for value in model.parameters()
              if value.requires_grad and not any(value is bias for bias in biases)]
    optimizer = torch.optim.SGD(
        [{"params": others, "peak": RATE}, {"params": biases, "peak": RATE * BIAS_SCALE}],
        lr=RATE, momentum=MOMENTUM, nesterov=True)
    for group in optimizer.param_groups:
        group["weight_decay"] = DECAY * BATCH / group["peak"]
    called = torch.compile(model) if compiled else model
    steps = len(images) // BATCH
    for epoch in range(epochs):
        started = time.monotonic()
        order = torch.randperm(len(images), generator=generator, device=device)
        model.train()
        for step in tqdm(range(steps), desc=f"teacher {epoch + 1}/{epochs}", disable=not progress):
            done = (epoch * steps + step) / (epochs * steps)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * np.interp(done, [0, 0.23, 1], [0.2, 1, 0.07])
            picked = order[step * BATCH:(step + 1) * BATCH]
            logits = _logits(called, augment(images[picked], generator, cutout=cutout), device,
                             dtype)
            loss = functional.cross_entropy(logits, labels[picked], label_smoothing=SMOOTHING,
                                            reduction="sum")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if not torch.isfinite(loss):
            raise TrainingError(f"teacher, epoch {epoch + 1}: the loss is {float(loss)}; try "
                                "without --compile, fewer --epochs or another --seed")
        log.info("teacher, epoch %d: held-out %.2f %%, %.0f s", epoch + 1,
                 100 * accuracy(model, data, dtype), time.monotonic() - started)
    return model


def _logits(model: Callable[..., torch.Tensor], images: Union[np.ndarray, torch.Tensor],
            device: str, dtype: torch.dtype) -> torch.Tensor:
    with torch.autocast(device, torch.bfloat16, dtype == torch.bfloat16):
        return model(to_values(images, torch.device(device), dtype)).float()


@torch.no_grad()
def accuracy(model: Teacher, data: Split, dtype: torch.dtype) -> float:
    """Share of the held-out pictures that it has right."""
    model.eval()
    right = 0
    for start in range(0, len(data.held_images), BATCH):
        logits = _logits(model, data.held_images[start:start + BATCH], model.mean.device.type,
                         dtype).cpu().numpy()
        right += int((logits.argmax(1) == data.held_labels[start:start + BATCH]).sum())
    return right / max(1, len(data.held_images))


def main() -> None:
    """Train as the command line says."""
    arguments = argparse.ArgumentParser(prog="python -m host_ref.training.train_teacher",
                                        description=__doc__)
    arguments.add_argument("cifar", type=Path, help="folder of CIFAR-10's binary version")
    arguments.add_argument("--output", type=Path, required=True)
    arguments.add_argument("--epochs", type=int, default=10)
    arguments.add_argument("--size", choices=SIZES, default="small")
    arguments.add_argument("--cutout", type=int, default=0,
                           help="side of a grey square in each picture (default %(default)s)")
    arguments.add_argument("--compile", action="store_true", help="as of host_ref.training")
    arguments.add_argument("--seed", type=int, default=1,
                           help="the student's, so that both hold out the same pictures")
    arguments.add_argument("--validation", type=int, default=Recipe.validation,
                           help="the student's (default %(default)s)")
    arguments.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments.add_argument("--quiet", action="store_true", help="no progress bars")
    options = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        recipe = Recipe(seed=options.seed, validation=options.validation)
        data = split(*cifar10.load(options.cifar, "train"), recipe)
    except cifar10.DatasetError as error:
        arguments.error(str(error))
    if options.device == "cuda" and not torch.cuda.is_available():
        arguments.error("--device cuda: PyTorch finds none here; cpu works everywhere")
    try:
        model = train(data, options.epochs, options.seed, options.device,
                      progress=not options.quiet, size=options.size, cutout=options.cutout,
                      compiled=options.compile)
    except TrainingError as error:
        sys.exit(f"{error}")
    save(options.output, model, options.seed, options.validation)


if __name__ == "__main__":
    main()
