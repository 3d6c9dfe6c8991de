"""Which chunk of pictures goes to which worker, and which worker is not to be trusted any more.

Each worker is sent its chunks by name, a few ahead of the one it works on, so that a fast board
does not wait for the network.  What a dropped worker had is given to others.  A chunk's sums count
once, and they leave in the order in which the chunks came.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from pynq_bnn.cluster.probes import Probes
from pynq_bnn.errors import BnnError

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How long an answer is waited for before it is looked whether the workers are still there."""
PAUSE_S = 0.02
WINDOW = 4
"""Chunks for each of a worker's places that may be on their way or wait for an earlier one."""


class ClusterError(BnnError, RuntimeError):
    """No scheduler, or no worker that could be trusted; the message names each and says why."""


@dataclass
class Work:
    """What one worker did.

    Attributes
    ----------
    pictures : int
        That counted.
    dropped : str
        Why it was not asked any more; empty if it was.
    """

    pictures: int = 0
    dropped: str = ""


@dataclass
class _Chunk:
    number: int
    pictures: np.ndarray


@dataclass
class _Worker:
    name: str
    work: Work
    chunks: Dict[Any, _Chunk] = field(default_factory=dict)
    """By the future that stands for its sums."""
    answered: float = 0.0
    """When it last gave an answer, or was first asked."""


def there_now(client: Any) -> Dict[str, int]:
    """The cores of each worker that the scheduler has, by address."""
    try:
        cores: Dict[str, int] = client.ncores()
    except OSError as error:
        raise ClusterError(f"the scheduler does not answer any more: {error}") from None
    return cores


def nobody_left(dropped: Dict[str, str]) -> ClusterError:
    """What to raise then."""
    return ClusterError("no worker is left. " + "; ".join(
        f"{name}: {why}" for name, why in dropped.items()))


def _said(future: Any) -> str:
    """What a future without a result says of it."""
    error = future.exception(timeout=POLL_S) if future.status == "error" else None
    return f"{type(error).__name__}: {error}" if error else "its task was lost"


def wait_for(futures: List[Any], timeout_s: float) -> None:
    """Wait for futures that may never come; which ones have is for the caller to see."""
    begun = time.monotonic()
    while not all(future.done() for future in futures) and time.monotonic() - begun < timeout_s:
        time.sleep(PAUSE_S)


class Dispatcher:
    """Sends chunks to workers and gives their sums, in order.

    Parameters
    ----------
    client : distributed.Client
    task : callable
        Runs on a worker: pictures uint8 (n, H, W, 3) to sums int16 (n, classes).
    workers : dict of str to str
        Address and name of each.
    probes : Probes
        Pictures with a known answer, one of which goes with every chunk.
    prefetch : int
        Chunks that a worker holds, the one it works on included.
    timeout_s : float
        How long a worker may give no answer.
    dropped : dict of str to str
        By name, why a worker is not to be asked any more; gets those that this run drops.
    """

    def __init__(self, client: Any, task: Callable[[np.ndarray], np.ndarray],
                 workers: Dict[str, str], probes: Probes, prefetch: int,
                 timeout_s: float, dropped: Dict[str, str]) -> None:
        self._client, self._task, self._probes = client, task, probes
        self._prefetch, self._timeout_s, self._dropped = prefetch, timeout_s, dropped
        self._workers = {address: _Worker(name, Work()) for address, name in workers.items()}
        self.work = {each.name: each.work for each in self._workers.values()}
        self._again: List[_Chunk] = []
        self._done: Dict[int, np.ndarray] = {}
        self._next = 0
        self._looked = 0.0
        self._news = threading.Event()

    def run(self, chunks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """The sums of each chunk, in the order of the chunks.

        Raises
        ------
        ClusterError
            If no worker is left.
        """
        numbered = enumerate(chunks)
        try:
            while self._fill(numbered) or self._busy():
                self._wait()
                while self._next in self._done:
                    yield self._done.pop(self._next)
                    self._next += 1
        finally:
            for worker in self._workers.values():
                self._cancel(worker)

    def _busy(self) -> bool:
        return any(worker.chunks for worker in self._workers.values())

    def _fill(self, numbered: Iterator[Tuple[int, np.ndarray]]) -> bool:
        """Send chunks while workers have places for them; whether any was sent."""
        sent = False
        while self._workers:
            address, worker = min(self._workers.items(), key=lambda item: len(item[1].chunks))
            if len(worker.chunks) >= self._prefetch:
                break
            chunk = self._take(numbered)
            if chunk is None:
                break
            if not worker.chunks:
                worker.answered = time.monotonic()
            pictures = self._probes.added(chunk.pictures, chunk.number)
            future = self._client.submit(self._task, pictures, workers=[address],
                                         allow_other_workers=False, pure=False)
            worker.chunks[future] = chunk
            future.add_done_callback(lambda _: self._news.set())
            sent = True
        return sent

    def _take(self, numbered: Iterator[Tuple[int, np.ndarray]]) -> Optional[_Chunk]:
        """What has to be done again first: the others wait for it."""
        if self._again:
            self._again.sort(key=lambda chunk: chunk.number)
            return self._again.pop(0)
        if len(self._done) >= WINDOW * self._prefetch * len(self._workers):
            return None
        following = next(numbered, None)
        return None if following is None else _Chunk(*following)

    def _wait(self) -> None:
        """Until something is known of at least one chunk, or POLL_S."""
        self._news.wait(POLL_S)
        self._news.clear()  # before the look, so that nothing is missed
        for address, worker in list(self._workers.items()):
            for future in [each for each in worker.chunks if each.done()]:
                if address in self._workers:
                    self._settle(address, worker, future)
        if time.monotonic() - self._looked >= POLL_S:
            self._look()

    def _settle(self, address: str, worker: _Worker, future: Any) -> None:
        """Take a chunk's sums, or drop the worker that has none or wrong ones."""
        if future.status != "finished":
            there_now(self._client)  # if the scheduler has gone, no worker is to blame
            self._drop(address, _said(future))
            return
        chunk = worker.chunks[future]
        try:
            sums, fault = self._probes.removed(future.result(timeout=self._timeout_s),
                                               len(chunk.pictures), chunk.number)
        except Exception as error:  # it died with the answer
            self._drop(address, f"its answer was lost: {type(error).__name__}: {error}")
            return
        if fault:
            self._drop(address, fault)
            return
        del worker.chunks[future]
        self._done[chunk.number] = sums
        worker.work.pictures += len(sums)
        worker.answered = time.monotonic()

    def _look(self) -> None:
        """Drop the workers that have gone, or have been silent for too long."""
        self._looked = now = time.monotonic()
        there = there_now(self._client)
        for address, worker in list(self._workers.items()):
            if address not in there:
                self._drop(address, "it has left the cluster")
            elif worker.chunks and now - worker.answered > self._timeout_s:
                self._drop(address, f"no answer for {self._timeout_s:g} s")

    def _cancel(self, worker: _Worker) -> None:
        """What it still had is of no use to anybody."""
        with suppress(OSError):  # the scheduler may have gone
            self._client.cancel(list(worker.chunks))

    def _drop(self, address: str, why: str) -> None:
        """Ask it no more, and give what it had to others."""
        worker = self._workers.pop(address)
        worker.work.dropped = self._dropped[worker.name] = why
        log.warning("%s is dropped: %s", worker.name, why)
        self._again += worker.chunks.values()
        self._cancel(worker)
        if not self._workers:
            raise nobody_left(self._dropped)
