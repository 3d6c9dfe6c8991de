"""Block RAM from its two halves, each of 18 Kib, as the settings of a BRAM tile give them (UG473).

The halves of a RAMB36 share its words bit by bit: the lower has the even bits, the upper the odd
ones (so say the database's names for the pins: DOADO3 of the whole is bit 1 of the upper half).
Each half has a write enable for every four data bits, and its parity bit ``b`` belongs to byte
``2 b`` or, in the upper half, ``2 b + 1``; a RAMB18 ties both enables of a byte together.
"""

from __future__ import annotations

import re
from typing import List, Sequence, Tuple

from overlays.bitstream.recover.fabric import Fabric, RecoveryError
from overlays.bitstream.recover.routing import Driver
from overlays.bitstream.recover.settings import Settings
from overlays.simulation.circuit import ONE, ZERO, BlockRam, BlockRamPort, Net, table

DATA_BITS = 1 << 14
_INIT_BITS = 256
_WIDTHS = (1, 2, 4, 9, 18)
_OUTPUT = re.compile(r"BRAM_(FIFO18|RAMB18|FIFO36)_(DO[AB]DO|DOP[AB]DOP)([LU]?)(\d+)")
_SITES = ("FIFO18", "RAMB18")
"""What the wires of the lower and the upper half are called."""
_PINS = {"A": ("CLKARDCLK", "ENARDEN", "RSTRAMARSTRAM", "ADDRARDADDR", "WEA"),
         "B": ("CLKBWRCLK", "ENBWREN", "RSTRAMB", "ADDRBWRADDR", "WEBWE")}


def output_net(driver: Driver) -> Net:
    """The net on an output, under whichever of its names the routing found it."""
    match = _OUTPUT.fullmatch(driver.wire)
    if not match:
        raise RecoveryError(f"{driver.tile}/{driver.wire} is not understood")
    site, pin, half, place = match.groups()
    upper = site == "RAMB18" or half == "U"
    return f"{driver.tile}.Y{int(upper)}.{pin}{place}"


class BlockRamHalf:
    """Half of a BRAM tile: 0 is the lower one."""

    def __init__(self, fabric: Fabric, tile: str, half: int, settings: Settings) -> None:
        self._fabric, self._settings = fabric, settings
        self._tile, self._half = tile, half
        self.name = f"{tile}.Y{half}"

    def make(self) -> None:
        """Add the block RAM."""
        for refused in ("DOA_REG", "DOB_REG", "SDP_READ_WIDTH_36", "SDP_WRITE_WIDTH_36",
                        "FIFO_MODE"):
            if refused in self._settings:
                raise RecoveryError(f"{self.name}: {refused} is not understood")
        self._fabric.circuit.block_rams.append(BlockRam(
            self.name, DATA_BITS // 8 * 9, tuple(self._ones()), (self._port("A"), self._port("B"))))

    def _ones(self) -> List[int]:
        found = []
        for prefix, first, count in (("INIT_", 0, 64), ("INITP_", DATA_BITS, 8)):
            for number in range(count):
                content = self._settings.get(f"{prefix}{number:02X}", 0)
                found += [first + number * _INIT_BITS + place
                          for place in range(content.bit_length()) if content >> place & 1]
        return found

    def _port(self, letter: str) -> BlockRamPort:
        clock, enable, reset, address, write = _PINS[letter]
        if f"ZINV_{clock}" not in self._settings:
            raise RecoveryError(f"{self.name}: {clock} is inverted")
        self._fabric.require_clock(self.name, self._pin(clock))
        read_bits = _word(f"DO{letter}DO", f"DOP{letter}DOP", self._width(f"READ_WIDTH_{letter}"))
        write_bits = _word(f"DI{letter}DI", f"DIP{letter}DIP",
                           self._width(f"WRITE_WIDTH_{letter}"))
        enables = [self._pin(f"{write}{nibble}") for nibble in range(4)]
        return BlockRamPort(
            self._maybe_inverted(enable), self._maybe_inverted(reset), self._mode(letter),
            self._output_value(f"ZSRVAL_{letter}", read_bits),
            self._output_value(f"ZINIT_{letter}", read_bits),
            tuple(self._pin(f"{address}{place}") for place in range(14)),
            tuple(f"{self.name}.{pin}{place}" for pin, place in read_bits),
            tuple(self._pin(f"{pin}{place}") for pin, place in write_bits),
            tuple(enables[2 * place + self._half if pin.startswith("DIP") else place // 4]
                  for pin, place in write_bits))

    def _output_value(self, setting: str, pins: Sequence[Tuple[str, int]]) -> int:
        """What an output begins with or is reset to; the bits say it inverted, parity last."""
        value = ~self._settings.get(setting, 0)
        places = [16 + place if pin.startswith("DOP") else place for pin, place in pins]
        return sum((value >> place & 1) << number for number, place in enumerate(places))

    def _maybe_inverted(self, pin: str) -> Net:
        """A pin behind the inverter that each of these has; the bit says that it doesn't invert."""
        net = self._pin(pin)
        if f"ZINV_{pin}" in self._settings:
            return net
        if net in (ZERO, ONE):
            return ZERO if net == ONE else ONE
        inverted = f"{self.name}.{pin}.inverted"
        self._fabric.circuit.tables.append(table(inverted, 0b01, (net,), inverted))
        return inverted

    def _pin(self, pin: str) -> Net:
        return self._fabric.net(self._tile, f"BRAM_{_SITES[self._half]}_{pin}")

    def _width(self, setting: str) -> int:
        found = [width for width in _WIDTHS if f"{setting}_{width}" in self._settings]
        if len(found) != 1:
            raise RecoveryError(f"{self.name}: {setting} is {found}")
        return found[0]

    def _mode(self, letter: str) -> str:
        for mode in ("READ_FIRST", "NO_CHANGE"):
            if f"WRITE_MODE_{letter}_{mode}" in self._settings:
                return mode
        return "WRITE_FIRST"


def _word(data: str, parity: str, width: int) -> List[Tuple[str, int]]:
    """The pins of a word: those of its data bits, then those of its parity bits."""
    parity_bits = width // 9
    return ([(data, place) for place in range(width - parity_bits)]
            + [(parity, place) for place in range(parity_bits)])
