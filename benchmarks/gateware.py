"""Where the gateware's cycles go: ``python benchmarks/gateware.py``.

The overlay's own RTL under Verilator runs the shipped network; its hardware counters are read after
the run and set against the simulator's own count of cycles.  Exact, not timed.
"""

from __future__ import annotations

import argparse
from typing import Dict, List

import numpy as np

from pynq_bnn import Accelerator, load_parameters, registers
from pynq_bnn.devices.rtl import BYTES_PER_CYCLE, LATENCY, RtlDevice

STAGES = {number: name for name, number in registers.STAGES}
TIMEOUT_S = 3600


def stage_log(accelerator: Accelerator) -> List[Dict[str, object]]:
    """The entries that the last run left, each with the name of what ran."""
    read = accelerator.control.read
    names = iter(layer.name for layer in accelerator.parameters.network.layers)
    entries = []
    for index in range(read("STAGES")):
        kind = read("LOG_KIND", index)
        compute = kind not in (registers.LOAD, registers.STORE)
        entries.append({"name": next(names) if compute else STAGES[kind],
                        "cycles": read("LOG_CYCLES", index), "busy": read("LOG_BUSY", index),
                        "wait": read("LOG_WAIT", index)})
    return entries


def report(accelerator: Accelerator, device: RtlDevice,
           pictures: np.ndarray) -> List[Dict[str, object]]:
    """Run one batch, print its table and return its entries."""
    before = device.cycles
    run = accelerator.run(pictures)
    simulated = device.cycles - before
    count = len(pictures)
    entries = stage_log(accelerator)
    print(f"\nbatch of {count}: {run.cycles:,} cycles from RUN to the sums in DRAM, "
          f"{run.cycles / count:,.0f} a picture (the simulator ran {simulated:,} cycles, register "
          "accesses included)")
    print(f"{'stage':<10} {'cycles':>9} {'busy':>9} {'waiting':>9} {'busy, %':>8}")
    for entry in entries:
        share = 100 * entry["busy"] / max(entry["cycles"], 1)
        print(f"{entry['name']:<10} {entry['cycles']:>9,} {entry['busy']:>9,} "
              f"{entry['wait']:>9,} {share:>8.1f}")
    convs = [entry for entry in entries if entry["name"].startswith("conv")][1:]
    busy, cycles = (sum(entry[key] for entry in convs) for key in ("busy", "cycles"))
    print(f"lanes busy in the binary convolutions: {100 * busy / cycles:.1f} %")
    return entries


def draw(tables: Dict[int, List[Dict[str, object]]], path: str) -> None:
    """Stage by stage, the cycles a picture in each batch size, as bars."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1 + 2.9 * len(tables)), dpi=110)
    FigureCanvasAgg(figure)
    for axes, (count, entries) in zip(figure.subplots(len(tables), 1, sharex=True),
                                      tables.items()):
        shown = [entry for entry in entries if entry["cycles"]]
        names = [entry["name"] for entry in shown]
        left = np.zeros(len(shown))
        rest = [entry["cycles"] - entry["busy"] - entry["wait"] for entry in shown]
        for values, label, colour in (
                ([entry["busy"] for entry in shown], "lanes (or DMA) at work", "#1b6ca8"),
                ([entry["wait"] for entry in shown], "waiting for parameters", "#e08e45"),
                (rest, "fill, drain, start", "#b4c2cc")):
            share = np.maximum(np.array(values, float), 0) / count
            axes.barh(names, share, left=left, color=colour, label=label, height=0.7)
            left += share
        for row, (entry, end) in enumerate(zip(shown, left)):
            axes.text(end, row, f" {entry['cycles'] / count:,.0f}", va="center", fontsize=8)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.1)
        noun = "one picture" if count == 1 else f"a batch of {count}, cycles a picture"
        axes.set_title(noun, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel("cycles a picture")
    axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Print the tables of one picture and of the largest batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="the small configuration")
    parser.add_argument("--latency", type=int, default=LATENCY)
    parser.add_argument("--bytes-per-cycle", type=int, default=BYTES_PER_CYCLE)
    parser.add_argument("--parameters", default="cifar10")
    parser.add_argument("--figure", metavar="PNG", help="draw the tables")
    arguments = parser.parse_args()
    device = RtlDevice(arguments.small, arguments.latency, arguments.bytes_per_cycle)
    with device, Accelerator(device, TIMEOUT_S) as accelerator:
        accelerator.load(load_parameters(arguments.parameters))
        print(f"{device.config}\nmemory: {arguments.latency} cycles of latency, at most "
              f"{arguments.bytes_per_cycle} bytes a cycle")
        network = accelerator.parameters.network
        rng = np.random.default_rng(0)
        pictures = rng.integers(0, 256, (accelerator.batch, network.height, network.width, 3))
        tables = {count: report(accelerator, device, pictures[:count].astype(np.uint8))
                  for count in sorted({1, accelerator.batch})}
    if arguments.figure:
        draw(tables, arguments.figure)


if __name__ == "__main__":
    main()
