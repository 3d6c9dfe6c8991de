"""Several machines' accelerators as one, with Dask: large sets, every picture exactly once.

    with Cluster("tcp://192.168.2.1:8786") as cluster:
        print(cluster.evaluate("cifar-10-batches-bin"))
        print(cluster)

Each worker (``dask worker`` on a board) opens its own device; docs/cluster.md goes from SD cards to
this.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Union

import numpy as np

from host_ref import network as net
from host_ref.accuracy import testset
from host_ref.accuracy.confusion import confusion_matrix
from host_ref.parameters import Parameters
from pynq_bnn.cluster.dispatch import (
    ClusterError,
    Dispatcher,
    Work,
    nobody_left,
    there_now,
    wait_for,
)
from pynq_bnn.cluster.probes import Probes
from pynq_bnn.cluster.worker import Facts, Key, as_file, close_here, open_here, sums_of
from pynq_bnn.errors import ClosedError, PictureError
from pynq_bnn.networks import DEFAULT, load_parameters
from pynq_bnn.progress import shown
from pynq_bnn.verify.evaluate import Evaluation

log = logging.getLogger(__name__)

__all__ = ["Cluster", "ClusterError", "Facts", "Work"]

CHUNK = 256
"""Pictures that travel together, 0.8 MB: at 3,000 a second a board takes 85 ms for them."""
PREFETCH = 3
"""Chunks that a worker holds, the one it works on included."""
CONNECT_S = CLOSE_S = 10.0
OPEN_S = 60.0
"""What opening may take at least: a board imports numpy and pynq and downloads its bitstream."""


class Cluster:
    """The workers of a Dask scheduler, each with an accelerator of its own.

    A worker that dies, errs, gives no answer in time or a wrong one for a picture whose answer is
    known (there is one in every chunk) is dropped, and its pictures go to the others: an answer
    comes from a worker that was trusted with the whole chunk.

    Parameters
    ----------
    scheduler : str or distributed.Client
        ``tcp://host:8786``, or a client, which stays the caller's to close.
    parameters : str, path or Parameters
        As for :class:`pynq_bnn.Classifier`; they are sent to the workers.
    device : str, optional
        What each worker opens; by default what it would for itself.
    timeout_s : float
        How long a worker may give no answer, or take to open its device (OPEN_S at least).

    Attributes
    ----------
    workers : dict of str to Facts
        Those that opened their device, by name.
    refused : dict of str to str
        Those that did not, and why.
    work : dict of str to Work
        What each did in the run begun last, and why it was dropped, if it was.

    Raises
    ------
    ClusterError
        If there is no Dask here, no scheduler there, or no worker that could open its device.
    """

    def __init__(self, scheduler: Any, parameters: Union[str, Any] = DEFAULT,
                 device: Optional[str] = None, timeout_s: float = 60.0) -> None:
        self.parameters: Parameters = load_parameters(parameters)
        self._owns_client = isinstance(scheduler, str)
        self._client: Any = _connected(scheduler) if self._owns_client else scheduler
        self._key, self._user = Key(self.parameters.checksum, device), uuid.uuid4().hex
        self._timeout_s = timeout_s
        self._addresses: Dict[str, str] = {}
        self.workers: Dict[str, Facts] = {}
        self.refused: Dict[str, str] = {}
        self.work: Dict[str, Work] = {}
        self._dropped: Dict[str, str] = {}  # of all runs, those beside each other included
        try:
            self._open()
            self._probes = Probes(self.parameters)
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        """Have every worker open its device."""
        file = as_file(self.parameters)
        futures = {address: self._client.submit(
            open_here, self._key, file, self._timeout_s, self._user,
            workers=[address], allow_other_workers=False, pure=False)
            for address in there_now(self._client)}
        wait_for(list(futures.values()), max(self._timeout_s, OPEN_S))
        for address, future in futures.items():
            if future.status == "finished":
                facts = future.result(timeout=self._timeout_s)
                name = f"{facts.host} ({address})"
                self._addresses[name], self.workers[name] = address, facts
            elif future.status == "error":
                error = future.exception(timeout=self._timeout_s)
                self.refused[address] = f"{type(error).__name__}: {error}"
            else:
                future.cancel()
                self.refused[address] = (
                    f"its device was not open after {max(self._timeout_s, OPEN_S):g} s")
        if not self.workers:
            raise ClusterError("no worker has opened its device: " + ("; ".join(
                f"{name}: {why}" for name, why in self.refused.items())
                or "the scheduler has none; start `dask worker` on each board"))

    @property
    def classes(self) -> List[str]:
        """The labels, in the order of the scores."""
        return list(self.parameters.classes)

    def stream(self, pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Scores of any number of pictures, a few chunks of them in memory.

        Parameters
        ----------
        pictures : iterable of ndarray
            uint8 (n, H, W, 3), any n; they travel as they are, so some hundred at a time.

        Yields
        ------
        ndarray
            float32 (n, classes), one for each of `pictures`, in their order.

        Raises
        ------
        ClusterError
            If no worker is left; the message says what became of each.
        """
        if self._client is None:
            raise ClosedError("this Cluster is closed")
        workers = {address: name for name, address in self._addresses.items()
                   if name not in self._dropped}
        if not workers:
            raise nobody_left(self._dropped)
        dispatcher = Dispatcher(self._client, partial(sums_of, self._key), workers, self._probes,
                                PREFETCH, self._timeout_s, self._dropped)
        self.work.update(dispatcher.work)
        last = self.parameters.layers[-1]
        for sums in dispatcher.run(map(self._checked, pictures)):
            yield last.k * sums.astype(np.float32) + last.h

    def scores(self, pictures: np.ndarray, progress: bool = False) -> np.ndarray:
        """Scores float32 (N, classes) of prepared pictures uint8 (N, H, W, 3)."""
        chunks = [pictures[start:start + CHUNK] for start in range(0, len(pictures), CHUNK)]
        found = shown(self.stream(chunks), progress, "classify", "chunk", len(chunks))
        return np.concatenate([np.empty((0, len(self.classes)), np.float32), *found])

    def evaluate(self, folder: Union[str, Path], count: Optional[int] = None,
                 progress: bool = False) -> Evaluation:
        """Accuracy on CIFAR-10's test pictures, as :func:`pynq_bnn.verify.evaluate.evaluate`."""
        images, labels = testset.load(self.parameters, folder, count)
        predicted = self.scores(images, progress).argmax(axis=1)
        confusion = confusion_matrix(labels, predicted, len(self.classes))
        devices = sorted({facts.device for facts in self.workers.values()})
        return Evaluation(tuple(self.classes), confusion,
                          f"{'/'.join(devices)} on {len(self.workers)} workers",
                          self.parameters.checksum)

    def close(self) -> None:
        """Leave the workers' devices, which close when nobody else uses them."""
        if self._client is None:
            return
        try:
            there = there_now(self._client)
            wait_for([
                self._client.submit(close_here, self._key, self._user, workers=[address],
                                    allow_other_workers=False, pure=False)
                for address in there], CLOSE_S)  # one that was given up may have opened since
        except ClusterError as error:
            log.warning("the workers keep their devices open: %s", error)
        finally:
            if self._owns_client:
                self._client.close(timeout=CLOSE_S)
            self._client = None

    def _checked(self, pictures: np.ndarray) -> np.ndarray:
        network = self.parameters.network
        shape = (network.height, network.width, net.PICTURE_CHANNELS)
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != shape:
            raise PictureError(f"pictures of shape {pictures.shape}, {pictures.dtype}: this "
                               f"network takes uint8 (n, {', '.join(map(str, shape))})")
        return pictures

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __str__(self) -> str:
        lines = []
        for name, facts in self.workers.items():
            work = self.work.get(name, Work())
            state = f"dropped: {self._dropped[name]}" if name in self._dropped else str(facts)
            lines.append(f"{name}: {work.pictures:,} pictures; {state}")
        return "\n".join(lines + [f"{name}: not used: {why}"
                                  for name, why in self.refused.items()])

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return {"workers": {name: {**asdict(facts), **asdict(self.work.get(name, Work()))}
                            for name, facts in self.workers.items()}, "refused": self.refused}


def _connected(address: str) -> Any:
    """A client of the scheduler there."""
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError("a cluster needs Dask: pip install 'pynq-bnn[cluster]'") from None
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:  # a timeout is an OSError
        raise ClusterError(f"no Dask scheduler answers at {address}: {error}; start one with "
                           f"`dask scheduler` and name it as it names itself") from None
