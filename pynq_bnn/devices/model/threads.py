"""BLAS's threads, held to one where other programs want the cores.

BLAS's threads wait for each other by spinning.  On an idle machine a second thread makes the model
1.6 times as fast; on a busy one it waits for a core that it does not get, and the model is slower
than with one thread, in bad cases ten times.  So each large product is watched: if its threads get
clearly less than a core each, the next ones are done by one thread, and then it is tried again.
That takes threadpoolctl; without it BLAS does as the machine is set up.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Optional

log = logging.getLogger(__name__)

WATCHED_S = 2e-3
"""Shorter products say nothing about the machine."""
ENOUGH = 0.75
"""The share of a core that each of BLAS's threads must have got."""
PRODUCTS_ALONE = 100
"""So many products are done by one thread before several are tried again."""


class Blas:
    """A context around a product: one thread where that is known to be better."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._controller: Optional[Any] = None
        self._looked = False
        self._alone = 0
        self._inside = 0
        self._limits: Optional[Any] = None

    @property
    def alone(self) -> bool:
        """Whether products are done by one thread at present."""
        return self._alone > 0

    def _found(self) -> Optional[Any]:
        """What controls BLAS's threads; None where there is nothing to control."""
        if not self._looked:
            self._looked = True
            try:
                from threadpoolctl import ThreadpoolController
            except ImportError:
                log.info("threadpoolctl is missing: where other programs use the cores too, the "
                         "model device may be far slower than need be (pip install threadpoolctl)")
            else:
                found = ThreadpoolController().select(user_api="blas")
                if any(library.num_threads > 1 for library in found.lib_controllers):
                    self._controller = found
        return self._controller

    def __enter__(self) -> None:
        controller = self._found()
        if controller is None:
            return
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                if self._alone:
                    self._alone -= 1
                    self._limits = controller.limit(limits=1)
                self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        if self._controller is None:
            return
        with self._lock:
            self._inside -= 1
            if self._inside:
                return
            if self._limits is not None:
                self._limits.restore_original_limits()
                self._limits = None
                return
            wall = time.perf_counter() - self._began[0]
            used = time.process_time() - self._began[1]
            threads = max(library.num_threads for library in self._controller.lib_controllers)
            if wall > WATCHED_S and used < ENOUGH * threads * wall:
                self._alone = PRODUCTS_ALONE
                log.debug("BLAS's %d threads got %.2f cores: %d products by one thread", threads,
                          used / wall, PRODUCTS_ALONE)


blas = Blas()
