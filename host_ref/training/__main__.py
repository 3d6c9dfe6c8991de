"""Train, plot the curves and write the parameter file.

``python -m host_ref.training CIFAR_DIR --folder runs/mine --output mine.npz``; interrupted, the
same command goes on after the last whole epoch.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import fields
from pathlib import Path

from host_ref import cifar10, parameters
from host_ref import network as net
from host_ref.training.curves import plot
from host_ref.training.export import export
from host_ref.training.loop import Recipe, Trainer, split

NETWORKS = {"cifar10": net.CIFAR10, "cnv": net.CNV}


def parser() -> argparse.ArgumentParser:
    """The command line: one option for each field of the recipe."""
    result = argparse.ArgumentParser(prog="python -m host_ref.training", description=__doc__)
    result.add_argument("cifar", type=Path, help="folder of CIFAR-10's binary version")
    result.add_argument("--folder", type=Path, required=True,
                        help="for checkpoint, log and plot; a checkpoint there is continued")
    result.add_argument("--network", choices=sorted(NETWORKS), default="cifar10")
    result.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    result.add_argument("--output", type=Path, metavar="NPZ",
                        help="write the parameter file here, its test accuracy measured")
    result.add_argument("--quiet", action="store_true", help="no progress bars")
    for field in fields(Recipe):
        result.add_argument("--" + field.name.replace("_", "-"), type=type(field.default),
                            default=field.default, help="default %(default)s")
    return result


def main() -> None:
    """Train as the command line says."""
    arguments = parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = Recipe(**{field.name: getattr(arguments, field.name) for field in fields(Recipe)})
    data = split(*cifar10.load(arguments.cifar, "train"), recipe)
    trainer = Trainer(NETWORKS[arguments.network], recipe, data, arguments.folder, arguments.device)
    trainer.run(progress=not arguments.quiet)
    plot(trainer.history, arguments.folder / "curves.png")
    if arguments.output:
        trainer.settle(progress=not arguments.quiet)
        command = "python -m host_ref.training " + " ".join(
            word for word in sys.argv[1:] if word != str(arguments.cifar))
        result = export(trainer, arguments.output.stem, *cifar10.load(arguments.cifar, "test"),
                        command=command)
        parameters.save(arguments.output, result)
        logging.info("%s: %.2f %% of %d test pictures", arguments.output,
                     100 * result.accuracy["accuracy"], result.accuracy["count"])


if __name__ == "__main__":
    main()
