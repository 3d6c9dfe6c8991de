"""The configuration logic's checksum: CRC-32C over what is written to its registers.

Every word that a packet writes is followed by the register's number, five bits; both go in lowest
bit first.  The command RCRC clears the checksum, writing the register CRC compares it.

Source: UG470 (7 Series FPGAs Configuration), "Configuration Packets" and Table 5-23.  It doesn't
say how the bits are ordered; that was taken from Project X-Ray's ``icap_crc`` and gives both
checksums in bitstreams made by Vivado.
"""

from __future__ import annotations

from typing import Iterable, List

CASTAGNOLI = 0x82F63B78
"""CRC-32C's polynomial, lowest power in the highest bit."""

_ADDRESS_BITS = 5


def _table(bits: int) -> List[int]:
    """What `bits` steps of the shift register make of each number of that many bits."""
    table = []
    for number in range(1 << bits):
        for _ in range(bits):
            number = (number >> 1) ^ (CASTAGNOLI if number & 1 else 0)
        table.append(number)
    return table


_BYTE = _table(8)
_ADDRESS = _table(_ADDRESS_BITS)


def update(crc: int, register: int, words: Iterable[int]) -> int:
    """The checksum after `words` (Python's own int: numpy's are far slower) went to `register`."""
    byte, address = _BYTE, _ADDRESS
    for word in words:
        crc ^= word
        crc = byte[crc & 0xFF] ^ (crc >> 8)
        crc = byte[crc & 0xFF] ^ (crc >> 8)
        crc = byte[crc & 0xFF] ^ (crc >> 8)
        crc = byte[crc & 0xFF] ^ (crc >> 8) ^ register
        crc = address[crc & 0x1F] ^ (crc >> _ADDRESS_BITS)
    return crc
