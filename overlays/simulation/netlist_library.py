"""The interpreter of circuits as a shared library: alone, or under the harness."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Union

from overlays.simulation import circuit_file, library
from overlays.simulation.circuit import Circuit, CircuitError
from overlays.simulation.library import HARNESS, SimulationUnavailable
from overlays.simulation.ps7 import PORTS
from pynq_bnn.cache import cache

log = logging.getLogger(__name__)
SOURCES = Path(__file__).with_name("netlist")


def _built() -> Path:
    """The library, built if it isn't in the cache: a few seconds."""
    digest = hashlib.sha256()
    for path in [HARNESS, *sorted(SOURCES.iterdir())]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    made = cache() / f"bnn-netlist-{digest.hexdigest()[:16]}.so"
    if not made.is_file():
        if not shutil.which("g++"):
            raise SimulationUnavailable("the simulation of a netlist needs a C++ compiler: "
                                        "sudo apt install g++")
        log.info("building the netlist simulation %s", made.name)
        partial = made.with_suffix(f".{os.getpid()}")
        # the harness finds these headers in place of Verilator's
        library._run(["g++", "-O3", "-fPIC", "-std=c++20", f"-DPORTS={PORTS}", f"-I{SOURCES}",
                      "-shared", "-o", str(partial), str(SOURCES / "circuit.cpp"), str(HARNESS)])
        partial.replace(made)
    return made


def _declared() -> ctypes.CDLL:
    found = library._declare(ctypes.CDLL(str(_built())))
    handle, u64, text = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p
    signatures = {
        "circuit_create": (handle, [text]),
        "circuit_destroy": (None, [handle]),
        "circuit_error": (text, []),
        "circuit_set": (ctypes.c_int, [handle, text, u64]),
        "circuit_get": (ctypes.c_int, [handle, text, ctypes.POINTER(u64)]),
        "circuit_clock": (None, [handle, u64]),
        "circuit_choose": (None, [text]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


class NetlistLibrary:
    """What :func:`overlays.simulation.library.library` gives, for the circuit in a file.

    Parameters
    ----------
    path : path
        As :func:`overlays.simulation.circuit_file.write` wrote it.

    Raises
    ------
    CircuitError
        If it is no such file.
    SimulationUnavailable
        If there is no C++ compiler.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        self._path = str(path).encode()
        self._library: Any = _declared()
        handle = self._library.circuit_create(self._path)
        if not handle:
            raise CircuitError(f"{path}: {self._library.circuit_error().decode()}")
        self._library.circuit_destroy(handle)

    def bnn_create(self, *arguments: Any) -> Any:
        """As the function of the harness."""
        # all circuits share one library, so each is chosen as it is made
        self._library.circuit_choose(self._path)
        return self._library.bnn_create(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)


class Simulator:
    """A circuit on its own: set its ports, let its clock rise, look at its ports."""

    def __init__(self, circuit: Circuit) -> None:
        self._library: Any = _declared()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "circuit"
            circuit_file.write(circuit, path)
            self._handle = self._library.circuit_create(str(path).encode())
        if not self._handle:
            raise CircuitError(self._library.circuit_error().decode())

    def set(self, **values: int) -> None:
        """Set input ports."""
        for name, value in values.items():
            if not self._library.circuit_set(self._handle, name.encode(), value):
                raise CircuitError(f"there is no input port {name}")

    def get(self, name: str) -> int:
        """A port's value now."""
        value = ctypes.c_uint64()
        if not self._library.circuit_get(self._handle, name.encode(), ctypes.byref(value)):
            raise CircuitError(f"there is no port {name}")
        return value.value

    def clock(self, cycles: int = 1) -> None:
        """Let the clock rise so often."""
        self._library.circuit_clock(self._handle, cycles)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.circuit_destroy(self._handle)
            self._handle = None
