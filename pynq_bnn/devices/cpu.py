"""The computer's processor as a device: XNOR and popcount, no registers, no shared memory."""

from __future__ import annotations

import platform
from typing import Any, Dict, Optional, Tuple, Union

from pynq_bnn.cpu.accelerator import CpuAccelerator
from pynq_bnn.devices import Device
from pynq_bnn.errors import DeviceError


class CpuDevice(Device):
    """The processor.

    Parameters
    ----------
    threads : int, optional
        Most threads; without it, one for each processor that this process may use.
    compiled : bool
        False: numpy, even where there is a C compiler.
    """

    name = "cpu"

    def __init__(self, threads: Optional[int] = None, compiled: bool = True) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"{threads} threads: at least 1")
        self.threads, self.compiled = threads, compiled

    def open_accelerator(self, timeout_s: float) -> Any:
        return CpuAccelerator(self, timeout_s)

    def allocate(self, shape: Union[int, Tuple[int, ...]], dtype: Any) -> Any:
        raise DeviceError("the cpu device has no memory of its own: numpy's arrays will do")

    def free_bytes(self) -> Optional[int]:
        return None

    def describe(self) -> Dict[str, Any]:
        from pynq_bnn.cpu.library import library

        return {"device": self.name, "machine": platform.machine(),
                "computes": "engine.c" if self.compiled and library() else "numpy",
                "threads": self.threads or "one a processor"}
