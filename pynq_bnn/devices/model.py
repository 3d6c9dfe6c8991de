"""The model device: the accelerator's registers, programs and arithmetic, simulated in numpy.

Register-exact and bit-exact after docs/contract.md, not cycle-accurate: a stage or a program runs
to its end within the register write that starts it, and all cycle counters read 0.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Union

import numpy as np

from pynq_bnn import registers
from pynq_bnn.devices import Device
from pynq_bnn.devices.buffer import Buffer
from pynq_bnn.devices.datapath import compute
from pynq_bnn.devices.dram import BURST_BYTES, WORD_BYTES, AxiFault, Dram
from pynq_bnn.devices.memories import Memories
from pynq_bnn.devices.register_file import Mmio, RegisterFile
from pynq_bnn.devices.stages import Limits, Stage, check

NO_STEP = 0xFFFF
"""ERROR.STEP outside a program."""
SEQUENCER = 0
"""ERROR.STAGE when the sequencer itself is at fault."""

BURST_WORDS = BURST_BYTES // WORD_BYTES
_PROGRAMMABLE = {registers.offset(name): name for name in registers.PROGRAMMABLE}


class _Fault(Exception):
    """What stops the accelerator: the contents of ERROR and ERROR_ADDRESS."""

    def __init__(self, code: int, stage: int, step: int, address: int = 0) -> None:
        super().__init__(f"error {code} of stage {stage} in step {step} at 0x{address:08X}")
        self.code, self.stage, self.step, self.address = code, stage, step, address


class _Hung(Exception):
    """A stage that never ends."""


class ModelDevice(Device):
    """The simulated accelerator with memory of its own.

    Parameters
    ----------
    batch : int
        Most images in a run (CAP_FC.BATCH), 1 to 255.
    dram : Dram, optional
        The contiguous memory; 64 MiB without.
    overrides : mapping of str to int, optional
        Other values of identification and capability registers. The device keeps to the limits
        that its registers then say.

    Attributes
    ----------
    mmio : Mmio
        The registers; counts reads and writes.
    dram : Dram
        The memory; counts DMA bytes and injects AXI faults.
    """

    name = "model"

    def __init__(self, batch: int = 8, dram: Optional[Dram] = None,
                 overrides: Optional[Mapping[str, int]] = None) -> None:
        identification = {
            "CAP_COMPUTE": registers.encode("CAP_COMPUTE", LANES=0, PORTS=2, COUNTERS=0),
            "CAP_LIMITS": registers.encode("CAP_LIMITS", SIDE=32, CLASSES=64, CHANNELS=512),
            "CAP_FC": registers.encode("CAP_FC", INPUTS=8192, BATCH=batch),
            "CAP_FMAP_ROWS": 2048,
            **(overrides or {}),
        }
        self.registers = RegisterFile(identification, self._on_write)
        self.mmio = Mmio(self.registers)
        self.dram = dram or Dram()
        self.limits = Limits.from_registers(self.registers)
        if self.limits.batch < 1:
            raise ValueError("a device takes batches of at least 1 image")
        self._memories = Memories(self.limits)
        self._busy = self._done = self._hang = False

    # The device's interface.

    def allocate(self, shape: Union[int, Tuple[int, ...]], dtype: Any) -> Buffer:
        return Buffer(self.dram, shape, dtype)

    def free_bytes(self) -> int:
        return self.dram.free_bytes

    def describe(self) -> Dict[str, Any]:
        return {
            "device": self.name,
            "simulates": "the accelerator's registers, programs and arithmetic; no cycles",
            "clock_mhz": self.clock_mhz,
            "batch": self.limits.batch,
            "memory_bytes": self.dram.size_bytes,
            "memory_free_bytes": self.dram.free_bytes,
        }

    # Faults, for tests.

    def stick(self, buffer: int, row: int, bit: int, value: int) -> None:
        """Stick a bit of a row of FMAP_A or FMAP_B at 0 or 1, from that buffer's next write on."""
        self._memories.stick(buffer, row, bit, value)

    def hang(self) -> None:
        """Let the next stage never end: BUSY stays 1 until CONTROL.RESET, which mends it."""
        self._hang = True

    def clear_faults(self) -> None:
        """Mend stuck bits, a hang to come, and the memory's faults."""
        self._memories.unstick()
        self._hang = False
        self.dram.clear_faults()

    # Register writes.

    def _on_write(self, name: str, value: int) -> None:
        if name == "CONTROL":
            action = registers.decode(name, value)
            if action["RESET"]:
                self._reset()
            elif action["RUN"]:
                self._start(SEQUENCER, self._run_program)
        elif name == "STAGE":
            kind = registers.decode(name, value)["KIND"]
            self._start(kind, lambda: self._stepped_stage(value))
        elif not (self._busy and name in registers.PROGRAMMABLE):
            self.registers.set(name, value)
        self._show_status()

    def _reset(self) -> None:
        self.registers.reset()
        self._memories.reset()
        self._busy = self._done = self._hang = False

    def _start(self, kind: int, action: Callable[[], None]) -> None:
        """Run a stage of `kind`, or a program, unless the accelerator stands or is busy."""
        if self.registers.get("ERROR"):
            return
        try:
            if self._busy:
                raise _Fault(registers.ERROR_BUSY, kind, NO_STEP)
            self._busy, self._done = True, False
            action()
        except _Hung:
            return
        except _Fault as fault:
            self.registers.set("ERROR", registers.encode(
                "ERROR", CODE=fault.code, STAGE=fault.stage, STEP=fault.step))
            self.registers.set("ERROR_ADDRESS", fault.address)
        else:
            self._done = True
        self._busy = False

    def _show_status(self) -> None:
        self.registers.set("STATUS", registers.encode(
            "STATUS", BUSY=self._busy, DONE=self._done,
            ERROR=self.registers.get("ERROR") != 0, LOADING=self._memories.parameter_words > 0))

    # The sequencer.

    def _stepped_stage(self, value: int) -> None:
        self.registers.set("STAGE", value)
        self._run_stage(NO_STEP)

    def _run_program(self) -> None:
        address, steps = self.registers.get("PROGRAM_ADDRESS"), self.registers.get("PROGRAM_STEPS")
        self.registers.set("STEP", 0)
        self.registers.set("STAGES", 0)
        for entry in range(registers.LOG_ENTRIES):
            self.registers.set("LOG_KIND", 0, entry)
        if address % BURST_BYTES:
            raise _Fault(registers.ERROR_ADDRESS, SEQUENCER, 0, address)
        if not 1 <= steps <= self.registers.fields("CAP_PROGRAM")["STEPS"]:
            raise _Fault(registers.ERROR_PROGRAM, SEQUENCER, 0,
                         registers.offset("PROGRAM_STEPS"))
        if self._memories.parameter_words:
            raise _Fault(registers.ERROR_LEFTOVER, SEQUENCER, 0)
        try:
            words = self.dram.read_words(address, -(-steps // BURST_WORDS) * BURST_WORDS)
        except AxiFault as fault:
            raise _Fault(registers.ERROR_READ, SEQUENCER, 0, fault.address) from None
        for step, word in enumerate(words[:steps].tolist()):
            self._take_step(step, word)
        if self._memories.parameter_words:
            raise _Fault(registers.ERROR_LEFTOVER, SEQUENCER, steps - 1)

    def _take_step(self, step: int, word: int) -> None:
        offset, value = word & 0xFFFFFFFF, word >> 32
        name = _PROGRAMMABLE.get(offset)
        if name is None:
            raise _Fault(registers.ERROR_PROGRAM, SEQUENCER, step, offset)
        self.registers.set(name, value)
        self.registers.set("STEP", step + 1)
        if name == "STAGE":
            self._run_stage(step)

    def _run_stage(self, step: int) -> None:
        """Run the stage that the registers hold, started by program step `step`."""
        if self._hang:
            raise _Hung
        stage = Stage.from_registers(self.registers)
        error = check(stage, self.limits)
        if error:
            address = stage.dma_address if error == registers.ERROR_ADDRESS else 0
            raise _Fault(error, stage.kind, step, address)
        try:
            if stage.kind == registers.LOAD:
                self._load(stage)
            elif stage.kind == registers.STORE:
                self._store(stage, step)
            else:
                self._compute(stage, step)
        except AxiFault as fault:
            code = registers.ERROR_READ if stage.kind == registers.LOAD else registers.ERROR_WRITE
            raise _Fault(code, stage.kind, step, fault.address) from None
        entry = self.registers.get("STAGES")
        if entry < registers.LOG_ENTRIES:
            self.registers.set("LOG_KIND", stage.kind, entry)
            self.registers.set("STAGES", entry + 1)

    # The stages.

    def _load(self, stage: Stage) -> None:
        words = self.dram.read_words(stage.dma_address, stage.dma_bytes // WORD_BYTES)
        if stage.moves_parameters:
            self._memories.append_parameters(words)
        else:
            self._memories.write_input(words)

    def _store(self, stage: Stage, step: int) -> None:
        count = stage.dma_bytes // WORD_BYTES
        if stage.moves_parameters:
            words = self._take_parameters(count, stage, step)
        else:
            words = self._memories.read_words(stage.source, count)
        self.dram.write_words(stage.dma_address, words)

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
            raise _Fault(registers.ERROR_UNDERRUN, stage.kind, step)
        return words
