"""What a classification costs around the device: ``python benchmarks/driver.py``.

Prints a table: register accesses counted by the device, the host's work part by part (medians of
many runs), the model device's speed, import time, memory and file size.  Wall-clock figures are
this machine's and noisy; they say nothing about a board.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

import numpy as np

from pynq_bnn import Classifier, available
from pynq_bnn.devices import open_device

PICTURE = Path(__file__).parent.parent / "notebooks/pictures/chelsea.png"
RUNS = 20


def median(action: Callable[[], Any], runs: int = RUNS) -> float:
    """Median wall-clock seconds of `action`."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


class TimedMmio:
    """PYNQ's mmio, with the time spent inside the device added up."""

    def __init__(self, mmio: Any) -> None:
        self.mmio, self.seconds, self.accesses = mmio, 0.0, 0

    def read(self, offset: int) -> int:
        return self._timed(self.mmio.read, offset)

    def write(self, offset: int, value: int) -> None:
        self._timed(self.mmio.write, offset, value)

    def _timed(self, call: Callable[..., Any], *values: int) -> Any:
        started = time.perf_counter()
        try:
            return call(*values)
        finally:
            self.seconds += time.perf_counter() - started
            self.accesses += 1


def host_work(picture: np.ndarray) -> List[Tuple[str, str]]:
    """One classification's time outside the device, part by part, and its register accesses."""
    device = open_device("model")
    device.mmio = timed = TimedMmio(device.mmio)
    with Classifier(device=device) as classifier:
        rows = {"prepare": [], "copy": [], "driver": [], "read": [], "total": []}
        classifier.classify(picture)
        for _ in range(RUNS):
            timed.seconds, timed.accesses = 0.0, 0
            started = time.perf_counter()
            timing = classifier.classify(picture).timing
            rows["total"].append(time.perf_counter() - started - timed.seconds)
            rows["prepare"].append(timing.prepare_s)
            rows["copy"].append(timing.copy_s)
            rows["driver"].append(max(0.0, timing.run_s - timed.seconds))
            rows["read"].append(timing.read_s)
        accesses = timed.accesses
    device.close()
    meanings = {"prepare": "picture to words", "copy": "words into device memory",
                "driver": "program start and wait, the device's own time left out",
                "read": "sums back, scores",
                "total": "all of it, the result object included"}
    table = [("register accesses, one classify", str(accesses))]
    for name, values in rows.items():
        table.append((f"host work, {name}: {meanings[name]}",
                      f"{1e3 * statistics.median(values):.3f} ms"))
    return table


def model_speed() -> List[Tuple[str, str]]:
    """Pictures a second of the model device, in batches and one by one."""
    with Classifier(device="model") as classifier:
        rng = np.random.default_rng(0)
        size = classifier.batch
        many = rng.integers(0, 256, (8 * size, 32, 32, 3)).astype(np.uint8)
        classifier.classify(many[0])
        one = median(lambda: classifier.classify(many[0]), 10)
        batch = median(lambda: classifier.classify(many), 3)
    return [("model device, one picture after load", f"{one:.3f} s"),
            (f"model device, batches of {size}", f"{len(many) / batch:.1f} images/s")]


def import_time() -> List[Tuple[str, str]]:
    """Seconds that importing everything classify needs adds to numpy's and Pillow's import."""
    code = ("import numpy, PIL.Image, time; t = time.perf_counter(); import pynq_bnn; "
            "pynq_bnn.classify; print(time.perf_counter() - t)")
    seconds = [float(subprocess.run([sys.executable, "-c", code], check=True, text=True,
                                    stdout=subprocess.PIPE).stdout) for _ in range(5)]
    return [("import, beyond numpy and Pillow", f"{statistics.median(seconds):.3f} s")]


def memory() -> List[Tuple[str, str]]:
    """Peak resident memory of a process that classifies one picture."""
    code = ("import resource, sys, pynq_bnn; pynq_bnn.classify(sys.argv[1]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    result = subprocess.run([sys.executable, "-c", code, str(PICTURE)], check=True, text=True,
                            stdout=subprocess.PIPE)
    return [("peak memory of one classify, whole process", f"{int(result.stdout) / 1024:.0f} MiB")]


def main() -> None:
    """Print the table."""
    rows = host_work(np.full((32, 32, 3), 128, np.uint8))
    rows += [(f"{name} (from a {PICTURE.name} file)", value)
             for name, value in host_work_of_file()]
    rows += model_speed() + import_time() + memory()
    rows += [(f"parameter file {name}", f"{path.stat().st_size / 1e6:.3f} MB")
             for name, path in available().items()]
    for name, value in rows:
        print(f"{name:<72} {value:>16}")


def host_work_of_file() -> List[Tuple[str, str]]:
    """The same classification from a photograph's file: decoding and resizing it."""
    from pynq_bnn import to_pictures

    return [("decode, crop and resize", f"{1e3 * median(lambda: to_pictures(PICTURE)):.3f} ms")]


if __name__ == "__main__":
    main()
