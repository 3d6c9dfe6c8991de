"""The training loop: one schedule, a checkpoint an epoch, resumable to the same bits of work."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from host_ref import network as net
from host_ref.held_out import held_out
from host_ref.training.augment import augment
from host_ref.training.curves import HISTORY
from host_ref.training.model import BinaryNet
from host_ref.training.recipe import Recipe
from host_ref.training.shift import ShiftAdaMax
from host_ref.training.teacher import load as load_teacher

log = logging.getLogger(__name__)
OPTIMIZERS = {"adam": torch.optim.Adam, "shift_adamax": ShiftAdaMax}
CHECKPOINT = "checkpoint.pt"


class TrainingError(RuntimeError):
    """Training went nowhere; the message says when, and what may help."""


@dataclass
class Split:
    """Training and validation pictures; the test pictures never come here."""

    train_images: np.ndarray
    train_labels: np.ndarray
    held_images: np.ndarray
    held_labels: np.ndarray


def split(images: np.ndarray, labels: np.ndarray, recipe: Recipe) -> Split:
    """Hold out `recipe.validation` pictures, the same ones for the same seed."""
    held, kept = held_out(len(images), recipe.seed, recipe.validation)
    return Split(images[kept], labels[kept], images[held], labels[held])


def to_values(images: Union[np.ndarray, torch.Tensor], device: torch.device,
              dtype: torch.dtype) -> torch.Tensor:
    """uint8 (N, H, W, 3) to v = 2p - 255, (N, 3, H, W), channels last in memory."""
    values = torch.as_tensor(images).to(device).to(torch.float32).mul_(2).sub_(255)
    return values.permute(0, 3, 1, 2).to(dtype)


class Trainer:
    """Trains one network under one recipe in one folder.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    data : Split
    folder : Path
        Receives ``checkpoint.pt`` and ``history.jsonl``; a checkpoint found there is continued.
    device : str
        "cpu" or "cuda".
    compiled : bool
        Let PyTorch compile the training step: a minute at the start, a shorter step after it.
    save_every_s : float
        Epochs within so many seconds of the last checkpoint don't write one, but for the last.
    """

    def __init__(self, network: net.Network, recipe: Recipe, data: Split, folder: Path,
                 device: str = "cpu", compiled: bool = False, save_every_s: float = 0.0) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.data, self.folder = recipe, data, folder
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device cuda: PyTorch finds none here; cpu works everywhere")
        self.device = torch.device(device)
        self.dtype = getattr(torch, recipe.precision)
        self.model = BinaryNet(network, recipe).to(self.device)
        self._called: Callable[..., torch.Tensor] = self.model
        if compiled:
            self._called = torch.compile(self.model)
        # on the device, whole: a GPU would wait for each batch otherwise
        self.images = torch.from_numpy(data.train_images).to(self.device)
        self.labels = torch.from_numpy(data.train_labels.astype(np.int64)).to(self.device)
        self._save_every_s, self._saved = save_every_s, -math.inf
        others = [*self.model.norms.parameters(), *self.model.biases]
        self.optimizer = OPTIMIZERS[recipe.optimizer]([
            {"params": list(self.model.latent), "peak": recipe.weight_rate},
            {"params": others, "peak": recipe.norm_rate},
        ])
        self.teacher: Optional[Callable[..., torch.Tensor]] = None
        if recipe.teacher:
            teacher = load_teacher(Path(recipe.teacher), network.classes, recipe.seed,
                                   recipe.validation).to(self.device)
            self.teacher = torch.compile(teacher) if compiled else teacher
        self.steps_per_epoch = len(data.train_images) // recipe.batch
        self.epoch = 0
        self.history: List[Dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT).is_file():
            self._resume()
        elif recipe.start:
            self._start(Path(recipe.start))

    def run(self, progress: bool = True) -> None:
        """Train to the end of the schedule, saving after every epoch."""
        while self.epoch < self.recipe.epochs:
            started = time.monotonic()
            loss, accuracy = self._train_epoch(progress)
            if not math.isfinite(loss):  # before it is saved over an epoch that was sound
                raise TrainingError(f"epoch {self.epoch + 1}: the loss is {loss}; a lower "
                                    "--weight-rate and --norm-rate may help")
            held = self.validate()
            self.epoch += 1
            self.history.append({
                "epoch": self.epoch, "loss": loss, "train_accuracy": accuracy,
                "validation_accuracy": held, "rate": self._scale(self.epoch * self.steps_per_epoch),
                "seconds": time.monotonic() - started})
            if (self.epoch == self.recipe.epochs
                    or time.monotonic() - self._saved >= self._save_every_s):
                self.save()
            log.info("epoch %d: loss %.4f, train %.2f %%, validation %.2f %%, %.0f s", self.epoch,
                     loss, 100 * accuracy, 100 * (held or 0), self.history[-1]["seconds"])

    def _train_epoch(self, progress: bool) -> Tuple[float, float]:
        """One pass over the training pictures; mean loss and accuracy on the augmented pictures."""
        # seeded by the epoch, so that a resumed run draws what an unbroken one would
        torch.manual_seed(1_000_003 * self.recipe.seed + self.epoch)
        generator = self._generator(1_000_003 * self.recipe.seed + self.epoch)
        order = torch.randperm(len(self.images), generator=generator, device=self.device)
        self.model.train()
        # added up where they are: fetching each would keep a GPU waiting
        loss_sum, right = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        steps: Iterator[int] = range(self.steps_per_epoch)
        for step in tqdm(steps, desc=f"epoch {self.epoch + 1}/{self.recipe.epochs}",
                         disable=not progress, mininterval=5):
            picked = order[step * self.recipe.batch:(step + 1) * self.recipe.batch]
            images, labels = self._augment(picked, generator), self.labels[picked]
            loss, logits = self._step(images, labels, self.epoch * self.steps_per_epoch + step)
            loss_sum += loss
            right += (logits.argmax(1) == labels).sum()
        seen = self.steps_per_epoch * self.recipe.batch
        return float(loss_sum) / self.steps_per_epoch, float(right) / seen

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(seed)

    def _augment(self, picked: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return augment(self.images[picked], generator, self.recipe.mirror == "yes",
                       self.recipe.cutout)

    def _step(self, images: torch.Tensor, labels: torch.Tensor,
              step: int) -> Tuple[torch.Tensor, torch.Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * self._scale(step)
        values = to_values(images, self.device, self.dtype)
        logits = self._forward(self._called, values)
        loss = functional.cross_entropy(logits, self._targets(values, labels),
                                        label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.model.clip()
        return loss.detach(), logits.detach()

    @torch.no_grad()
    def _targets(self, values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The labels, or class probabilities (N, classes) in which the teacher has its share."""
        if self.teacher is None:
            return labels
        share, classes = self.recipe.teacher_share, self.model.network.classes
        taught = self._forward(self.teacher, values).softmax(1)
        return share * taught + (1 - share) * functional.one_hot(labels, classes)

    def _forward(self, model: Callable[..., torch.Tensor], values: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, values.dtype == torch.bfloat16):
            return model(values).float()

    def _scale(self, step: int) -> float:
        """Learning rate as a fraction of its peak: a linear rise, then half a cosine to 0."""
        total = self.steps_per_epoch * self.recipe.epochs
        rise = max(1, int(self.recipe.warmup * total))
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))

    def validate(self) -> Optional[float]:
        """Accuracy on the held-out pictures; None if none are held out."""
        if not len(self.data.held_images):
            return None
        found = self.predict(self.data.held_images, self.dtype)
        return float((found == self.data.held_labels).mean())

    @torch.no_grad()
    def predict(self, images: np.ndarray, dtype: torch.dtype = torch.float32) -> np.ndarray:
        """Classes, int64 (N,), of uint8 pictures (N, H, W, 3); float32 sums are exact on a CPU."""
        self.model.eval()
        parts = [np.empty(0, np.int64)]
        for start in range(0, len(images), 250):
            values = to_values(images[start:start + 250], self.device, dtype)
            parts.append(self._forward(self.model, values).argmax(1).cpu().numpy())
        return np.concatenate(parts)

    @torch.no_grad()
    def settle(self, count: int = 10000, progress: bool = True) -> None:
        """Average the batch-norm statistics over `count` training pictures, in exact float32 sums.

        During training the running statistics trail behind the weights, and bfloat16 rounds the
        sums; the accelerator's sums are exact, so the thresholds should come from exact ones.
        """
        self.model.eval()  # binarized as in inference, but normalised by each batch's statistics
        for norm in self.model.norms:
            norm.train()
            norm.reset_running_stats()
            norm.momentum = None  # a plain average over all batches
        generator = self._generator(self.recipe.seed)
        picked = torch.randperm(len(self.images), generator=generator, device=self.device)[:count]
        # none much smaller than another
        batches = torch.tensor_split(picked, -(-len(picked) // 250))
        for batch in tqdm(batches, desc="settle", disable=not progress):
            self.model(to_values(self._augment(batch, generator), self.device, torch.float32))
        self.model.eval()

    def save(self) -> None:
        """Write the checkpoint so that a kill at any moment leaves the old one or the new one."""
        self._saved = time.monotonic()
        partial = self.folder / (CHECKPOINT + ".partial")
        torch.save({"epoch": self.epoch, "recipe": asdict(self.recipe), "history": self.history,
                    "network": self.model.network.description(),
                    "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()},
                   partial)
        partial.replace(self.folder / CHECKPOINT)
        lines = "".join(json.dumps(entry) + "\n" for entry in self.history)
        (self.folder / HISTORY).write_text(lines)

    def _resume(self) -> None:
        state = self._read(self.folder / CHECKPOINT)
        if Recipe(**state["recipe"]) != self.recipe:  # a field newer than the checkpoint: default
            raise ValueError(f"{self.folder / CHECKPOINT} was made by another recipe: "
                             f"{state['recipe']}; use another folder or the same options")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.history = state["epoch"], state["history"]
        log.info("resumed after epoch %d", self.epoch)

    def _read(self, checkpoint: Path) -> Dict[str, Any]:
        try:
            state: Dict[str, Any] = torch.load(checkpoint, map_location=self.device,
                                               weights_only=True)
            network = state["network"]
        except Exception as error:  # damaged files raise a dozen kinds
            raise ValueError(f"{checkpoint} is not a checkpoint: {error}") from None
        if network != self.model.network.description():
            raise ValueError(f"{checkpoint} is of another network: {network}")
        return state

    def _start(self, checkpoint: Path) -> None:
        """Take the weights of another run, but neither its optimizer's state nor its epochs."""
        if not checkpoint.is_file():
            raise ValueError(f"{checkpoint}, to start from, is not there")
        state = self._read(checkpoint)
        before = Recipe(**state["recipe"])
        if (before.seed, before.validation) != (self.recipe.seed, self.recipe.validation):
            raise ValueError(f"{checkpoint} held out {before.validation} pictures by seed "
                             f"{before.seed}: it knows some of those held out now")
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise ValueError(f"{checkpoint} is of another method: {error}") from None
        log.info("starting from %s, %d epochs of %s", checkpoint, state["epoch"], state["recipe"])
