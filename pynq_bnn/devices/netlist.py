"""The netlist device: what synthesis made, or what was read back from a bitstream, cycle by cycle.

It stands where the RTL device does, behind the same memory and the same checks of AXI.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Dict, Optional, Union

from pynq_bnn.devices.rtl import BYTES_PER_CYCLE, LATENCY, RtlDevice


class NetlistDevice(RtlDevice):
    """A circuit of the FPGA's primitives, simulated.

    Parameters
    ----------
    path : path
        A circuit, as ``overlays.simulation.circuit_file`` writes it.
    latency, bytes_per_cycle, irregular
        The memory, as for :class:`RtlDevice`.

    Raises
    ------
    DeviceError
        If there is no such circuit, or no compiler for the simulator.
    """

    name = "netlist"

    def __init__(self, path: Union[str, Path], latency: int = LATENCY,
                 bytes_per_cycle: int = BYTES_PER_CYCLE, irregular: Optional[int] = None) -> None:
        self.path = Path(path)
        super().__init__(latency=latency, bytes_per_cycle=bytes_per_cycle, irregular=irregular)

    def _simulation(self, small: bool, ports: Optional[int]) -> Any:
        return importlib.import_module("overlays.simulation.netlist_library").NetlistLibrary(
            self.path)

    def describe(self) -> Dict[str, Any]:
        return {
            "device": self.name,
            "simulates": f"the circuit {self.path}, cycle by cycle",
            "clock_mhz": self.clock_mhz,
            "memory_latency_cycles": self.latency,
            "memory_bytes_per_cycle": self.bytes_per_cycle,
            "memory_irregular": self.irregular,
            "cycles_simulated": self.cycles,
        }
