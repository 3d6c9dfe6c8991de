"""The papers' methods beside each other, on one small network and one budget.

``python -m host_ref.training.compare CIFAR_DIR --folder runs/methods`` trains every variant once
for each seed, logs a table and draws it.  What is done already is kept: interrupted, the same
command goes on; two processes with different ``--seeds`` share the work, and a last call with all
seeds finds it done.  Accuracy is counted on held-out training pictures, never on the test split.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from host_ref import cifar10
from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.parameters import VALUES, Parameters
from host_ref.training.export import layer_parameters
from host_ref.training.loop import Split, Trainer, split
from host_ref.training.recipe import Recipe

log = logging.getLogger(__name__)
RESULT = "result.json"
COMPARED = 2000
"""How many held-out pictures the folded integers classify too."""


@dataclass(frozen=True)
class Variant:
    """One row: what differs from the first one."""

    name: str
    changes: Dict[str, str] = field(default_factory=dict)
    padding: str = net.ZERO


VARIANTS = (
    Variant("BinaryNet"),
    Variant("stochastic activations", {"binarization": "stochastic"}),
    Variant("identity surrogate", {"surrogate": "identity"}),
    Variant("quadratic surrogate", {"surrogate": "quadratic"}),
    Variant("shift-based batch norm", {"normalization": "shift"}),
    Variant("shift-based AdaMax", {"optimizer": "shift_adamax"}),
    Variant("both shift-based", {"normalization": "shift", "optimizer": "shift_adamax"}),
    Variant("+1 padding", padding=net.ONE),
    Variant("with bias", {"bias": "yes"}),
    Variant("XNOR-Net order, α", {"order": "xnor", "scale": "alpha"}),
    Variant("XNOR-Net order, α and K", {"order": "xnor", "scale": "alpha_k"}),
    Variant("BinaryConnect: weights only", {"activations": "relu"}),
)


def network(padding: str) -> net.Network:
    """The CIFAR-10 network with a half to a quarter of its channels; an eighth of its MACs."""
    layers: List[Dict[str, Any]] = []
    for index, outputs in enumerate((64, 64, 64, 64, 128, 128)):
        layers.append({"name": f"conv{index + 1}", "kind": net.BIN_CONV if index else net.FP_CONV,
                       "outputs": outputs, "padding": padding if index else net.ZERO,
                       "pool": bool(index % 2)})
    layers += [{"name": "fc1", "kind": net.BIN_FC, "outputs": 256},
               {"name": "fc2", "kind": net.BIN_FC, "outputs": 256},
               {"name": "fc3", "kind": net.LAST, "outputs": 10}]
    return net.Network.from_description({"height": 32, "width": 32, "layers": layers})


def measure(variant: Variant, recipe: Recipe, data: Split, folder: Path,
            progress: bool = True) -> Dict[str, Any]:
    """Train one variant, unless `folder` holds its result, and count on the held-out pictures.

    Returns
    -------
    dict
        ``accuracy`` of the float arithmetic on all held-out pictures; ``differ``, of how many of
        the first ``compared`` the folded integers give another class, None where nothing folds.
    """
    recipe = replace(recipe, **variant.changes)
    budget = {"recipe": asdict(recipe), "pictures": len(data.train_images)}
    if (folder / RESULT).is_file():
        kept: Dict[str, Any] = json.loads((folder / RESULT).read_text())
        if kept["budget"] != budget:
            raise ValueError(f"{folder} holds a result of another budget: {kept['budget']}")
        return kept
    trainer = Trainer(network(variant.padding), recipe, data, folder)
    trainer.run(progress)
    trainer.settle(progress=progress)
    found = trainer.predict(data.held_images)
    result = {"name": variant.name, "budget": budget,
              "accuracy": float((found == data.held_labels).mean()),
              "compared": len(found[:COMPARED]), "differ": None,
              "curve": [entry["validation_accuracy"] for entry in trainer.history],
              "seconds": sum(entry["seconds"] for entry in trainer.history)}
    if recipe.obstacle is None:
        folded = _folded(trainer).classify(data.held_images[:COMPARED])
        result["differ"] = int((folded != found[:COMPARED]).sum())
    (folder / RESULT).write_text(json.dumps(result))
    log.info("%s, seed %d: %.2f %%", variant.name, recipe.seed, 100 * result["accuracy"])
    return result


def _folded(trainer: Trainer) -> IntegerModel:
    own = trainer.model.network
    return IntegerModel(Parameters(own, layer_parameters(trainer.model), cifar10.CLASSES, "variant",
                                   {"size": [own.height, own.width], "values": VALUES}))


def table(results: Sequence[Sequence[Dict[str, Any]]]) -> str:
    """A Markdown table; a row for each variant, from its results for every seed."""
    lines = ["| variant | held-out accuracy, mean | runs | against the first | folded integers |",
             "|---|---|---|---|---|"]
    for row in results:
        each = [100 * result["accuracy"] for result in row]
        gain = np.mean([own - 100 * first["accuracy"] for own, first in zip(each, results[0])])
        lines.append(f"| {row[0]['name']} | {np.mean(each):.2f} % | "
                     f"{', '.join(f'{value:.2f}' for value in each)} | "
                     f"{gain:+.2f} | {_folded_text(row)} |")
    return "\n".join(lines)


def _folded_text(row: Sequence[Dict[str, Any]]) -> str:
    if row[0]["differ"] is None:
        return "do not exist"
    return (f"{sum(result['differ'] for result in row)} of "
            f"{sum(result['compared'] for result in row)} pictures differ")


def plot(results: Sequence[Sequence[Dict[str, Any]]], path: Path) -> None:
    """Draw the runs and the mean of every variant, and its accuracy by epoch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.8), dpi=110)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [3, 2]})
    for position, row in enumerate(results):
        each = [100 * result["accuracy"] for result in row]
        colour = "#0072b2" if row[0]["differ"] is not None else "#d55e00"
        left.plot(each, [position] * len(each), "o", color=colour, alpha=0.5, markersize=6)
        left.plot(np.mean(each), position, "|", color=colour, markersize=18, markeredgewidth=2.5)
        curve = 100 * np.mean([result["curve"] for result in row], axis=0)
        right.plot(range(1, len(curve) + 1), curve, color=colour, alpha=0.7, linewidth=1.2)
    left.axvline(100 * np.mean([result["accuracy"] for result in results[0]]), color="#999999",
                 linewidth=0.8, zorder=0)
    left.set_yticks(range(len(results)))
    left.set_yticklabels([row[0]["name"] for row in results])
    left.invert_yaxis()
    left.set_xlabel("accuracy on held-out pictures, %: runs and their mean")
    left.set_title("blue folds into the accelerator, orange does not", fontsize=10)
    right.set_xlabel("epoch")
    right.set_title("by epoch, mean of the runs", fontsize=10)
    for axes in (left, right):
        axes.grid(color="#dddddd", linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(str(path))


def main(arguments: Optional[List[str]] = None) -> None:
    """Train what is missing, print the table and draw it."""
    parser = argparse.ArgumentParser(prog="python -m host_ref.training.compare",
                                     description=__doc__)
    parser.add_argument("cifar", type=Path, help="folder of CIFAR-10's binary version")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=25000, help="to train on, each epoch")
    parser.add_argument("--validation", type=int, default=10000)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        images, labels = cifar10.load(options.cifar, "train")
    except cifar10.DatasetError as error:
        parser.error(str(error))
    results: List[List[Dict[str, Any]]] = [[] for _ in VARIANTS]
    for seed in options.seeds:
        recipe = Recipe(seed=seed, epochs=options.epochs, batch=options.batch,
                        validation=options.validation)
        data = split(images, labels, recipe)
        data = replace(data, train_images=data.train_images[:options.pictures],
                       train_labels=data.train_labels[:options.pictures])
        for number, variant in enumerate(VARIANTS):
            folder = options.folder / f"{number:02d}-seed{seed}"
            try:
                result = measure(variant, recipe, data, folder, not options.quiet)
            except ValueError as error:
                parser.error(str(error))
            results[number].append(result)
    options.folder.joinpath("table.md").write_text(table(results) + "\n", encoding="utf-8")
    plot(results, options.folder / "methods.png")
    log.info("\n%s", table(results))


if __name__ == "__main__":
    main()
