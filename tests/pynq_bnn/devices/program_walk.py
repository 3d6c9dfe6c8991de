"""What follows from a program's steps alone: what it leaves defined, what it leaves to timing."""

from dataclasses import replace
from typing import Dict, List, Optional, Tuple

import numpy as np

from pynq_bnn import registers as r
from pynq_bnn.devices.model.layout import ROW_BYTES, map_rows, owned
from pynq_bnn.devices.model.register_file import RegisterFile
from pynq_bnn.devices.model.stages import Limits, Stage, check
from tests.pynq_bnn.devices.random_programs import ARENA_BYTES, BASE, MEMORY_BYTES, Case

Error = Tuple[int, int, int, int]
"""Code, stage, step and address."""
UNREAD_BYTES, STORE_BYTES = 4096, 64 << 10
"""So many parameters every device holds unread, and no test waits until more are stored."""


class Walk:
    """A program's steps one by one: what it defines, and where memory's timing has a say.

    Attributes
    ----------
    known : numpy.ndarray
        Of each byte of the arena, whether the program leaves it defined.
    lost : Error, optional
        What the first LOAD of parameters that fails reports.
    torn : list of Error
        What a STORE of more parameters than there are reports if memory fails first.
    endless : dict of int to int
        By the step of a stage that may never end, or long after all tests, its bytes.
    """

    def __init__(self, case: Case, limits: Limits) -> None:
        self.known = np.ones(ARENA_BYTES, bool)
        self.lost: Optional[Error] = None
        self.torn: List[Error] = []
        self.endless: Dict[int, int] = {}
        self._arena = case.arena
        self._loaded: List[range] = []  # where parameters came from
        self._stored: List[range] = []
        self._good, self._stream = True, np.zeros(0, "<u8")  # parameters known, and which
        self._unread, self._input = 0, 0  # bytes
        self._maps: Dict[int, Tuple[int, int, int]] = {}  # pixels, channels, images
        file = RegisterFile({}, lambda *_: None)
        for step, (offset, value) in enumerate(case.steps[:case.count]):
            names = [name for name in r.PROGRAMMABLE if r.offset(name) == offset]
            if not names:
                break
            file.set(names[0], value)
            if names[0] == "STAGE":
                stage = Stage.from_registers(file)
                if check(stage, limits):
                    break
                # what it moves, not what it asks for
                stage = replace(stage, dma_bytes=8 * stage.dma_words)
                if stage.kind == r.LOAD:
                    self._load(stage, step)
                elif stage.kind == r.STORE:
                    self._store(stage, step)
                else:
                    self._compute(stage)

    def _place(self, stage: Stage) -> slice:
        start = stage.dma_address - BASE
        return slice(max(start, 0), max(start + stage.dma_bytes, 0))

    def _all_known(self, stage: Stage) -> bool:
        place = self._place(stage)
        return (stage.dma_address >= BASE and place.stop <= ARENA_BYTES
                and bool(self.known[place].all()))

    def _load(self, stage: Stage, step: int) -> None:
        known = self._all_known(stage)
        if self._unread > UNREAD_BYTES:
            self.endless[step] = self._unread
        if not stage.moves_parameters:
            self._input = stage.dma_bytes if known else 0
            return
        place = range(stage.dma_address, stage.dma_address + stage.dma_bytes)
        self._good &= known and not _overlap(place, self._stored)
        words = self._arena[self._place(stage)].view("<u8") if self._good else self._stream[:0]
        self._stream = np.concatenate([self._stream, words])
        self._loaded.append(place)
        fault = _outside(stage)
        if fault is not None and self.lost is None:
            self.lost = (r.ERROR_READ, r.LOAD, step, fault)
        self._unread += stage.dma_bytes if fault is None else fault - stage.dma_address

    def _compute(self, stage: Stage) -> None:
        self._unread -= 8 * stage.parameter_words
        words, self._stream = np.split(self._stream, [stage.parameter_words])
        if not self._good or _unowned(stage, words):
            self._maps.pop(stage.target, None)
            return
        if stage.kind == r.FP_CONV:
            good = self._input >= 8 * stage.batch * stage.picture_words
        else:
            pixels, channels, images = self._maps.get(stage.source, (0, 0, 0))
            good = (pixels, channels) == (stage.pixels, stage.channels) and images >= stage.batch
        self._maps[stage.target] = (
            stage.out_pixels, stage.outputs, stage.batch if good else 0)

    def _store(self, stage: Stage, step: int) -> None:
        if stage.moves_parameters:
            fault = _outside(stage)
            sent = stage.dma_address + self._unread
            self._unread -= stage.dma_bytes
            if stage.dma_bytes > STORE_BYTES:
                self.endless[step] = stage.dma_bytes
            self._stream = self._stream[stage.dma_bytes // 8:]
            if self._unread < 0 and fault is not None and fault < sent:
                self.torn.append((r.ERROR_WRITE, r.STORE, step, fault))
        self._stored.append(range(stage.dma_address, stage.dma_address + stage.dma_bytes))
        if _overlap(self._stored[-1], self._loaded):
            self._good = False  # the parameters may have been read before or after this
        place = self._place(stage)
        self.known[place] = self._sent(stage)[:len(self.known[place])]

    def _sent(self, stage: Stage) -> np.ndarray:
        """Of each byte that a STORE sends, whether it is defined."""
        mask = np.zeros(min(stage.dma_bytes, ARENA_BYTES), bool)
        pixels, channels, images = self._maps.get(stage.source, (0, 0, 0))
        if stage.moves_parameters:
            mask[:] = self._good
        elif images:
            if stage.source == r.SUMS:
                maps = np.zeros((images, r.BURST_BYTES), bool)
                maps[:, :2 * channels] = True
            else:
                maps = np.zeros((images, map_rows(pixels, channels) * ROW_BYTES), bool)
                owned(maps, pixels, channels)[:] = True
            part = maps.reshape(-1)[:len(mask)]
            mask[:len(part)] = part
        return mask


def _overlap(place: range, others: List[range]) -> bool:
    return any(place.start < other.stop and other.start < place.stop for other in others)


def _unowned(stage: Stage, words: np.ndarray) -> bool:
    """Whether weights have bits set that no channel owns: other parameters than the stage's."""
    stored = words[stage.threshold_words:].view(np.uint8)[:stage.outputs * stage.weight_bytes]
    if len(stored) < stage.outputs * stage.weight_bytes:
        return True
    if stage.kind == r.FP_CONV:
        return bool((stored.view("<u4") >> 27).any())
    weights = stored.reshape(stage.outputs, -1).copy()
    owned(weights, 9 if stage.is_conv else stage.pixels, stage.channels)[:] = 0
    return bool(weights.any())


def _outside(stage: Stage) -> Optional[int]:
    """The first of a LOAD's or STORE's bursts that lies outside the memory."""
    end = stage.dma_address + stage.dma_bytes
    if stage.dma_address < BASE:
        return stage.dma_address
    return max(stage.dma_address, BASE + MEMORY_BYTES) if end > BASE + MEMORY_BYTES else None
