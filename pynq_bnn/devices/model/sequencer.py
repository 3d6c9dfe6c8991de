"""The model's sequencer: replays programs, starts stages, and says what stops them.

As in the hardware a program's writes go on while a stage runs, and parameters come in beside the
stages.  Where memory's timing decides how far that gets, this takes the latest answer that
docs/contract.md allows: a stage ends, or fails, when the program comes to a step that waits for it,
and parameters that memory refuses are missed when something waits for them.
"""

from __future__ import annotations

from typing import List, Optional

import numpy as np

from pynq_bnn import registers
from pynq_bnn.devices.model.datapath import compute
from pynq_bnn.devices.model.memories import Memories
from pynq_bnn.devices.model.register_file import RegisterFile
from pynq_bnn.devices.model.stages import Limits, Stage, check
from pynq_bnn.devices.simulated.dram import AxiFault, Dram
from pynq_bnn.registers import BURST_BYTES, BURST_WORDS, NO_STEP, WORD_BYTES

SEQUENCER = 0
"""ERROR.STAGE when the sequencer itself is at fault."""
UNREAD_BYTES = 4096
"""So many parameters every device holds; the LOAD after more than that may wait for ever."""

_PROGRAMMABLE = {registers.offset(name): name for name in registers.PROGRAMMABLE}


class Fault(Exception):
    """What stops the accelerator: the contents of ERROR and ERROR_ADDRESS."""

    def __init__(self, code: int, stage: int, step: int, address: int = 0) -> None:
        super().__init__(f"error {code} of stage {stage} in step {step} at 0x{address:08X}")
        self.code, self.stage, self.step, self.address = code, stage, step, address


class Hung(Exception):
    """A stage that never ends."""


class Sequencer:
    """Runs the stages that the registers describe, on the memories and the DRAM.

    Attributes
    ----------
    hang : bool
        Let the next stage never end.
    """

    def __init__(self, file: RegisterFile, memories: Memories, dram: Dram,
                 limits: Limits) -> None:
        self._registers, self._memories = file, memories
        self._dram, self._limits = dram, limits
        self.hang = False
        self._lost: Optional[Fault] = None  # of the parameters behind those in the stream

    @property
    def loading(self) -> bool:
        """Whether parameters are unread or on their way."""
        return self._memories.parameter_words > 0 or self._lost is not None

    def forget_parameters(self) -> None:
        """Empty the stream, as an error and a reset do."""
        self._memories.drop_parameters()
        self._lost = None

    def run_stage(self, value: int) -> None:
        """The stage that the host starts by writing STAGE; raises Fault or Hung."""
        self._registers.set("STAGE", value)
        self._run(self._begin(NO_STEP), NO_STEP)

    def run_program(self) -> None:
        """The program that PROGRAM_ADDRESS and PROGRAM_STEPS tell of; raises Fault or Hung."""
        self._registers.set("STEP", 0)
        self._registers.set("STAGES", 0)
        for entry in range(registers.LOG_ENTRIES):
            self._registers.set("LOG_KIND", 0, entry)
        running, begun = None, 0
        for step, word in enumerate(self._fetch()):
            offset, value = word & 0xFFFFFFFF, word >> 32
            name = _PROGRAMMABLE.get(offset)
            if running is not None and name in ("STAGE", None):
                self._run(running, begun)
                running = None
            if name is None:
                raise Fault(registers.ERROR_PROGRAM, SEQUENCER, step, offset)
            self._registers.set(name, value)
            self._registers.set("STEP", step + 1)
            if name == "STAGE":
                running, begun = self._begin(step), step
        if running is not None:
            self._run(running, begun)
        if self.loading:
            raise Fault(registers.ERROR_LEFTOVER, SEQUENCER, self._registers.get("STEP") - 1)

    def _fetch(self) -> List[int]:
        """The program's words."""
        address, steps = (self._registers.get("PROGRAM_ADDRESS"),
                          self._registers.get("PROGRAM_STEPS"))
        if address % BURST_BYTES:
            raise Fault(registers.ERROR_ADDRESS, SEQUENCER, 0, address)
        if not 1 <= steps <= self._registers.fields("CAP_PROGRAM")["STEPS"]:
            raise Fault(registers.ERROR_PROGRAM, SEQUENCER, 0, registers.offset("PROGRAM_STEPS"))
        if self.loading:
            raise Fault(registers.ERROR_LEFTOVER, SEQUENCER, 0)
        try:
            words = self._dram.read_words(address, -(-steps // BURST_WORDS) * BURST_WORDS)
        except AxiFault as fault:
            raise Fault(registers.ERROR_READ, SEQUENCER, 0, fault.address) from None
        return words[:steps].tolist()

    def _begin(self, step: int) -> Stage:
        """The stage that the registers hold, started by program step `step`, if it may begin."""
        if self.hang:
            raise Hung
        stage = Stage.from_registers(self._registers)
        error = check(stage, self._limits)
        if error:
            address = stage.dma_address if error == registers.ERROR_ADDRESS else 0
            raise Fault(error, stage.kind, step, address)
        if stage.kind == registers.LOAD:
            # it waits for the parameters before it to come in
            if self._lost is not None:
                raise self._lost
            if self._memories.parameter_words * WORD_BYTES > UNREAD_BYTES:
                raise Hung
        return stage

    def _run(self, stage: Stage, step: int) -> None:
        """Run a stage to its end and log it."""
        try:
            if stage.kind == registers.LOAD:
                self._load(stage, step)
            elif stage.kind == registers.STORE:
                self._store(stage, step)
            else:
                self._compute(stage, step)
        except AxiFault as fault:
            code = registers.ERROR_READ if stage.kind == registers.LOAD else registers.ERROR_WRITE
            raise Fault(code, stage.kind, step, fault.address) from None
        entry = self._registers.get("STAGES")
        if entry < registers.LOG_ENTRIES:
            self._registers.set("LOG_KIND", stage.kind, entry)
            self._registers.set("STAGES", entry + 1)

    # The stages.

    def _load(self, stage: Stage, step: int) -> None:
        address, count = stage.dma_address, stage.dma_words
        if not stage.moves_parameters:
            self._memories.write_input(self._dram.read_words(address, count))
            return
        try:
            words = self._dram.read_words(address, count)
        except AxiFault as fault:
            self._lost = Fault(registers.ERROR_READ, stage.kind, step, fault.address)
            words = fault.words
        self._memories.append_parameters(words)

    def _store(self, stage: Stage, step: int) -> None:
        if stage.moves_parameters:
            words = self._take_parameters(stage.dma_words, stage, step)
        else:
            words = self._memories.read_words(stage.source, stage.dma_words)
        self._dram.write_words(stage.dma_address, words)

    def _compute(self, stage: Stage, step: int) -> None:
        parameters = self._take_parameters(stage.parameter_words, stage, step)
        memories = self._memories
        if stage.kind == registers.FP_CONV:
            source = memories.read_input(stage.batch, stage.picture_words)
        else:
            source = memories.read_maps(stage.source, stage.batch, stage.pixels, stage.channels)
        result = compute(stage, source, parameters)
        if stage.kind == registers.LAST:
            memories.write_sums(result)
        else:
            memories.write_maps(stage.target, result)

    def _take_parameters(self, count: int, stage: Stage, step: int) -> np.ndarray:
        words = self._memories.take_parameters(count)
        if words is None:
            raise self._lost or Fault(registers.ERROR_UNDERRUN, stage.kind, step)
        return words
