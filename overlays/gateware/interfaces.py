"""The signatures between blocks: written once, so that blocks fit without reading each other."""

from __future__ import annotations

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware import unit_memory
from overlays.gateware.config import ROW, UNIT, WORD
from overlays.gateware.register_layout import StageRegisters, width
from pynq_bnn.registers import MAX_CLASSES, MAX_FC_INPUTS, MAX_SIDE

FMAP_READ_LATENCY = 5
"""Cycles from a row address to its data: a register behind the choice of who reads, one beside the
block RAM, the block RAM, a register behind it, and one behind the choice of buffer.  The block RAMs
lie all over the chip, so each way there or back has a cycle of its own."""

WRITE_BITS = 16
"""Most output bits that a stage writes in a cycle."""

PIXEL_BITS = 32
"""A picture's pixel in the input buffer: R in bits 7:0, G in 15:8, B in 23:16."""
INPUT_READ_LATENCY = unit_memory.READ_LATENCY

SUM_BITS = 16
"""A sum of the last layer."""

Units = stream.Signature(UNIT)
"""The parameter stream."""

Pairs = stream.Signature(2 * UNIT)
"""The same, two units at a time, the earlier one in the lower bits."""

Words = stream.Signature(WORD)
"""Data for DRAM, word after word."""

StageShape = data.StructLayout({
    "height": range(MAX_SIDE + 1),          # of the input map, at least 1
    "width": range(MAX_SIDE + 1),
    "channels": range(MAX_FC_INPUTS + 1),   # real channels; 3 for a picture
    "outputs": range(MAX_FC_INPUTS + 1),
    "padding": StageRegisters["padding"].shape,
    "pool": StageRegisters["pool"].shape,
    "images": width("CAP_FC", "BATCH"),     # in the batch, at least 1
    "last": 1,                              # FC: sums instead of bits
})
"""What a compute stage is told; stable from start to done."""

# A row read: `address` may change every cycle, `data` follows FMAP_READ_LATENCY cycles later.
FmapRead = wiring.Signature({
    "address": Out(16),
    "data": In(ROW),
})

# An input-buffer read: address of a 64-bit word (two pixels), data INPUT_READ_LATENCY later.
InputRead = wiring.Signature({
    "address": Out(16),
    "data": In(WORD),
})

# Output bits of a map as a convolution makes them: the lowest `1 << size` of `bits`.  `address` is
# the bit address in the buffer (row * 512 + bit), aligned to their count.  Channels of a byte come
# in ascending order; two writes into the same byte are at least MERGE_CYCLES apart.
MERGE_CYCLES = 10
"""From a stage's output to the buffer that has it, at the most."""
FmapWrite = wiring.Signature({
    "enable": Out(1),
    "address": Out(26),
    "size": Out(3),      # log2 of the count of bits: 0 to 4
    "bits": Out(WRITE_BITS),
})

# The same as bytes: one, in both halves of `bytes`, or with `wide` two from an even place on.
MapBytes = wiring.Signature({
    "enable": Out(1),
    "row": Out(17),
    "place": Out(range(ROW // 8)),
    "wide": Out(1),
    "bytes": Out(WRITE_BITS),
})

# A whole byte of a map on its way to a buffer, of 512-bit rows of 64; no two into the same byte.
ByteWrite = wiring.Signature({
    "enable": Out(1),
    "row": Out(17),
    "place": Out(range(ROW // 8)),
    "byte": Out(8),
})

# Sums of classes 2 * `pair` and 2 * `pair` + 1.
SumsWrite = wiring.Signature({
    "enable": Out(1),
    "image": Out(width("CAP_FC", "BATCH")),
    "pair": Out(range(MAX_CLASSES // 2)),
    "sums": Out(2 * SUM_BITS),
})

# Start and end of a stage.  `start` and `done` are pulses of one cycle; `done` comes when the last
# result has been written (of a FmapWrite: MERGE_CYCLES after its enable).
# In a cycle, `busy` says that lanes work on a valid window, `waiting` that they can't because
# parameters have not come.
Stage = wiring.Signature({
    "start": Out(1),
    "shape": Out(StageShape),
    "done": In(1),
    "busy": In(1),
    "waiting": In(1),
})
