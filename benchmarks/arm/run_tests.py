"""The tests on the emulated Cortex-A9: ``python benchmarks/arm/run_tests.py [pytest's options]``.

Debian 12's Python 3.11 and numpy 1.24, 32-bit; PYNQ's images have Python 3.8 or 3.10 and older
numpy, of which Debian has no packages.  It takes an hour or more of one core: emulated, Python is
about eight times slower and numpy seventeen.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent))

import emulator

PYNQ = ("pynq==3.1.2", "pynqmetadata==0.2.0", "pynqutils==0.1.3")
"""Pure Python as far as it is needed here, though some come as sources only."""
WHEELS = ("pytest", "ipython<9", "pydantic>=2", "jsonschema>=3.2", "grpcio==1.64.0",
          "protobuf>=5.26,<6", "nest_asyncio", "tqdm", "python-magic", "setuptools<=80")
"""pytest, and what pynq imports that Debian's packages in the emulator don't bring."""
PLATFORMS = ("manylinux_2_31_armv7l", "manylinux_2_17_armv7l", "manylinux2014_armv7l",
             "linux_armv7l")
TESTS = ("tests/pynq_bnn", "tests/host_ref", "tests/pynq_sim")
LEFT_OUT = ("--ignore=tests/host_ref/training", "--ignore-glob=*test_rtl*")
"""PyTorch and Verilator don't run here."""


def packages() -> Path:
    """The folder with pytest and pynq for the emulated Python, filled once."""
    made = emulator.BUILD / "packages"
    if made.exists():
        return made
    partial = emulator.BUILD / "packages.partial"
    shutil.rmtree(partial, ignore_errors=True)
    print("downloading pytest and pynq", file=sys.stderr)
    _install(partial, ["--no-deps", *PYNQ])
    shutil.rmtree(partial / "tests")  # pynq's, under a name that is ours
    _install(partial, ["--only-binary=:all:", "--implementation=cp", "--abi=cp311",
                       "--python-version=3.11",
                       *(f"--platform={platform}" for platform in PLATFORMS), *WHEELS])
    partial.rename(made)
    return made


def _install(folder: Path, arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install",
               "--target", str(folder), *arguments]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"pip can't get {arguments[-1]} and what comes before it: see above")


def main(options: List[str]) -> int:
    """Run pytest; its exit code."""
    emulator.require_tools()
    python = emulator.launcher([packages(), emulator.PROJECT])
    chosen = [] if any(option.startswith("tests") for option in options) else TESTS
    return subprocess.run([str(python), "-m", "pytest", "-p", "no:cacheprovider", "-m", "not slow",
                           *LEFT_OUT, *chosen, *options], cwd=str(emulator.PROJECT),
                          env={name: value for name, value in os.environ.items()
                               if not name.startswith("PYTHON")}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
