"""Where the gateware's cycles go: ``python benchmarks/gateware.py``.

The overlay's own RTL under Verilator runs the shipped network; its hardware counters are read after
the run and set against the simulator's own count of cycles.  Exact, not timed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import List, Tuple

import numpy as np

from pynq_bnn import Classifier
from pynq_bnn.devices.rtl import BYTES_PER_CYCLE, LATENCY, RtlDevice
from pynq_bnn.profile import Profile

TIMEOUT_S = 3600


def report(classifier: Classifier, device: RtlDevice, pictures: np.ndarray) -> Profile:
    """Run one batch, print its table and return it."""
    before = device.cycles
    profile = classifier.profile(pictures)
    simulated = device.cycles - before
    count = len(pictures)
    print(f"\nbatch of {count}: {profile.cycles:,} cycles from RUN to the sums in DRAM, "
          f"{profile.cycles / count:,.0f} a picture (the simulator ran {simulated:,} cycles, "
          f"register accesses included)\n{profile}")
    convs = [stage for stage in profile.stages if stage.name.startswith("conv")][1:]
    busy, cycles = (sum(getattr(stage, key) for stage in convs) for key in ("busy", "cycles"))
    print(f"lanes busy in the binary convolutions: {100 * busy / cycles:.1f} %")
    return profile


def draw(profiles: List[Profile], path: str) -> None:
    """Stage by stage, the cycles a picture in each batch size, as bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1 + 2.9 * len(profiles)), dpi=110, facecolor="white")
    axes = figure.subplots(len(profiles), 1, sharex=True, squeeze=False)
    for profile, ax in zip(profiles, axes[:, 0]):
        profile.plot(ax)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Print the tables of one picture and of the largest batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="the small configuration")
    parser.add_argument("--latency", type=int, default=LATENCY)
    parser.add_argument("--bytes-per-cycle", type=int, default=BYTES_PER_CYCLE)
    parser.add_argument("--ports", type=int, choices=(1, 2, 4), help="HP ports, not the shipped 2")
    parser.add_argument("--parameters", nargs="+", default=["cifar10"], metavar="NETWORK")
    parser.add_argument("--figure", metavar="PNG", help="draw the tables of the first")
    parser.add_argument("--json", metavar="FILE", type=Path,
                        help="keep the tables: overlays/cycles.json, which the package ships")
    arguments = parser.parse_args()
    device = RtlDevice(arguments.small, arguments.latency, arguments.bytes_per_cycle,
                       ports=arguments.ports)
    print(f"{device.config}\nmemory: {arguments.latency} cycles of latency, at most "
          f"{arguments.bytes_per_cycle} bytes a cycle")
    with device:
        found = {name: measure(name, device) for name in arguments.parameters}
    if arguments.figure:
        draw(found[arguments.parameters[0]][0], arguments.figure)
    if arguments.json:
        arguments.json.write_text(json.dumps({
            "config": asdict(device.config), "latency_cycles": arguments.latency,
            "bytes_per_cycle": arguments.bytes_per_cycle,
            "networks": {name: [profile.to_dict() for profile in profiles]
                         for name, (profiles, *_) in found.items()},
            "streams": {name: {"pictures": pictures, "cycles": cycles}
                        for name, (_, pictures, cycles) in found.items()}}, indent=1) + "\n")


def measure(name: str, device: RtlDevice) -> Tuple[List[Profile], int, int]:
    """One picture and the largest batch of a network; pictures and cycles of a run in a stream."""
    print(f"\n{name}")
    with Classifier(name, device, TIMEOUT_S, False) as classifier:
        network = classifier.parameters.network
        rng = np.random.default_rng(0)
        shape = (classifier.run_size, network.height, network.width, 3)
        pictures = rng.integers(0, 256, shape).astype(np.uint8)
        profiles = [report(classifier, device, pictures[:count])
                    for count in sorted({1, classifier.batch})]
        return profiles, len(pictures), in_stream(classifier, pictures)


def in_stream(classifier: Classifier, pictures: np.ndarray) -> int:
    """Cycles of a longest run between others: a batch before it makes its first layer."""
    accelerator, size = classifier.accelerator, classifier.batch
    accelerator.finish(accelerator.start(pictures[:size], pictures))
    cycles = accelerator.finish(accelerator.start(pictures, pictures[:size])).cycles
    print(f"\nin a stream, runs of {len(pictures)}, batches of {size}: {cycles:,} cycles, "
          f"{cycles / len(pictures):,.0f} a picture")
    return cycles


if __name__ == "__main__":
    main()
