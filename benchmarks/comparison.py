"""The paper's comparison of platforms, and ours beside it: ``python benchmarks/comparison.py``.

One network, CIFAR-10's with 6 convolutions: what the paper gives for its platforms (recalled), what
the shipped bitstream is predicted to take, and what this computer takes with the packages here,
measured in this run, medians of works that take turns.  Watts only where somebody measured them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

import numpy as np

from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.network import Network
from pynq_bnn import load_parameters
from pynq_bnn.cpu.engine import Engine
from pynq_bnn.cpu.library import source_hash
from pynq_bnn.measure.simulated import shipped_clock_mhz, simulated, stream_cycles

COUNTED = Path(__file__).resolve().parent / "arm" / "counted.json"
"""What ``python benchmarks/arm.py --json`` counted."""
ENGINE = 'device="cpu", engine.c, one picture'
ROUNDS = 9
BATCH = 64
COLOURS = {"recalled": "#b4c2cc", "predicted": "#e08e45", "measured": "#1b6ca8"}


class Row(NamedTuple):
    """One platform: ms of one picture alone, pictures a second of many, W, and whose word it is."""

    name: str
    alone_ms: float
    rate: float
    watts: Optional[float]
    kind: str


# Zhao et al., FPGA'17: one picture at a time on each; the W that it measured.
PAPER = (
    Row("paper: ZedBoard, 143 MHz", 5.94, 1e3 / 5.94, 4.7, "recalled"),
    Row("paper: Jetson TK1, float", 90.0, 1e3 / 90.0, 3.6, "recalled"),
    Row("paper: Xeon E5-2640, float", 14.8, 1e3 / 14.8, None, "recalled"),
    Row("paper: Tesla K40, float", 0.73, 1e3 / 0.73, None, "recalled"),
)


def predicted() -> Row:
    """The shipped bitstream: simulated cycles over its clock, the gateware alone."""
    one, _ = simulated()
    mhz = shipped_clock_mhz()
    return Row(f"ours: xc7z020, {mhz:.4g} MHz, gateware {one.build}", one.cycles / mhz / 1e3,
               mhz * 1e6 / stream_cycles(), None, "predicted")


def cortex_a9() -> List[Row]:
    """The board's own processor, one core: counted instructions at an assumed speed."""
    counted = json.loads(COUNTED.read_text(encoding="utf-8"))
    if source_hash() != counted["engine_sha256"]:
        print(f"no row for the Cortex-A9: {COUNTED.name} is of another engine.c; make bench-arm\n")
        return []
    instructions_per_s = float(np.mean(counted["assumed_instructions_per_s"]))
    seconds = counted["instructions"][ENGINE] / instructions_per_s
    return [Row("ours: Cortex-A9, engine.c, one core", 1e3 * seconds, 1 / seconds, None,
                "predicted")]


def measured() -> List[Row]:
    """What this computer takes: engine.c, host_ref and, where it is there, PyTorch in float32."""
    parameters = load_parameters()
    rng = np.random.default_rng(0)
    network = parameters.network
    many = rng.integers(0, 256, (BATCH, network.height, network.width, 3), np.uint8)
    one_thread, all_threads = Engine(parameters, threads=1), Engine(parameters)
    model = IntegerModel(parameters)
    assert np.array_equal(all_threads.sums(many), model.sums(many))
    works: Dict[str, Callable[[np.ndarray], object]] = {
        "here: engine.c, one thread": one_thread.sums,
        f"here: engine.c, {all_threads.threads} threads": all_threads.sums,
        "here: host_ref": model.sums,
    }
    with suppress(ImportError):
        works["here: PyTorch, float32"] = _torch(network)
    taken: Dict[str, Dict[int, List[float]]] = {name: {1: [], BATCH: []} for name in works}
    for _ in range(1 + ROUNDS):
        for name, work in works.items():
            for count, seconds in taken[name].items():
                begun = time.perf_counter()
                work(many[:count])
                seconds.append(time.perf_counter() - begun)
    return [Row(name, 1e3 * float(np.median(each[1][1:])),
                BATCH / float(np.median(each[BATCH][1:])), None, "measured")
            for name, each in taken.items()]


def _torch(network: Network) -> Callable[[np.ndarray], object]:
    """The same layers as float32 convolutions and products with weights of +1 and -1."""
    import torch

    torch.manual_seed(0)
    channels, layers = net.PICTURE_CHANNELS, []
    for layer in network.layers:
        shape = ((layer.out_channels, channels, 3, 3) if layer.is_conv
                 else (layer.out_channels, layer.in_channels))
        layers.append((layer, torch.randint(0, 2, shape).float() * 2 - 1))
        channels = layer.out_channels

    def run(pictures: np.ndarray) -> object:
        with torch.no_grad():
            x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() * 2 - 255
            for layer, weights in layers:
                if layer.is_conv:
                    x = torch.nn.functional.conv2d(x, weights, padding=1)
                    x = torch.nn.functional.max_pool2d(x, 2) if layer.pool else x
                else:
                    x = x.flatten(1) @ weights.T
                x = x if layer.kind == net.LAST else x.sign()
        return x

    return run


def draw(rows: List[Row], path: Path) -> None:
    """Pictures a second as bars, on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.9 + 0.42 * len(rows)), dpi=110, facecolor="white")
    axes = figure.subplots()
    names = [row.name for row in rows][::-1]
    axes.barh(names, [row.rate for row in rows][::-1],
              color=[COLOURS[row.kind] for row in rows][::-1])
    for place, row in enumerate(rows[::-1]):
        axes.text(row.rate * 1.06, place, f"{row.rate:,.0f}", va="center", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("pictures a second (many of them; the paper's one at a time)")
    for kind, colour in COLOURS.items():
        axes.barh([names[0]], [0], color=colour, label=kind)
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", type=Path, metavar="PNG")
    options = parser.parse_args()
    rows = [*PAPER, predicted(), *cortex_a9(), *measured()]
    print("| | one picture alone | pictures a second | W | |\n|---|---|---|---|---|")
    for row in rows:
        watts = "" if row.watts is None else f"{row.watts:g}"
        print(f"| {row.name} | {row.alone_ms:.3g} ms | {row.rate:,.0f} | {watts} | {row.kind} |")
    print(f"\nhere: {platform.machine()}, {os.cpu_count()} processors, numpy {np.__version__}, "
          f"Python {platform.python_version()}; batches of {BATCH}")
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
