"""The AXI3 ports of Zynq's processing system, by UG585's signal names in lower case.

Directions are the master's: a block that masters a port has ``Out(HP_READ)``, one that serves it
``In(GP)``.  Clocks, resets, the issuing-capability inputs and the FIFO counts of an HP port are the
shell's.
"""

from __future__ import annotations

from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

MAX_BEATS = 16
"""AXI3: the most beats of a burst (a length field holds one less)."""
HP_OUTSTANDING = 8
"""Bursts of each direction that an HP port takes before it answers the first (UG585, AXI_HP)."""


class Burst(enum.Enum, shape=2):
    """How the address moves from beat to beat."""

    FIXED = 0
    INCR = 1
    WRAP = 2


class Response(enum.Enum, shape=2):
    """What came of a read beat or a write burst; bit 1 says error."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


def _address(prefix: str, id_bits: int) -> dict:
    return {prefix + name: flow for name, flow in {
        "id": Out(id_bits), "addr": Out(32), "len": Out(4), "size": Out(2), "burst": Out(2),
        "lock": Out(2), "cache": Out(4), "prot": Out(3), "qos": Out(4),
        "valid": Out(1), "ready": In(1)}.items()}


def _read(data_bits: int, id_bits: int) -> dict:
    return {**_address("ar", id_bits),
            "rid": In(id_bits), "rdata": In(data_bits), "rresp": In(2), "rlast": In(1),
            "rvalid": In(1), "rready": Out(1)}


def _write(data_bits: int, id_bits: int) -> dict:
    return {**_address("aw", id_bits),
            "wid": Out(id_bits), "wdata": Out(data_bits), "wstrb": Out(data_bits // 8),
            "wlast": Out(1), "wvalid": Out(1), "wready": In(1),
            "bid": In(id_bits), "bresp": In(2), "bvalid": In(1), "bready": Out(1)}


GP = wiring.Signature({**_read(32, 12), **_write(32, 12)})
"""M_AXI_GP: the processor masters, 32 bits (SIZE has two bits on the PS7 primitive)."""

HP_READ = wiring.Signature(_read(64, 6))
"""The read channels of an S_AXI_HP port, 64 bits."""

HP_WRITE = wiring.Signature(_write(64, 6))
"""The write channels of an S_AXI_HP port."""

BEAT_SIZE = 3
"""SIZE of a whole 64-bit beat: log2 of its bytes."""
BUFFERABLE = 0b0011
"""CACHE of DMA: normal memory, not cached."""
