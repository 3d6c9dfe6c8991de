"""One stage as its registers describe it, what it takes, and whether a device can run it."""

from __future__ import annotations

from dataclasses import dataclass

from pynq_bnn.devices.dram import WORD_BYTES
from pynq_bnn.devices.register_file import RegisterFile
from pynq_bnn.registers import (
    BIN_CONV,
    BIN_FC,
    ERROR_ADDRESS,
    ERROR_BUFFER,
    ERROR_NONE,
    ERROR_SHAPE,
    ERROR_SIZE,
    ERROR_STAGE,
    FMAP_A,
    FMAP_B,
    FP_CONV,
    INPUT,
    LAST,
    LOAD,
    PAD_NONE,
    PAD_ONE,
    PAD_ZERO,
    PARAMS,
    STORE,
    SUMS,
)

PICTURE_CHANNELS = 3
CHANNEL_STEP = 64
SUMS_BYTES = 128
"""The sums' room for each image: 64 int16."""
BLOCK_WORDS = 8
"""Each layer fills whole blocks of the parameter stream."""

_MAPS = (FMAP_A, FMAP_B)
_CONVS = (FP_CONV, BIN_CONV)


@dataclass(frozen=True)
class Limits:
    """What a device takes, as its capability registers say."""

    side: int
    classes: int
    channels: int
    inputs: int
    batch: int
    fmap_bits: int

    @property
    def picture_bytes(self) -> int:
        """The input buffer's room for each image of the largest batch, 4 bytes a pixel."""
        return -(-self.side ** 2 // 2) * WORD_BYTES

    @classmethod
    def from_registers(cls, file: RegisterFile) -> Limits:
        conv, fc = file.fields("CAP_LIMITS"), file.fields("CAP_FC")
        return cls(conv["SIDE"], conv["CLASSES"], conv["CHANNELS"], fc["INPUTS"], fc["BATCH"],
                   file.get("CAP_FMAP_BITS"))


@dataclass(frozen=True)
class Stage:
    """The stage registers, decoded; `padding` and `pool` are a convolution's alone."""

    kind: int
    source: int = 0
    target: int = 0
    height: int = 0
    width: int = 0
    channels: int = 0
    outputs: int = 0
    padding: int = PAD_ZERO
    pool: bool = False
    batch: int = 1
    dma_address: int = 0
    dma_bytes: int = 0

    @classmethod
    def from_registers(cls, file: RegisterFile) -> Stage:
        kind = file.fields("STAGE")["KIND"]
        buffers, shape, mode = file.fields("BUFFERS"), file.fields("SHAPE"), file.fields("MODE")
        conv = kind in _CONVS
        return cls(kind, buffers["SOURCE"], buffers["TARGET"], shape["HEIGHT"], shape["WIDTH"],
                   shape["CHANNELS"], file.get("OUTPUTS"),
                   mode["PADDING"] if conv else PAD_ZERO, conv and bool(mode["POOL"]),
                   file.get("BATCH"), file.get("DMA_ADDRESS"), file.get("DMA_BYTES"))

    @property
    def is_conv(self) -> bool:
        return self.kind in _CONVS

    @property
    def is_dma(self) -> bool:
        return self.kind in (LOAD, STORE)

    @property
    def moves_parameters(self) -> bool:
        """A LOAD or STORE of the parameter stream, which knows no images."""
        return self.is_dma and (self.target if self.kind == LOAD else self.source) == PARAMS

    @property
    def sum_height(self) -> int:
        """Rows of sums before pooling."""
        return self.height - 2 if self.padding == PAD_NONE else self.height

    @property
    def sum_width(self) -> int:
        """Columns of sums before pooling."""
        return self.width - 2 if self.padding == PAD_NONE else self.width

    @property
    def out_bits(self) -> int:
        """Bits of one image's output map."""
        pixels = self.sum_height * self.sum_width
        return self.outputs * (pixels // 4 if self.pool else pixels)

    @property
    def in_words(self) -> int:
        """Words of one image's input: a picture's has two pixels to a word."""
        if self.kind == FP_CONV:
            return -(-self.height * self.width // 2)
        return self.height * self.width * self.channels // 64

    @property
    def threshold_words(self) -> int:
        return 0 if self.kind == LAST else self.outputs // 2

    @property
    def weight_words(self) -> int:
        if self.kind == FP_CONV:
            return self.outputs // 2
        return self.outputs * (9 if self.kind == BIN_CONV else 1) * self.channels // 64

    @property
    def parameter_words(self) -> int:
        """Words that the stage takes off the parameter stream, padding included."""
        used = self.threshold_words + self.weight_words
        return -(-used // BLOCK_WORDS) * BLOCK_WORDS


def check(stage: Stage, limits: Limits) -> int:
    """The first of the errors STAGE, BUFFER, SHAPE, SIZE, ADDRESS that `stage` makes, or NONE."""
    if not LOAD <= stage.kind <= STORE:
        return ERROR_STAGE
    if not _buffers_fit(stage):
        return ERROR_BUFFER
    if not _shape_fits(stage, limits):
        return ERROR_SHAPE
    if not _size_fits(stage, limits):
        return ERROR_SIZE
    if stage.is_dma and (stage.dma_address % WORD_BYTES or stage.dma_bytes % WORD_BYTES
                         or not stage.dma_bytes):
        return ERROR_ADDRESS
    return ERROR_NONE


def _buffers_fit(stage: Stage) -> bool:
    source, target = stage.source, stage.target
    if stage.kind == LOAD:
        return target in (INPUT, PARAMS)
    if stage.kind == STORE:
        return source in (PARAMS, SUMS, *_MAPS)
    if stage.kind == FP_CONV:
        return source == INPUT and target in _MAPS
    if stage.kind == LAST:
        return source in _MAPS and target == SUMS
    return source in _MAPS and target in _MAPS and source != target


def _shape_fits(stage: Stage, limits: Limits) -> bool:
    if stage.moves_parameters:
        return True
    if not 1 <= stage.batch <= limits.batch:
        return False
    if stage.is_dma:
        return True
    if stage.is_conv:
        return _conv_fits(stage, limits)
    if stage.height != 1 or stage.width != 1 or not _in_steps(stage.channels, limits.inputs):
        return False
    if stage.kind == BIN_FC:
        return _in_steps(stage.outputs, limits.inputs)
    return 2 <= stage.outputs <= limits.classes


def _conv_fits(stage: Stage, limits: Limits) -> bool:
    if stage.kind == FP_CONV:
        channels_fit = stage.channels == PICTURE_CHANNELS
        paddings = (PAD_ZERO, PAD_NONE)
    else:
        channels_fit = _in_steps(stage.channels, limits.channels)
        paddings = (PAD_ZERO, PAD_ONE, PAD_NONE)
    sides = (stage.sum_height, stage.sum_width)
    return (channels_fit and stage.padding in paddings
            and _in_steps(stage.outputs, limits.channels)
            and max(stage.height, stage.width) <= limits.side and min(sides) >= 1
            and not (stage.pool and any(side % 2 for side in sides)))


def _in_steps(count: int, largest: int) -> bool:
    return 0 < count <= largest and count % CHANNEL_STEP == 0


def _size_fits(stage: Stage, limits: Limits) -> bool:
    if stage.moves_parameters:
        return True
    if stage.kind == LOAD:
        return stage.batch * stage.dma_bytes <= limits.batch * limits.picture_bytes
    if stage.kind == STORE:
        slot_bits = SUMS_BYTES * 8 if stage.source == SUMS else limits.fmap_bits
        return stage.dma_bytes * 8 <= slot_bits
    in_bits = 0 if stage.kind == FP_CONV else stage.height * stage.width * stage.channels
    out_bits = 0 if stage.kind == LAST else stage.out_bits
    return max(in_bits, out_bits) <= limits.fmap_bits
