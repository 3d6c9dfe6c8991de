"""The sequence that configures a whole die, as Vivado writes it, and frames taken out of one.

All frames go in one piece.  After each row come two frames that configure nothing: they push the
last ones through the frame data register's pipeline.

Source: UG470, "Bitstream Composition" (Table 5-19) and "Configuration Sequence"; the values are
those in bitstreams that Vivado 2018.2 made for the xc7z020 with its default settings.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from overlays.bitstream import crc
from overlays.bitstream.ecc import FRAME_WORDS
from overlays.bitstream.errors import BitFileError
from overlays.bitstream.frames import Frames
from overlays.bitstream.packets import (
    NOP,
    Command,
    Register,
    Write,
    command,
    read,
    write,
    write_many,
)
from overlays.bitstream.part import Part

_PAD_FRAMES = 2

# COR0: DONE through a pipeline stage in phase 4, outputs on in 5, flip-flops in 6; neither for an
# MMCM's lock nor for DCI is waited
_STARTUP = 0x0200_3FE5
# beyond every frame: what Vivado leaves in FAR
_LAST_ADDRESS = 0x03BE_0000
# CTL0: outputs may be driven, nothing is locked against readback, configuration pins are given free
_CONTROL = 0x501
_CONTROL_MASK = 0x401


def to_words(frames: Frames) -> np.ndarray:
    """Everything that follows the synchronisation word, with both checksums."""
    data = _with_padding(frames)
    before = _before(frames.part.idcode)
    return np.concatenate([
        np.array([*before, *write_many(Register.FDRI, len(data))], np.uint32), data,
        np.array(_after(_checksum([*_writes(before), Write(Register.FDRI, data)])), np.uint32)])


def _before(idcode: int) -> List[int]:
    return [
        NOP, *write(Register.TIMER, 0), *write(Register.WBSTAR, 0), *command(Command.NULL),
        NOP, *command(Command.RCRC),
        NOP, NOP, *write(Register.UNNAMED, 0), *write(Register.COR0, _STARTUP),
        *write(Register.COR1, 0), *write(Register.IDCODE, idcode), *command(Command.SWITCH),
        NOP, *write(Register.MASK, _CONTROL_MASK), *write(Register.CTL0, _CONTROL),
        *write(Register.MASK, 0), *write(Register.CTL1, 0),
        *[NOP] * 8, *write(Register.FAR, 0), *command(Command.WCFG), NOP]


def _after(checksum: int) -> List[int]:
    starting = [
        NOP, NOP, *command(Command.GRESTORE),
        NOP, *command(Command.LFRM),
        *[NOP] * 100, *command(Command.START),
        NOP, *write(Register.FAR, _LAST_ADDRESS), *write(Register.MASK, _CONTROL),
        *write(Register.CTL0, _CONTROL)]
    return [*write(Register.CRC, checksum), *starting,
            *write(Register.CRC, _checksum(_writes(starting))),
            NOP, NOP, *command(Command.DESYNC), *[NOP] * 400]


def _writes(words: List[int]) -> List[Write]:
    return list(read(np.array(words, np.uint32)))


def _checksum(writes: List[Write]) -> int:
    """The checksum since the last time that one was cleared or compared."""
    value = 0
    for register, words in writes:
        value = crc.update(value, register, words.tolist())
        if register == Register.CMD and words[-1] == Command.RCRC:
            value = 0
    return value


def _places(part: Part) -> Tuple[np.ndarray, int]:
    """Where each frame stands among frames and padding, and how many these are together."""
    places = np.arange(part.frames) + _PAD_FRAMES * part.rows
    return places, int(places[-1]) + 1 + _PAD_FRAMES


def _with_padding(frames: Frames) -> np.ndarray:
    places, count = _places(frames.part)
    padded = np.zeros((count, FRAME_WORDS), np.uint32)
    padded[places] = frames.words
    return padded.reshape(-1)


def from_words(part: Part, words: np.ndarray) -> Frames:
    """The frames that a stream of packets writes into `part`.

    Raises
    ------
    BitFileError
        If it is for another part, if a checksum is wrong, or if it doesn't write every frame of the
        die once and in one piece, as a partial or a compressed bitstream.
    """
    data: Optional[np.ndarray] = None
    since_checked: List[Write] = []
    address = None
    idcode = None
    for packet in read(words):
        value = int(packet.words[-1])
        if packet.register == Register.CRC:
            _require_checksum(value, since_checked)
            since_checked = []
            continue
        since_checked.append(packet)
        if packet.register == Register.IDCODE:
            idcode = value
            _require_idcode(part, value)
        elif packet.register == Register.FAR:
            address = value
        elif packet.register == Register.FDRI:
            if data is not None or address != 0 or idcode is None:
                raise BitFileError("it doesn't write the die in one piece from address 0, after "
                                   "the part's IDCODE: is it partial, or compressed?")
            data = packet.words
    return Frames(part, _without_padding(part, data))


def _require_checksum(expected: int, writes: List[Write]) -> None:
    found = _checksum(writes)
    if found != expected:
        raise BitFileError(f"the checksum is {found:#010x}, {expected:#010x} was written: bits "
                           "have changed since the file was made")


def _require_idcode(part: Part, idcode: int) -> None:
    # its upper four bits count the silicon's revisions
    if (idcode ^ part.idcode) & 0x0FFF_FFFF:
        raise BitFileError(f"it is for IDCODE {idcode:#010x}, {part.name} has {part.idcode:#010x}")


def _without_padding(part: Part, data: Optional[np.ndarray]) -> np.ndarray:
    places, count = _places(part)
    found = 0 if data is None else len(data)
    if data is None or found != count * FRAME_WORDS:
        raise BitFileError(
            f"it writes {found} words into frames; {part.name} has {part.frames}, with padding "
            f"{count} frames of {FRAME_WORDS} words, {count * FRAME_WORDS}")
    padded = data.reshape(count, FRAME_WORDS)
    padding = np.delete(padded, places, axis=0)
    if padding.any():
        raise BitFileError("the frames of padding between rows are not empty: the frames are not "
                           "where this part has them")
    return padded[places]
