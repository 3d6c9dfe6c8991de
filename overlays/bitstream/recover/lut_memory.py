"""The LUTs of a SLICEM as memories: RAM and shift registers (UG474, distributed RAM; SRL).

A LUT writes where the lowest LUT, D, points; it reads at its own address.  A small one is two
memories of half the size: O5 is the lower, which takes DI1, and O6 the upper, which takes DI2.
"""

from __future__ import annotations

from typing import Callable, List, Optional

from overlays.bitstream.recover.fabric import Fabric, RecoveryError
from overlays.bitstream.recover.settings import Settings
from overlays.simulation.circuit import ONE, LutRam, Net, ShiftRegister

_ABOVE = {"A": "B", "B": "D", "C": "D"}
"""Whose data a LUT takes if not its own pin's."""
_HALF = (1 << 32) - 1


class LutMemory:
    """The memories of one slice; `pin` gives the net on one of its pins."""

    def __init__(self, fabric: Fabric, name: str, settings: Settings,
                 pin: Callable[[str], Net]) -> None:
        self._fabric, self._name = fabric, name
        self._settings, self._pin = settings, pin

    def is_used(self, letter: str) -> bool:
        """Whether a LUT is a memory."""
        return self._is(letter, "RAM") or self._is(letter, "SRL")

    def make(self, letter: str, output: str, net: Net) -> None:
        """Add the memory behind output O5 or O6."""
        self._fabric.require_clock(self._name, self._pin("CLK"))
        if "WA7USED" in self._settings or "WA8USED" in self._settings:
            raise RecoveryError(f"{self._name}: RAM of more than 64 bits is not understood")
        is_small = self._is(letter, "SMALL")
        if is_small and self._pin(f"{letter}6") != ONE:
            raise RecoveryError(f"{self._name}: {letter}6 of two small memories is not high")
        if self._is(letter, "RAM"):
            self._make_ram(letter, output, net, is_small)
        else:
            self._make_shift_register(letter, output, net, is_small)

    def _make_ram(self, letter: str, output: str, net: Net, is_small: bool) -> None:
        bits = 5 if is_small or output == "O5" else 6
        content = self._settings.get(f"{letter}LUT.INIT", 0)
        if output == "O5" and not is_small:
            raise RecoveryError(f"{self._name}: half of {letter}'s RAM is read at O5")
        upper = is_small and output == "O6"
        self._fabric.circuit.lut_rams.append(LutRam(
            str(net), content >> 32 if upper else content & _HALF if is_small else content,
            tuple(self._address(letter, range(1, bits + 1))),
            tuple(self._address("D", range(1, bits + 1))),
            self._pin(f"{letter}X") if upper else self._data(letter), self._enable(), net))

    def _make_shift_register(self, letter: str, output: str, net: Net, is_small: bool) -> None:
        if self._settings.get(f"{letter}LUT.INIT"):
            raise RecoveryError(f"{self._name}: a shift register that does not begin with 0")
        if self._pin(f"{letter}1") != ONE:
            raise RecoveryError(f"{self._name}: {letter}1 of a shift register is not high")
        if output == "O5" and not is_small:
            raise RecoveryError(f"{self._name}: half of {letter}'s shift register is read at O5")
        upper = is_small and output == "O6"
        self._fabric.circuit.shift_registers.append(ShiftRegister(
            str(net), 0, tuple(self._address(letter, range(2, 6 if is_small else 7))),
            self._pin(f"{letter}X") if upper else self._data(letter), self._enable(), net))

    def _data(self, letter: Optional[str]) -> Net:
        """DI1: a pin of the LUT's own, or what the LUT below takes."""
        if letter == "D":
            return self._pin("DI")
        if f"{letter}LUT.DI1MUX.{letter}I" in self._settings:
            return self._pin(f"{letter}I")
        if self._is(str(letter), "SRL"):
            raise RecoveryError(f"{self._name}: shift registers in a row are not understood")
        return self._data(_ABOVE[str(letter)])

    def _enable(self) -> Net:
        return self._pin("CE" if "WEMUX.CE" in self._settings else "WE")

    def _address(self, letter: str, places: range) -> List[Net]:
        return [self._pin(f"{letter}{place}") for place in places]

    def _is(self, letter: str, mode: str) -> bool:
        return f"{letter}LUT.{mode}" in self._settings
