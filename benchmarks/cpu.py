"""XNOR and popcount against float32 on this computer: ``python benchmarks/cpu.py``.

Each layer of the shipped network, one picture, one thread: engine.c, and the same layer as one
float32 matrix product of its windows (BLAS), windows made beforehand, so that the product alone is
timed. Then whole pictures. Times are this computer's; ratios are of one run, the medians of runs
that take turns.
"""

from __future__ import annotations

import os
import time
from typing import Callable, Dict, List

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import numpy as np

from host_ref import network as net
from host_ref.integer import IntegerModel
from pynq_bnn import load_parameters
from pynq_bnn.cpu.engine import Engine

ROUNDS = 15
PICTURES = 128


def medians(works: Dict[str, Callable[[], object]]) -> Dict[str, float]:
    """Seconds of each, run by turns."""
    taken: Dict[str, List[float]] = {name: [] for name in works}
    for _ in range(1 + ROUNDS):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - begun)
    return {name: float(np.median(times[1:])) for name, times in taken.items()}


def windows(layer: net.Layer, x: np.ndarray) -> np.ndarray:
    """What each sum multiplies, float32 (places, taps)."""
    values = (2.0 * x - 255 if layer.kind == net.FP_CONV else 1.0 - 2 * x).astype(np.float32)[0]
    if not layer.is_conv:
        return values.reshape(1, -1)
    values = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    return np.stack([values[y:y + 3, x:x + 3].ravel() for y in range(layer.sum_height)
                     for x in range(layer.sum_width)])


def main() -> None:
    """Print the tables."""
    parameters = load_parameters()
    network = parameters.network
    engine = Engine(parameters, threads=1)
    if not engine.is_compiled:
        raise SystemExit("no C compiler here: nothing to compare")
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (PICTURES, network.height, network.width, 3)).astype(np.uint8)
    given, total = pictures[:1], {"engine.c": 0.0, "float32": 0.0}
    print(f"{'layer':<8}{'engine.c, ms':>14}{'float32, ms':>14}{'ratio':>8}{'weights, KiB':>14}"
          f"{'float32, KiB':>14}")
    for index, (layer, own) in enumerate(zip(network.layers, parameters.layers)):
        inputs = windows(layer, given)
        signs = (1.0 - 2 * own.weights.reshape(layer.out_channels, -1)).astype(np.float32).T.copy()
        call = engine.caller(index, given[0])
        taken = medians({"engine.c": call, "float32": lambda a=inputs, b=signs: a @ b})
        bits = layer.weight_bits
        print(f"{layer.name:<8}{1e3 * taken['engine.c']:>14.3f}{1e3 * taken['float32']:>14.3f}"
              f"{taken['float32'] / taken['engine.c']:>8.1f}{bits / 8192:>14.1f}"
              f"{bits / 256:>14.1f}")
        for name in total:
            total[name] += taken[name] if layer.kind == net.BIN_CONV else 0.0
        given = engine.layer_output(index, given)
    print(f"{'conv2-6':<8}{1e3 * total['engine.c']:>14.3f}{1e3 * total['float32']:>14.3f}"
          f"{total['float32'] / total['engine.c']:>8.1f}")
    model, several = IntegerModel(parameters), Engine(parameters)
    assert np.array_equal(several.sums(pictures), model.sums(pictures))
    taken = medians({"one thread": lambda: engine.sums(pictures),
                     f"{several.threads} threads": lambda: several.sums(pictures),
                     "host_ref, BLAS of one thread": lambda: model.sums(pictures[:16])})
    for name, seconds in taken.items():
        count = 16 if name.startswith("host_ref") else PICTURES
        print(f"{name:<32}{count / seconds:>10,.0f} pictures a second")


if __name__ == "__main__":
    main()
