"""What can be chosen when the gateware is built; everything else follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from pynq_bnn.registers import MAX_CHANNELS, WORD_BYTES

WORD = 8 * WORD_BYTES
"""Bits of a memory word and of an AXI HP port."""
UNIT = 128
"""Bits that the parameter stream delivers in a cycle: one tap of one output, 128 channels."""
ROW = MAX_CHANNELS
"""Bits of a row of a feature-map buffer: 512, four units, the most channels of a pixel."""
TAPS = 9
QUARTERS = ROW // UNIT
GROUP_UNITS = 16
"""Units of a tap that a binary convolution's weights bring one after the other: those of 16 outputs
of 128 channels, 8 of 256, 4 of 512 (docs/contract.md)."""


@dataclass(frozen=True)
class Config:
    """One build of the accelerator.

    Attributes
    ----------
    reducers : int
        XNOR-popcount units of 9 x 128 lanes, 8 or 16: how many outputs of 128 channels a cycle
        (half as many of 256, a quarter of 512).
    fp_outputs : int
        Outputs of the picture convolution in a cycle: 4, 8 or 16.
    fmap_rows : int
        Rows of 512 bits in each of the two feature-map buffers.
    batch : int
        Most images in a run.
    parameter_units : int
        Depth of the parameter FIFO, in units: how far DMA runs ahead of the lanes.
    ports : int
        AXI HP ports: 1, 2 or 4.
    layer_units : int
        Depth of the queue that lets a binary convolution run on beside FC stages, in units; there
        is none where it takes two units a cycle.
    """

    reducers: int = 16
    fp_outputs: int = 16
    fmap_rows: int = 2048
    batch: int = 8
    parameter_units: int = 8192
    ports: int = 2
    layer_units: int = 2048

    @property
    def lanes(self) -> int:
        """Binary products in a cycle."""
        return self.reducers * TAPS * UNIT

    @property
    def streams(self) -> int:
        """Parameter streams side by side, of a unit in each cycle: what two ports bring."""
        return max(1, self.ports // 2)

    @property
    def conv_units(self) -> int:
        """Units that the binary convolution takes in a cycle: each keeps a reducer busy for 8."""
        return min(self.streams, self.reducers // 8)


FULL = Config()
SMALL = Config(reducers=8, fp_outputs=4, fmap_rows=512, batch=2, parameter_units=256,
               layer_units=64)
"""For quick tests: every mechanism, a fraction of the logic."""
