"""Power sensors that Linux shows in sysfs: INA219, INA226, PMBus converters and their like.

Of each chip the channels that are a power: ``powerN_input`` in µW, or ``inN_input`` in mV times
``currN_input`` in mA (the kernel's Documentation/hwmon/sysfs-interface.rst).  A PYNQ-Z1, a PYNQ-Z2
and a ZedBoard have none on board; an INA219 module on a Pmod connector is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple, Union

from pynq_bnn.power.connect import WHERE
from pynq_bnn.power.errors import NoPowerSource, PowerError

HWMON = Path("/sys/class/hwmon")


@dataclass(frozen=True)
class Sensor:
    """One channel of one chip.

    Attributes
    ----------
    name : str
        "chip:channel", with the channel's label if it has one.
    files : tuple of Path
        ``powerN_input`` alone, or ``inN_input`` and ``currN_input``.
    """

    name: str
    files: Tuple[Path, ...]

    def read(self) -> float:
        """Power now, in W.

        Raises
        ------
        PowerError
            If the sensor can't be read.
        """
        try:
            values = [int(path.read_text()) for path in self.files]
        except (OSError, ValueError) as error:
            raise PowerError(f"the sensor {self.name} can't be read: {error}") from error
        return values[0] * 1e-6 if len(values) == 1 else values[0] * values[1] * 1e-6


def sensors(root: Optional[Path] = None) -> List[Sensor]:
    """All that measure power here, in the order of their names."""
    found: List[Sensor] = []
    for chip in sorted((HWMON if root is None else root).glob("hwmon*")):
        name = _text(chip / "name") or chip.name
        powers = sorted(chip.glob("power*_input"))
        for path in powers:
            found.append(Sensor(_channel(chip, name, path.name[:-len("_input")]), (path,)))
        if not powers:
            found += _pairs(chip, name)
    return sorted(found, key=lambda sensor: sensor.name)


def choose(source: Union[str, Sequence[str], None] = None,
           root: Optional[Path] = None) -> List[Sensor]:
    """The sensors whose sum is the board's power.

    Parameters
    ----------
    source : str or sequence of str, optional
        Their names.  Without it: the only one there is.

    Raises
    ------
    NoPowerSource
        If there is none; says what to connect.
    PowerError
        If there are several and none was named, or one that is named isn't there.
    """
    there = {sensor.name: sensor for sensor in sensors(root)}
    if not there:
        raise NoPowerSource(f"no sensor here measures power, and nothing is made up: {WHERE}")
    if source is None:
        if len(there) > 1:
            raise PowerError("several sensors here: name the one that feeds the board, or those "
                             f"that do together, of: {', '.join(there)}")
        return list(there.values())
    names = [source] if isinstance(source, str) else list(source)
    unknown = [name for name in names if name not in there]
    if unknown or not names or len(set(names)) < len(names):
        raise PowerError(f"{', '.join(map(repr, unknown or names)) or 'nothing'} as the source: "
                         f"name each once, of: {', '.join(there)}")
    return [there[name] for name in names]


def _pairs(chip: Path, name: str) -> List[Sensor]:
    """Voltage times current, for a driver that does not multiply.

    An INA219's in0 is its shunt and in1 the bus: of a voltage and a current with one number.
    """
    return [Sensor(_channel(chip, name, current.name[:-len("_input")]),
                   (chip / current.name.replace("curr", "in"), current))
            for current in sorted(chip.glob("curr*_input"))
            if (chip / current.name.replace("curr", "in")).exists()]


def _channel(chip: Path, name: str, channel: str) -> str:
    label = _text(chip / f"{channel}_label")
    return f"{name}:{channel}" + (f" {label}" if label else "")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
