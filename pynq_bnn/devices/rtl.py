"""The RTL device: the overlay's own gateware, cycle by cycle, under Verilator.

Register accesses go through the AXI slave, data through the AXI masters, into a memory that
gives at most `bytes_per_cycle` bytes a cycle and answers after `latency` cycles.
"""

from __future__ import annotations

import ctypes
import importlib
from dataclasses import replace
from typing import Any, Dict, Optional, Tuple, Union

from pynq_bnn import registers
from pynq_bnn.devices import Device
from pynq_bnn.devices.simulated.buffer import Buffer
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.errors import DeviceError

LATENCY = 40
BYTES_PER_CYCLE = 16
RESPONSES = {"SLVERR": 2, "DECERR": 3}
CYCLES_BETWEEN_POLLS = 1_000_000
"""A poll of STATUS lets so many cycles pass first, or as many as the accelerator stays busy."""


class RtlDevice(Device):
    """The gateware, simulated.

    Parameters
    ----------
    small : bool
        The small configuration of quick tests instead of the full one.
    latency, bytes_per_cycle : int
        The memory: cycles before a burst is answered; bytes that all ports together move in one.
    irregular : int, optional
        Seed of a memory whose ports behave as real ones may: gaps between beats, long lows of every
        READY, late write responses, refresh pauses (overlays/simulation/harness.cpp says how long).
    ports : int, optional
        AXI HP ports, 1, 2 or 4, instead of those of the configuration.

    Raises
    ------
    DeviceError
        If Amaranth, Verilator or a compiler is missing; says what to install.
    """

    name = "rtl"

    def __init__(self, small: bool = False, latency: int = LATENCY,
                 bytes_per_cycle: int = BYTES_PER_CYCLE, irregular: Optional[int] = None,
                 ports: Optional[int] = None) -> None:
        try:
            self._library = self._simulation(small, ports)
        except ImportError as error:
            raise DeviceError(f"the {self.name} device needs {error.name}: "
                              "pip install '.[rtl]' in the project's folder") from error
        except RuntimeError as error:
            raise DeviceError(str(error)) from error
        self.latency, self.bytes_per_cycle = latency, bytes_per_cycle
        self.dram = Dram()
        data = self.dram.memory.ctypes.data_as(ctypes.c_void_p)
        self._handle: Optional[int] = self._library.bnn_create(
            data, self.dram.size_bytes, self.dram.base, latency, bytes_per_cycle)
        if irregular is not None:
            self._library.bnn_irregular(self._handle, irregular)
        self.irregular = irregular
        self.mmio = RtlMmio(self._library, self._handle)

    def _simulation(self, small: bool, ports: Optional[int]) -> Any:
        """The library of what is simulated, with the harness's functions."""
        simulation = importlib.import_module("overlays.simulation.library")
        config = importlib.import_module("overlays.gateware.config")
        self.config = config.SMALL if small else config.FULL
        if ports is not None:
            self.config = replace(self.config, ports=ports)
        return simulation.library(self.config)

    def allocate(self, shape: Union[int, Tuple[int, ...]], dtype: Any) -> Buffer:
        return Buffer(self.dram, shape, dtype)

    def free_bytes(self) -> int:
        return self.dram.free_bytes

    def describe(self) -> Dict[str, Any]:
        return {
            "device": self.name,
            "simulates": "the gateware, cycle by cycle (Verilator)",
            "clock_mhz": self.clock_mhz,
            "lanes": self.config.lanes,
            "memory_latency_cycles": self.latency,
            "memory_bytes_per_cycle": self.bytes_per_cycle,
            "memory_irregular": self.irregular,
            "cycles_simulated": self.cycles,
        }

    @property
    def cycles(self) -> int:
        """Clock cycles since the device was opened, as the simulator counts them."""
        return int(self._library.bnn_cycles(self._handle))

    @property
    def bytes_read(self) -> int:
        """DMA bytes read since the device was opened."""
        return int(self._library.bnn_bytes_read(self._handle))

    @property
    def bytes_written(self) -> int:
        """DMA bytes written since the device was opened."""
        return int(self._library.bnn_bytes_written(self._handle))

    def fail(self, address: int, count: int = 1, on: str = "read",
             response: str = "SLVERR") -> None:
        """Let the memory answer accesses to `count` words from `address` with an error."""
        self._library.bnn_fail(self._handle, address, 8 * count, on == "write",
                               RESPONSES[response])

    def clear_faults(self) -> None:
        """Mend the memory."""
        self._library.bnn_clear_faults(self._handle)

    def leave_stale(self, beats: int, responses: int) -> None:
        """Leave what somebody else asked for: beats in each read port, write responses."""
        self._library.bnn_stale(self._handle, beats, responses)

    def silence(self, silent: bool = True) -> None:
        """Let the memory answer nothing any more, or all that it owes."""
        self._library.bnn_silence(self._handle, silent)

    def reset_fabric(self, cycles: int = 8) -> None:
        """FCLK_RESET0_N: the accelerator begins anew, the memory's ports know nothing of it."""
        self._library.bnn_reset(self._handle, cycles)

    def let_pass(self, cycles: int) -> None:
        """Let so many cycles pass, whatever the accelerator does."""
        self._library.bnn_pass(self._handle, cycles)

    def run(self, cycles: int) -> int:
        """Let at most so many cycles pass, fewer if the accelerator gets idle; how many did."""
        return int(self._library.bnn_run(self._handle, cycles))

    def close(self) -> None:
        if self._handle is not None:
            self._library.bnn_destroy(self._handle)
            self._handle = None
            self.mmio.close()


class RtlMmio:
    """PYNQ's mmio over the simulated GP0 port; counts its accesses.

    A broken AXI rule, seen by the harness in any cycle so far, is an error at the next access.
    """

    def __init__(self, library: ctypes.CDLL, handle: int) -> None:
        self._library: Any = library
        self._handle: Optional[int] = handle
        self.reads = self.writes = 0

    @property
    def accesses(self) -> int:
        return self.reads + self.writes

    def read(self, offset: int) -> int:
        """Read a register; polling STATUS lets the accelerator run on first."""
        handle = self._open()
        self.reads += 1
        if offset == registers.offset("STATUS"):
            self._library.bnn_run(handle, CYCLES_BETWEEN_POLLS)
        value = ctypes.c_uint32()
        self._judge(self._library.bnn_read(handle, registers.BASE_ADDRESS + offset,
                                           ctypes.byref(value)), offset)
        return value.value

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self.writes += 1
        self._judge(self._library.bnn_write(self._open(), registers.BASE_ADDRESS + offset,
                                            value), offset)

    def _open(self) -> int:
        if self._handle is None:
            raise DeviceError("this RTL device was closed: open a new one")
        return self._handle

    def _judge(self, response: int, offset: int) -> None:
        complaint = self._library.bnn_complaint(self._handle).decode()
        if complaint:
            raise DeviceError(f"the gateware broke a rule of AXI: {complaint}")
        if response < 0:
            raise DeviceError(f"no answer to an access to register offset 0x{offset:03X}")
        if response:
            raise DeviceError(f"bus fault: register offset 0x{offset:03X} is outside the window or "
                              "not a multiple of 4")

    def close(self) -> None:
        """Forget the simulation."""
        self._handle = None
