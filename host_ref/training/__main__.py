"""Train, plot the curves and write the parameter file.

``python -m host_ref.training DATA --folder runs/mine --output mine.npz``; interrupted, the
same command goes on after the last whole epoch.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
from dataclasses import fields
from pathlib import Path
from typing import Tuple

from host_ref import network as net
from host_ref import parameters
from host_ref.calibration import calibrated
from host_ref.training import dataset
from host_ref.training.curves import plot
from host_ref.training.export import export
from host_ref.training.loop import Trainer, TrainingError, split
from host_ref.training.recipe import CHOICES, Recipe

NETWORKS = {"cifar10": net.CIFAR10, "cnv": net.CNV}
PREPARE = "pynq_bnn.images.to_pictures"
"""Named here, not imported: nothing of host_ref rests on the driver but this command's default."""


def parser() -> argparse.ArgumentParser:
    """The command line: one option for each field of the recipe."""
    result = argparse.ArgumentParser(prog="python -m host_ref.training", description=__doc__)
    result.add_argument("data", help="folder of CIFAR-10's binary version, or one with a "
                                     "sub-folder of pictures for each class")
    result.add_argument("--folder", type=Path, required=True,
                        help="for checkpoint, log and plot; a checkpoint there is continued")
    result.add_argument("--network", default="cifar10", metavar="NAME_OR_JSON",
                        help=f"{', '.join(NETWORKS)} or a file with a network description; the "
                             "outputs of the last layer follow the classes (default %(default)s)")
    result.add_argument("--prepare", default=PREPARE, metavar="FUNCTION",
                        help="makes a picture file the network's picture; the default is what "
                             "classify does (%(default)s)")
    result.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    result.add_argument("--compile", action="store_true",
                        help="let PyTorch compile the step: a minute first, faster then")
    result.add_argument("--save-every", type=float, default=0.0, metavar="SECONDS",
                        help="epochs sooner after a checkpoint write none (default: each does)")
    result.add_argument("--output", type=Path, metavar="NPZ",
                        help="write the parameter file here, its test accuracy measured")
    result.add_argument("--quiet", action="store_true", help="no progress bars")
    for field in fields(Recipe):
        result.add_argument("--" + field.name.replace("_", "-"), type=type(field.default),
                            default=field.default, choices=CHOICES.get(field.name),
                            help="default %(default)s")
    return result


def main() -> None:
    """Train as the command line says."""
    options = parser()
    arguments = options.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        trainer, data = _begin(arguments)
    except (ValueError, OSError) as error:
        options.error(str(error))
    try:
        trainer.run(progress=not arguments.quiet)
    except TrainingError as error:
        sys.exit(f"{error}")
    plot(trainer.history, arguments.folder / "curves.png")
    if arguments.output:
        trainer.settle(progress=not arguments.quiet)
        command = "python -m host_ref.training " + " ".join(
            word for word in sys.argv[1:] if word != arguments.data)
        result = export(trainer, arguments.output.stem, data, command,
                        progress=not arguments.quiet)
        if len(trainer.data.held_images):
            result = calibrated(result, trainer.data.held_images, trainer.data.held_labels,
                                "held-out training pictures")
        parameters.save(arguments.output, result)
        logging.info("%s: %.2f %% of %d test pictures", arguments.output,
                     100 * result.accuracy["accuracy"], result.accuracy["count"])


def _begin(arguments: argparse.Namespace) -> Tuple[Trainer, dataset.Dataset]:
    """The trainer, not yet run, and its data."""
    recipe = Recipe(**{field.name: getattr(arguments, field.name) for field in fields(Recipe)})
    if arguments.output and recipe.obstacle:
        raise ValueError(f"no --output for this method: {recipe.obstacle}")
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
    network = _network(arguments.network)
    data = dataset.load(arguments.data, network.height, network.width, _named(arguments.prepare),
                        progress=not arguments.quiet)
    left = len(data.train_images) - recipe.validation
    if left < recipe.batch:
        raise ValueError(f"of {len(data.train_images)} training pictures --validation "
                         f"{recipe.validation} leaves less than a batch of {recipe.batch}")
    network = _for_classes(network, len(data.classes))
    held = split(data.train_images, data.train_labels, recipe)
    return Trainer(network, recipe, held, arguments.folder, arguments.device,
                   arguments.compile, arguments.save_every), data


def _network(name: str) -> net.Network:
    """One of NETWORKS, or what a file describes."""
    if name in NETWORKS:
        return NETWORKS[name]
    try:
        return net.Network.from_description(json.loads(Path(name).read_text()))
    except FileNotFoundError:
        raise ValueError(f"--network {name}: none of {', '.join(NETWORKS)}, "
                         "and no such file") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--network {name}: {error}") from None


def _for_classes(network: net.Network, count: int) -> net.Network:
    """The network with `count` outputs of its last layer."""
    description = network.description()
    description["layers"][-1]["outputs"] = count
    return net.Network.from_description(description)


def _named(name: str) -> dataset.Prepare:
    """The function of this name, its module imported."""
    module, _, function = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"--prepare {name}: {error}") from None


if __name__ == "__main__":
    main()
