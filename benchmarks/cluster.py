"""Pictures a second of 1, 2 and 4 workers on this computer: ``python benchmarks/cluster.py``.

Each worker is a process that may use one core, with ``device="cpu"``; scheduler and client share
the cores with them.  All sizes take turns in one run; the medians are set against the first.
"""

from __future__ import annotations

import os
import time
from typing import Dict, List

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from distributed import Client, LocalCluster

from pynq_bnn.cluster import Cluster

SIZES = (1, 2, 4)
ROUNDS = 5
PICTURES = 4096


class Some(Client):
    """A client that sees the first workers alone."""

    size = max(SIZES)

    def ncores(self, *args: object, **kwargs: object) -> Dict[str, int]:
        return dict(sorted(super().ncores(*args, **kwargs).items())[:self.size])


def main() -> None:
    """Print the table."""
    pictures = np.random.default_rng(0).integers(0, 256, (PICTURES, 32, 32, 3), np.uint8)
    taken: Dict[int, List[float]] = {size: [] for size in SIZES}
    with LocalCluster(n_workers=max(SIZES), threads_per_worker=1, processes=True,
                      dashboard_address=None) as local, Some(local) as client:
        for number, address in enumerate(sorted(client.nthreads())):
            client.run(os.sched_setaffinity, 0, {number % (os.cpu_count() or 1)},
                       workers=[address])
        for _ in range(ROUNDS):
            for client.size in SIZES:
                with Cluster(client, device="cpu") as cluster:
                    begun = time.perf_counter()
                    cluster.scores(pictures)
                    taken[client.size].append(time.perf_counter() - begun)
    rates = {size: PICTURES / float(np.median(times)) for size, times in taken.items()}
    print("| workers | pictures a second | times one worker |\n|---|---|---|")
    for size, rate in rates.items():
        print(f"| {size} | {rate:,.0f} | {rate / rates[SIZES[0]]:.2f} |")


if __name__ == "__main__":
    main()
