"""The model device: its registers, and what a write to them starts.

Register-exact and bit-exact after docs/contract.md, not cycle-accurate: a stage or a program runs
to its end within the register write that starts it, and all cycle counters read 0.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Union

from pynq_bnn import registers
from pynq_bnn.devices import Device
from pynq_bnn.devices.model.memories import Memories
from pynq_bnn.devices.model.register_file import Mmio, RegisterFile
from pynq_bnn.devices.model.sequencer import SEQUENCER, Fault, Hung, Sequencer
from pynq_bnn.devices.model.stages import Limits
from pynq_bnn.devices.simulated.buffer import Buffer
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.registers import MAX_CHANNELS, MAX_CLASSES, MAX_FC_INPUTS, MAX_SIDE, NO_STEP


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
            "CAP_LIMITS": registers.encode("CAP_LIMITS", SIDE=MAX_SIDE, CLASSES=MAX_CLASSES,
                                            CHANNELS=MAX_CHANNELS),
            "CAP_FC": registers.encode("CAP_FC", INPUTS=MAX_FC_INPUTS, BATCH=batch),
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
        self._sequencer = Sequencer(self.registers, self._memories, self.dram, self.limits)
        self._busy = self._done = False

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
        self._sequencer.hang = True

    def clear_faults(self) -> None:
        """Mend stuck bits, a hang to come, and the memory's faults."""
        self._memories.unstick()
        self._sequencer.hang = False
        self.dram.clear_faults()

    # Register writes.

    def _on_write(self, name: str, value: int) -> None:
        if name == "CONTROL":
            action = registers.decode(name, value)
            if action["RESET"]:
                self._reset()
            elif action["RUN"]:
                self._start(SEQUENCER, self._sequencer.run_program)
        elif name == "STAGE":
            kind = registers.decode(name, value)["KIND"]
            self._start(kind, lambda: self._sequencer.run_stage(value))
        elif not (self._busy and name in registers.PROGRAMMABLE):
            self.registers.set(name, value)
        self._show_status()

    def _reset(self) -> None:
        self.registers.reset()
        self._memories.reset()
        self._sequencer.forget_parameters()
        self._busy = self._done = self._sequencer.hang = False

    def _start(self, kind: int, action: Callable[[], None]) -> None:
        """Run a stage of `kind`, or a program, unless the accelerator stands or is busy."""
        if self.registers.get("ERROR"):
            return
        try:
            if self._busy:
                raise Fault(registers.ERROR_BUSY, kind, NO_STEP)
            self._busy, self._done = True, False
            action()
        except Hung:
            return
        except Fault as fault:
            self.registers.set("ERROR", registers.encode(
                "ERROR", CODE=fault.code, STAGE=fault.stage, STEP=fault.step))
            self.registers.set("ERROR_ADDRESS", fault.address)
            self._sequencer.forget_parameters()
        else:
            self._done = True
        self._busy = False

    def _show_status(self) -> None:
        self.registers.set("STATUS", registers.encode(
            "STATUS", BUSY=self._busy, DONE=self._done,
            ERROR=self.registers.get("ERROR") != 0, LOADING=self._sequencer.loading,
            DRAINING=0))
