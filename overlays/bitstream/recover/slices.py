"""One slice: LUTs, carries, multiplexers and flip-flops as its settings join them (UG474).

Settings are prjxray-db's for CLBLL and CLBLM tiles; of a multiplexer that isn't set nothing leaves.
"""

from __future__ import annotations

from functools import partial
from typing import List

from overlays.bitstream.recover.fabric import Fabric, RecoveryError
from overlays.bitstream.recover.lut_memory import LutMemory
from overlays.bitstream.recover.settings import Settings
from overlays.bitstream.recover.tile_kinds import SitePin
from overlays.simulation.circuit import ONE, ZERO, FlipFlop, Net, table
from overlays.simulation.primitives import carry_out, carry_sum, mux

LETTERS = "ABCD"
_F7 = {"A": "F7A", "B": "F8", "C": "F7B"}


class Slice:
    """A slice of `tile`.

    Parameters
    ----------
    fabric : Fabric
        For the nets on its pins.
    tile, kind, place : str
        The tile's name; SLICEL or SLICEM; X0 or X1.
    settings : Settings
        The site's.
    """

    def __init__(self, fabric: Fabric, tile: str, kind: str, place: str,
                 settings: Settings) -> None:
        self._fabric, self._settings = fabric, settings
        self._tile, self._kind, self._site = tile, kind, f"{place}Y0"
        self.name = f"{tile}.{place}"
        self._memory = LutMemory(fabric, self.name, settings, self._pin)

    def output(self, pin: str) -> Net:
        """The net that an output pin drives: A, AMUX, AQ, COUT ..."""
        if pin == "COUT":
            return self._carry(3)
        letter, rest = pin[0], pin[1:]
        if not rest:
            return self._o6(letter)
        if rest == "Q":
            return self._q(letter, f"{letter}FFMUX")
        return self._inside(letter, self._choice(f"{letter}OUTMUX"))

    def flip_flops(self) -> List[Net]:
        """Have all flip-flops made that the slice uses; their nets."""
        return [self._q(letter, name) for letter in LETTERS
                for name in (f"{letter}FFMUX", f"{letter}5FFMUX") if self._choices(name)]

    def _pin(self, pin: str) -> Net:
        return self._fabric.pin(self._tile, SitePin(self._kind, self._site, pin))

    def _choices(self, multiplexer: str) -> List[str]:
        return [name.split(".")[1] for name in self._settings
                if name.startswith(f"{multiplexer}.")]

    def _choice(self, multiplexer: str) -> str:
        found = self._choices(multiplexer)
        if len(found) != 1:
            raise RecoveryError(f"{self.name}: {multiplexer} is set to {found or 'nothing'}")
        return found[0]

    def _inside(self, letter: str, source: str) -> Net:
        """What a multiplexer's input called `source` is."""
        if source == "O6":
            return self._o6(letter)
        if source == "O5":
            return self._o5(letter)
        if source == "CY":
            return self._carry(LETTERS.index(letter))
        if source == "XOR":
            return self._sum(LETTERS.index(letter))
        if source in ("F7", "F8"):
            return self._mux(_F7[letter])
        if source == f"{letter}X":
            return self._pin(source)
        if source == f"{letter}5Q":
            return self._q(letter, f"{letter}5FFMUX")
        raise RecoveryError(f"{self.name}: {letter}'s {source} is not understood")

    def _o6(self, letter: str) -> Net:
        return self._lut(letter, "O6", 6)

    def _o5(self, letter: str) -> Net:
        return self._lut(letter, "O5", 5)

    def _lut(self, letter: str, output: str, inputs: int) -> Net:
        net = f"{self.name}.{letter}{output}"
        if self._memory.is_used(letter):
            return self._fabric.once(net, partial(self._memory.make, letter, output, net))
        return self._fabric.once(net, partial(self._make_table, letter, inputs, net))

    def _make_table(self, letter: str, inputs: int, net: Net) -> None:
        content = self._settings.get(f"{letter}LUT.INIT", 0) & (1 << (1 << inputs)) - 1
        pins = [f"{letter}{place}" for place in range(1, inputs + 1)]
        # pins that change nothing may be open
        needed = table(str(net), content, pins, net)
        nets = [self._pin(str(pin)) for pin in needed.inputs]
        self._fabric.circuit.tables.append(table(str(net), needed.content, nets, net))

    def _mux(self, name: str) -> Net:
        def make() -> None:
            low, high, select = {
                "F7A": lambda: (self._o6("B"), self._o6("A"), self._pin("AX")),
                "F7B": lambda: (self._o6("D"), self._o6("C"), self._pin("CX")),
                "F8": lambda: (self._mux("F7B"), self._mux("F7A"), self._pin("BX")),
            }[name]()
            self._fabric.circuit.tables.append(mux(net, low, high, select, net))

        net = f"{self.name}.{name}"
        return self._fabric.once(net, make)

    def _carry(self, place: int) -> Net:
        """The carry behind a place; behind the place before the first, what it begins with."""
        if place < 0:
            source = self._choice("PRECYINIT")
            return {"C0": ZERO, "C1": ONE}.get(source) or self._pin(source)

        def make() -> None:
            letter = LETTERS[place]
            uses_o5 = f"CARRY4.{letter}CY0" in self._settings
            data = self._o5(letter) if uses_o5 else self._pin(f"{letter}X")
            self._fabric.circuit.tables.append(
                carry_out(net, data, self._o6(letter), self._carry(place - 1), net))

        net = f"{self.name}.CO{place}"
        return self._fabric.once(net, make)

    def _sum(self, place: int) -> Net:
        def make() -> None:
            self._fabric.circuit.tables.append(
                carry_sum(net, self._o6(LETTERS[place]), self._carry(place - 1), net))

        net = f"{self.name}.O{place}"
        return self._fabric.once(net, make)

    def _q(self, letter: str, multiplexer: str) -> Net:
        five = "5" if multiplexer[1] == "5" else ""
        net = f"{self.name}.{letter}{five}Q"
        return self._fabric.once(net, partial(self._make_flip_flop, letter, multiplexer, net))

    def _make_flip_flop(self, letter: str, multiplexer: str, net: Net) -> None:
        settings, source = self._settings, self._choice(multiplexer)
        element = multiplexer[:-len("MUX")]
        if "LATCH" in settings or "CLKINV" in settings:
            raise RecoveryError(f"{self.name}: latches and falling edges are not understood")
        if "SRUSEDMUX" in settings and "FFSYNC" not in settings:
            raise RecoveryError(f"{self.name}: an asynchronous reset is not understood")
        self._fabric.require_clock(self.name, self._pin("CLK"))
        source = {"IN_A": "O5", "IN_B": f"{letter}X"}.get(source, source)
        self._fabric.circuit.flip_flops.append(FlipFlop(
            str(net), self._inside(letter, source),
            self._pin("CE") if "CEUSEDMUX" in settings else ONE,
            self._pin("SR") if "SRUSEDMUX" in settings else ZERO,
            reset_value=int(f"{element}.ZRST" not in settings),
            start=int(f"{element}.ZINI" not in settings), output=net))
