"""Scores as probabilities: one temperature, fitted on pictures that training held out.

A network's scores are the logits that its training's cross-entropy saw, but softened targets and
binary weights leave them too close together or too far apart.  Divided by one number, the
temperature, their softmax says how often an answer like this is right (Guo et al., On Calibration
of Modern Neural Networks, 2017).  The order of the scores, and so every answer, stays.

``python -m host_ref.calibration FILE.npz CIFAR_DIR`` fits it on the held-out training pictures of
the file's own recipe and writes it into the file; ``--test`` measures the one that is there.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict

import numpy as np

from host_ref import cifar10
from host_ref.held_out import held_out
from host_ref.integer import IntegerModel
from host_ref.parameters import ParameterError, Parameters, load, save

BINS = 15
"""Of confidence, as in Guo et al."""
CHUNK = 250
"""Pictures at a time."""
LEAST, MOST = 0.01, 100.0
"""Between these a temperature is looked for."""


def probabilities(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax of scores / temperature, float64 (N, classes), of scores (N, classes)."""
    logits = np.asarray(scores, np.float64) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def expected_calibration_error(found: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """How far confidence and accuracy lie apart, on average over pictures.

    Parameters
    ----------
    found : float (N, classes)
        Probabilities.
    labels : int (N,)
    bins : int
        Equal parts of 0 to 1; each confidence is compared with its part's share of right answers.
    """
    confidence, right = found.max(axis=1), found.argmax(axis=1) == labels
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    apart = np.bincount(places, weights=confidence - right, minlength=bins)
    return float(np.abs(apart).sum() / len(labels))


def fit_temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """The temperature at which the labels are likeliest, to four digits.

    The negative log-likelihood is convex in 1 / temperature, so thirds of an interval do.
    """
    low, high = 1 / MOST, 1 / LEAST
    rows = np.arange(len(labels))

    def loss(inverse: float) -> float:
        logits = np.asarray(scores, np.float64) * inverse
        top = logits.max(axis=1)
        return float(np.mean(top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
                             - logits[rows, labels]))

    while high / low > 1 + 1e-7:
        third = (high / low) ** (1 / 3)
        if loss(low * third) < loss(high / third):
            high /= third
        else:
            low *= third
    return float(f"{1 / low:.4g}")


def calibrated(parameters: Parameters, images: np.ndarray, labels: np.ndarray,
               on: str) -> Parameters:
    """The parameters with a temperature fitted on `images`, which training must not have seen.

    Parameters
    ----------
    images, labels : uint8 (N, H, W, 3), int (N,)
    on : str
        What these pictures are, for the file.
    """
    scores = _scores(parameters, images)
    temperature = fit_temperature(scores, labels)
    before, after = (expected_calibration_error(probabilities(scores, each), labels)
                     for each in (1.0, temperature))
    found: Dict[str, Any] = {"temperature": temperature, "on": on, "count": len(labels),
                             "error_before": round(before, 5), "error": round(after, 5)}
    return replace(parameters, accuracy=dict(parameters.accuracy, calibration=found))


def _scores(parameters: Parameters, images: np.ndarray) -> np.ndarray:
    model = IntegerModel(parameters)
    return np.concatenate([model.scores(model.sums(images[start:start + CHUNK]))
                           for start in range(0, len(images), CHUNK)])


def main() -> None:
    """Do what the command line says, and print the errors of calibration."""
    parser = argparse.ArgumentParser(prog="python -m host_ref.calibration",
                                     description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("cifar", type=Path, help="folder of CIFAR-10's binary version")
    parser.add_argument("--test", action="store_true",
                        help="measure the file's temperature on the test pictures; write nothing")
    options = parser.parse_args()
    try:
        parameters = load(options.file)
        images, labels = cifar10.load(options.cifar, "test" if options.test else "train")
    except (ParameterError, cifar10.DatasetError) as error:
        parser.error(str(error))
    if options.test:
        if parameters.temperature is None:
            sys.exit(f"{options.file} holds no temperature")
        scores, temperature = _scores(parameters, images), parameters.temperature
        before, after = (expected_calibration_error(probabilities(scores, each), labels)
                         for each in (1.0, temperature))
        pictures = f"{len(images)} test pictures"
    else:
        recipe = parameters.training.get("recipe", {})
        if not recipe.get("validation"):
            sys.exit(f"{options.file}: its training held out no pictures, or doesn't say so")
        held, _ = held_out(len(images), recipe["seed"], recipe["validation"])
        result = calibrated(parameters, images[held], labels[held], "held-out training pictures")
        save(options.file, result)
        found = result.accuracy["calibration"]
        temperature, before, after = (found[key] for key in (
            "temperature", "error_before", "error"))
        pictures = f"{found['count']} {found['on']}"
    sys.stdout.write(f"{options.file}: temperature {temperature:g}, expected calibration error "
                     f"{before:.4f} -> {after:.4f} on {pictures}\n")


if __name__ == "__main__":
    main()
