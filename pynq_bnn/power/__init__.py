"""Power on the board: stamped windows of work, and watts from a source that has a name.

:func:`record` runs the work, :meth:`Recording.energy` brings it together with what a sensor, a
meter's log or typed-in readings say.
"""

from pynq_bnn.power.align import Alignment
from pynq_bnn.power.connect import HOW, Readings, j21_watts
from pynq_bnn.power.energy import Energy
from pynq_bnn.power.errors import NoPowerSource, PowerError
from pynq_bnn.power.hwmon import Sensor, sensors
from pynq_bnn.power.meter_log import read_log
from pynq_bnn.power.recording import Recording, Window, load, record
from pynq_bnn.power.trace import Trace

__all__ = ["HOW", "Alignment", "Energy", "NoPowerSource", "PowerError", "Readings", "Recording",
           "Sensor", "Trace", "Window", "j21_watts", "load", "read_log", "record", "sensors"]
