"""What can be chosen when the gateware is built; everything else follows from it."""

from __future__ import annotations

from dataclasses import dataclass

WORD = 64
"""Bits of a memory word and of an AXI HP port."""
UNIT = 128
"""Bits that the parameter stream delivers in a cycle: one tap of one output, 128 channels."""
ROW = 512
"""Bits of a row of a feature-map buffer: four units, the most channels of a pixel."""
BURST_BYTES = 128
"""Every DMA transfer is whole bursts of 16 beats of 64 bits at multiples of their size (UG585:
AXI3, at most 16 beats); so no burst crosses 4 KiB."""
TAPS = 9
QUARTERS = ROW // UNIT
MAX_SIDE = 32
MAX_CHANNELS = ROW
MAX_FC_INPUTS = 8192
MAX_CLASSES = 64


@dataclass(frozen=True)
class Config:
    """One build of the accelerator.

    Attributes
    ----------
    reducers : int
        XNOR-popcount units of 9 x 128 lanes, 4, 8 or 16: how many outputs of 128 channels a cycle
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
        AXI HP ports: 1 or 2.
    """

    reducers: int = 8
    fp_outputs: int = 16
    fmap_rows: int = 2048
    batch: int = 8
    parameter_units: int = 8192
    ports: int = 2

    @property
    def lanes(self) -> int:
        """Binary products in a cycle."""
        return self.reducers * TAPS * UNIT


FULL = Config()
SMALL = Config(reducers=4, fp_outputs=4, fmap_rows=512, batch=2, parameter_units=256)
"""For quick tests: every mechanism, a fraction of the logic."""
