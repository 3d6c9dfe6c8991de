"""What the DMA engines are told."""

from amaranth.lib import data

from pynq_bnn.registers import BURST_BYTES

BURST_BITS = (BURST_BYTES - 1).bit_length()
"""Address bits within a burst."""
BURST_NUMBER_BITS = 32 - BURST_BITS

DmaCommand = data.StructLayout({"address": 32, "bursts": BURST_NUMBER_BITS})
"""So many bursts of 128 bytes from an address that is a multiple of 128."""
