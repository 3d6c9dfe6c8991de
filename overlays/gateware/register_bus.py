"""The bus between the AXI slave and the register file."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

READ_LATENCY = 4
"""Cycles from a `read` or `write` pulse to its answer."""

RegisterBus = wiring.Signature({
    "address": Out(12),
    "read": Out(1),
    "write": Out(1),
    "write_data": Out(32),
    "read_data": In(32),
})
"""One access at a time.

`address` (a byte offset, a multiple of 4) and `write_data` stay as they are from the pulse of
`read` or `write` until its answer, READ_LATENCY cycles later: `read_data`.
"""
