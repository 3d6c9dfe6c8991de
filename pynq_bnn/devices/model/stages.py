"""One stage as its registers describe it, what it takes, and whether a device can run it."""

from __future__ import annotations

from dataclasses import dataclass

from pynq_bnn.devices.model.layout import ROW_BYTES, map_rows, pixel_bytes
from pynq_bnn.devices.model.register_file import RegisterFile
from pynq_bnn.registers import (
    BIN_CONV,
    BIN_FC,
    BURST_BYTES,
    CHANNEL_STEP,
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
    PICTURE_BYTES,
    QUARTERS,
    STORE,
    STORE_BYTES_MAX,
    SUMS,
    WORD_BYTES,
)

PICTURE_CHANNELS = 3

_WHOLE = (FMAP_A, FMAP_B)
_MAPS = (*_WHOLE, *QUARTERS)
_CONVS = (FP_CONV, BIN_CONV)
_TO_QUARTERS = (BIN_CONV, BIN_FC)


@dataclass(frozen=True)
class Limits:
    """What a device takes, as its capability registers say."""

    side: int
    classes: int
    channels: int
    inputs: int
    batch: int
    fmap_rows: int

    @classmethod
    def from_registers(cls, file: RegisterFile) -> Limits:
        conv, fc = file.fields("CAP_LIMITS"), file.fields("CAP_FC")
        return cls(conv["SIDE"], conv["CLASSES"], conv["CHANNELS"], fc["INPUTS"], fc["BATCH"],
                   file.get("CAP_FMAP_ROWS"))


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
        """A LOAD or STORE of the parameter stream, which has no size."""
        return self.is_dma and (self.target if self.kind == LOAD else self.source) == PARAMS

    @property
    def dma_words(self) -> int:
        """Words that a LOAD or STORE moves."""
        return self.dma_bytes // WORD_BYTES

    @property
    def sum_height(self) -> int:
        """Rows of sums before pooling."""
        return self.height - 2 if self.padding == PAD_NONE else self.height

    @property
    def sum_width(self) -> int:
        """Columns of sums before pooling."""
        return self.width - 2 if self.padding == PAD_NONE else self.width

    @property
    def pixels(self) -> int:
        """Pixels of one image's input."""
        return self.height * self.width

    @property
    def picture_words(self) -> int:
        """Words of one image in the input buffer: two pixels to a word."""
        return -(-self.pixels // 2)

    @property
    def out_pixels(self) -> int:
        """Pixels of one image's output map; an FC layer writes one."""
        if not self.is_conv:
            return 1
        sums = self.sum_height * self.sum_width
        return sums // 4 if self.pool else sums

    @property
    def threshold_words(self) -> int:
        return 0 if self.kind == LAST else self.outputs // 2

    @property
    def weight_bytes(self) -> int:
        """Bytes of one output's weights, the bits that no channel owns included."""
        if self.kind == FP_CONV:
            return 4
        if self.kind == BIN_CONV:
            return 9 * pixel_bytes(self.channels)
        return map_rows(self.pixels, self.channels) * ROW_BYTES

    @property
    def parameter_words(self) -> int:
        """Words that the stage takes off the parameter stream, whole bursts."""
        outputs = self.outputs + self.outputs % 2  # only LAST can have an odd number
        used = self.threshold_words * WORD_BYTES + outputs * self.weight_bytes
        return -(-used // BURST_BYTES) * BURST_BYTES // WORD_BYTES


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
    if stage.is_dma and (stage.dma_address % BURST_BYTES or stage.dma_bytes % BURST_BYTES
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
        return source == INPUT and target in _WHOLE
    if stage.kind == LAST:
        return source in _MAPS and target == SUMS
    if stage.kind in _TO_QUARTERS and target in QUARTERS:
        return source in _MAPS and source not in (FMAP_A, target)
    return source in _WHOLE and target in _WHOLE and source != target


def _shape_fits(stage: Stage, limits: Limits) -> bool:
    if stage.is_dma:
        return True
    if not (1 <= stage.batch <= limits.batch and 1 <= stage.height <= limits.side
            and 1 <= stage.width <= limits.side):
        return False
    if stage.is_conv:
        return _conv_fits(stage, limits)
    most = limits.inputs if stage.pixels == 1 else limits.channels
    if not _in_steps(stage.channels, most) or stage.pixels * stage.channels > limits.inputs:
        return False
    if stage.kind == BIN_FC:
        return _in_steps(stage.outputs, limits.inputs)
    return 2 <= stage.outputs <= limits.classes


def _conv_fits(stage: Stage, limits: Limits) -> bool:
    if stage.kind == FP_CONV:
        channels_fit = stage.channels == PICTURE_CHANNELS
    else:
        channels_fit = _in_steps(stage.channels, limits.channels)
    paddings = [PAD_ZERO, PAD_NONE] + ([] if stage.kind == FP_CONV else [PAD_ONE])
    sides = (stage.sum_height, stage.sum_width)
    return (channels_fit and stage.padding in paddings
            and _in_steps(stage.outputs, limits.channels) and min(sides) >= 1
            and not (stage.pool and any(side % 2 for side in sides)))


def _in_steps(count: int, largest: int) -> bool:
    return 0 < count <= largest and count % CHANNEL_STEP == 0


def _size_fits(stage: Stage, limits: Limits) -> bool:
    if stage.moves_parameters:
        return stage.kind == LOAD or stage.dma_bytes <= STORE_BYTES_MAX
    if stage.kind == LOAD:
        return stage.dma_bytes <= limits.batch * PICTURE_BYTES
    if stage.kind == STORE:
        in_sums = stage.source == SUMS
        return stage.dma_bytes <= (limits.batch * BURST_BYTES if in_sums
                                   else _rows(stage, limits) * ROW_BYTES)
    source = 0 if stage.kind == FP_CONV else map_rows(stage.pixels, stage.channels)
    target = 0 if stage.kind == LAST else map_rows(stage.out_pixels, stage.outputs)
    return stage.batch * max(source, target) <= _rows(stage, limits)


def _rows(stage: Stage, limits: Limits) -> int:
    """Rows that a stage's maps may take: a quarter of them all where one lies in a quarter."""
    quarter = (stage.source in QUARTERS
               or stage.kind in _TO_QUARTERS and stage.target in QUARTERS)
    return limits.fmap_rows // 4 if quarter else limits.fmap_rows
