"""Reads a sensor beside the work, in a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import List, Optional, Sequence, Tuple

import numpy as np

from pynq_bnn.power.errors import PowerError
from pynq_bnn.power.hwmon import Sensor
from pynq_bnn.power.trace import Trace

PERIOD_S = 0.05
"""An INA219 as Linux sets it up converts about as often; each reading costs the CPU some of what
is being measured."""
JOIN_S = 5.0


class Sampler:
    """The sum of some sensors, every `period_s`, from :meth:`start` to :meth:`stop`."""

    def __init__(self, sensors: Sequence[Sensor], period_s: float = PERIOD_S) -> None:
        self._sensors, self._period_s = list(sensors), period_s
        self._readings: List[Tuple[float, float]] = []
        self._error: Optional[PowerError] = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)

    def start(self) -> None:
        """Begin; one reading is taken at once, so that a sensor that fails says so here."""
        self._read()
        self._thread.start()

    def stop(self) -> Trace:
        """End; what was read, by ``time.monotonic``.

        Raises
        ------
        PowerError
            If the sensor failed meanwhile.
        """
        self._ended.set()
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            raise PowerError(f"the sensor {self._sensors[0].name} does not answer")
        if self._error is not None:
            raise self._error
        seconds, watts = (np.array(column) for column in zip(*self._readings))
        return Trace(seconds, watts, " + ".join(sensor.name for sensor in self._sensors))

    def _run(self) -> None:
        try:
            while not self._ended.wait(self._period_s):
                self._read()
            self._read()
        except PowerError as error:
            self._error = error

    def _read(self) -> None:
        watts = sum(sensor.read() for sensor in self._sensors)
        self._readings.append((time.monotonic(), watts))
