"""A device that is done at once, so that only the host's side of a classification is left."""

from __future__ import annotations

import math
from typing import Any, Dict, Tuple, Union

import numpy as np

from pynq_bnn import registers
from pynq_bnn.devices import Device, open_device

FIRST_ADDRESS = 0x1000_0000
MEMORY_BYTES = 32 << 20
ALIGNMENT = 4096

_STAGE, _BUFFERS, _DMA_ADDRESS, _DMA_BYTES = map(
    registers.offset, ("STAGE", "BUFFERS", "DMA_ADDRESS", "DMA_BYTES"))


class StandIn(Device):
    """The model's identification, plain memory, and registers that take anything and say DONE.

    It computes nothing.  Parameters alone come back as they were sent, because the driver reads
    them back when it loads a network.
    """

    name = "model"

    def __init__(self) -> None:
        self._memory = np.zeros(MEMORY_BYTES + ALIGNMENT, np.uint8).view(Buffer)
        self._memory.start = _pointer(self._memory)
        self._used = -self._memory.start % ALIGNMENT
        with open_device("model") as model:
            values = {offset: model.mmio.read(offset) for offset, register, _ in registers.words()
                      if register.offset < registers.offset("CONTROL")}
        values[registers.offset("STATUS")] = registers.encode("STATUS", DONE=1)
        self.mmio = Registers(values, self._memory)

    def allocate(self, shape: Union[int, Tuple[int, ...]], dtype: Any) -> Buffer:
        sides = np.atleast_1d(shape).tolist()
        size = math.prod(sides) * np.dtype(dtype).itemsize
        first, self._used = self._used, self._used + -(-size // ALIGNMENT) * ALIGNMENT
        if self._used > len(self._memory):
            raise MemoryError(f"the stand-in has {MEMORY_BYTES} bytes, and takes none back")
        return self._memory[first:first + size].view(dtype).reshape(sides)

    def free_bytes(self) -> int:
        return len(self._memory) - self._used

    def describe(self) -> Dict[str, Any]:
        return {"device": self.name}


class Buffer(np.ndarray):
    """Memory with the interface of PYNQ's buffers; its cache needs no care."""

    start = 0

    def __array_finalize__(self, parent: Any) -> None:
        self.start = getattr(parent, "start", 0)

    @property
    def device_address(self) -> int:
        return FIRST_ADDRESS + _pointer(self) - self.start

    def flush(self) -> None:
        pass

    def invalidate(self) -> None:
        pass

    def freebuffer(self) -> None:
        pass


class Registers:
    """An access costs one call of Python, as short as can be."""

    def __init__(self, values: Dict[int, int], memory: Buffer) -> None:
        self._values, self._memory = values, memory
        self._parameters = 0

    def read(self, offset: int) -> int:
        return self._values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self._values[offset] = value
        if offset == _STAGE:
            self._move(value)

    def _move(self, stage: int) -> None:
        """Load parameters, or store the next piece of them: a copy from there to here."""
        kind = registers.decode("STAGE", stage)["KIND"]
        buffers = registers.decode("BUFFERS", self._values[_BUFFERS])
        place = self._values.get(_DMA_ADDRESS, 0) - FIRST_ADDRESS
        size = self._values.get(_DMA_BYTES, 0)
        if kind == registers.LOAD and buffers["TARGET"] == registers.PARAMS:
            self._parameters = place
        elif kind == registers.STORE and buffers["SOURCE"] == registers.PARAMS:
            self._memory[place:place + size] = (
                self._memory[self._parameters:self._parameters + size])
            self._parameters += size


def _pointer(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]
