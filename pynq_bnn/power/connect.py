"""What to connect where, for boards that measure nothing themselves; readings typed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Tuple

from pynq_bnn.power.errors import PowerError

J21_OHM, J21_SUPPLY_V = 0.01, 12.0
"""ZedBoard's current sense: 10 mΩ in its 12 V line."""

HOW = """\
Connect one of these, and give its readings to Recording.energy():

PYNQ-Z1, PYNQ-Z2: an ammeter or a logging meter in the 5 V line, at the power jumper (J9 of the
Z2, JP5 of the Z1), or a USB power meter (FNIRSI and the like) between supply and board:

    supply 5 V ----( A )----+---- jumper, or socket         energy("meter.csv"), or
                   meter    |                               energy(Readings(...))
    supply GND -------------+---- board GND

ZedBoard: a voltmeter across the pins of J21, a resistor of 10 milliohms in its 12 V line:

    12 V ----[ 10 mOhm ]---- board                          1 mV there is 0.1 A, or 1.2 W:
              |        |                                    j21_watts(millivolts)
             J21 -(mV)- J21

Any board: an INA219 or INA226 module that Linux has a driver for (/sys/class/hwmon) is found
by itself. The XADC has temperature and voltages, and no current: no watts come from it."""

WHERE = ("connect a meter (in the 5 V line at J9 of a PYNQ-Z2 or JP5 of a PYNQ-Z1, or across J21 "
         "of a ZedBoard) or an INA219, and give its log or readings to Recording.energy(); "
         "print(pynq_bnn.power.HOW) has a drawing")
"""The same in a line, for errors."""


@dataclass(frozen=True)
class Readings:
    """Watts that somebody read off a meter and typed in.

    Attributes
    ----------
    windows_w : sequence of float
        One for each window, in order.
    idle_w : sequence of float
        Before and after; one serves both.
    how : str
        The meter and where it was: goes into the report.
    """

    windows_w: Sequence[float]
    idle_w: Sequence[float]
    how: str

    def __post_init__(self) -> None:
        values: Tuple[float, ...] = (*self.windows_w, *self.idle_w)
        if not self.windows_w or len(self.idle_w) not in (1, 2) or not all(
                0 < value < float("inf") for value in values):
            raise PowerError("readings are watts above 0: one a window, and one or two of the "
                             "idle board")
        if not self.how.strip():
            raise PowerError("how= says what was read where: no watt without its source")


def j21_watts(millivolts: float) -> float:
    """Power of a ZedBoard from the voltage across its J21, in W."""
    return millivolts * 1e-3 / J21_OHM * J21_SUPPLY_V
