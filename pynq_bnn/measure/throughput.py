"""Pictures a second through ``stream``, where preparing and the device's work overlap."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union

from pynq_bnn.measure.provenance import Provenance
from pynq_bnn.measure.repeated import repeated
from pynq_bnn.measure.summary import Summary
from pynq_bnn.timing import BOARD

if TYPE_CHECKING:
    from pynq_bnn.classifier import Classifier

WINDOWS = 10
WARM_UP = 2
"""Batches that don't count."""
LEAST = WARM_UP + 2
"""Batches that are streamed however slow the device is, so that there is something to count."""


@dataclass(frozen=True, repr=False)
class Throughput:
    """A stream of pictures, cut into windows of equal counts.

    Attributes
    ----------
    pictures, seconds
        In all windows together.
    rate : Summary
        Pictures a second of wall clock, window by window.
    device_rate : float, optional
        What the device's own cycles alone would allow: pictures over device time; in simulation
        predicted.
    """

    provenance: Provenance
    batch: int
    pictures: int
    seconds: float
    rate: Summary
    device_rate: Optional[float]
    is_predicted: bool

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def save_json(self, path: Union[str, Path]) -> None:
        """Write :meth:`to_dict`."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")

    def __str__(self) -> str:
        lines = [f"{self.pictures:,} pictures in {self.seconds:.2f} s through stream, batches of "
                 f"{self.batch}, wall clock in Python:",
                 f"  {self.rate.median:,.1f} pictures a second, median of {self.rate.n} windows "
                 f"(p10 {self.rate.p10:,.1f}, p90 {self.rate.p90:,.1f})"]
        if self.device_rate is not None:
            source = "predicted from simulated" if self.is_predicted else "from the device's"
            lines.append(f"  the gateware alone: {self.device_rate:,.1f} a second, {source} cycles")
        return "\n".join([*lines, str(self.provenance)])

    __repr__ = __str__


def throughput(classifier: Classifier, images: Any, seconds: float = 5.0) -> Throughput:
    """Stream `images` over and over for about `seconds`, after a warm-up.

    Parameters
    ----------
    images
        One picture or several, as ``stream`` takes them.

    Raises
    ------
    ValueError
        If `seconds` is not above 0 or there is no picture.
    """
    if not seconds > 0:
        raise ValueError(f"seconds {seconds}: more than 0")
    batch, clock = classifier.batch, time.perf_counter
    until = [float("inf")]
    pictures = repeated(images, batch,
                        lambda done: done > LEAST * batch and clock() >= until[0])
    ends: List[float] = []  # of batches
    device_ms: List[float] = []
    for number, result in enumerate(classifier.stream(pictures)):
        if number % batch == batch - 1:
            ends.append(clock())
            if len(ends) == WARM_UP:
                until[0] = clock() + seconds
            elif len(ends) > WARM_UP and result.timing.device_ms is not None:
                device_ms.append(result.timing.device_ms)
    ends = ends[WARM_UP - 1:-1]  # nothing is prepared beside the last batch
    count = len(ends) - 1
    windows = min(WINDOWS, count)
    places = [round(k * count / windows) for k in range(windows + 1)]
    rates = [batch * (after - before) / (ends[after] - ends[before])
             for before, after in zip(places, places[1:])]
    return Throughput(Provenance.of(classifier), batch, batch * count, ends[-1] - ends[0],
                      Summary.of(rates),
                      1e3 * batch * len(device_ms) / sum(device_ms) if device_ms else None,
                      classifier.device.name != BOARD)
