"""An emulated Cortex-A9 with Debian's Python, numpy and Pillow, made below ``build/arm``.

Debian 12's own tools do it: packages of the architecture armhf are downloaded under an apt state of
their own, so that this machine's package list stays as it is, and are unpacked, not installed.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Sequence

PROJECT = Path(__file__).resolve().parent.parent.parent
BUILD = PROJECT / "build" / "arm"
PLUGIN = Path(__file__).with_name("count_instructions.c")
CPU = "cortex-a9"
COMPILER = "arm-linux-gnueabihf-gcc"
"""What the emulated Python compiles engine.c with; it is not emulated itself."""
PACKAGES = ("python3-minimal", "python3-numpy", "python3-pil", "python3-distutils", "python3-cffi")
"""The last two are for the real pynq in the tests."""
LIBRARIES = "usr/lib/arm-linux-gnueabihf"
LINKS = (("libblas.so.3", "blas/libblas.so.3"), ("liblapack.so.3", "lapack/liblapack.so.3"))
"""What an installed package's own script would have linked."""


def require_tools() -> None:
    """Have every program that is needed: as root they are installed, else we say how."""
    for program, package in (("qemu-arm", "qemu-user"), ("gcc", "gcc"), ("dpkg", "dpkg"),
                             ("apt-get", "apt"),
                             (COMPILER, "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross")):
        if shutil.which(program) is None:
            _install(program, package)


def _install(program: str, packages: str) -> None:
    advice = f"{program} is missing: sudo apt install {packages} (on Debian 12)"
    if os.geteuid() or shutil.which("apt-get") is None:
        sys.exit(advice)
    for command in (["update"],
                    ["install", "-y", "--no-install-recommends", *packages.split()]):
        subprocess.run(["apt-get", "-qq", *command], stdout=subprocess.DEVNULL, check=False)
    if shutil.which(program) is None:
        sys.exit(advice)


def plugin() -> Path:
    """The plugin, compiled."""
    BUILD.mkdir(parents=True, exist_ok=True)
    library = BUILD / "count_instructions.so"
    _run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", str(library), str(PLUGIN)],
         "the plugin can't be compiled")
    return library


def root() -> Path:
    """The directory with the emulated machine's files: 37 MB to download, once."""
    made = BUILD / f"root-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:8]}"
    if made.exists():
        return made
    apt, unpacked = BUILD / "apt", BUILD / "root.unpacked"
    for old in (apt, unpacked):
        shutil.rmtree(old, ignore_errors=True)
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()  # nothing is installed there, so that all that is needed comes
    settings = {"APT::Architecture": "armhf", "APT::Architectures": "armhf",
                "APT::Sandbox::User": "root", "Dir::State": apt, "Dir::State::lists": apt / "lists",
                "Dir::State::status": apt / "status", "Dir::Cache": apt / "cache"}
    get = ["apt-get", "-qq"]
    for name, value in settings.items():
        get += ["-o", f"{name}={value}"]
    print(f"downloading {', '.join(PACKAGES)} and what they need, for armhf", file=sys.stderr)
    # other sources of this machine may lack the architecture: what counts is what comes next
    subprocess.run([*get, "update"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=False)
    _run([*get, "-y", "--no-install-recommends", "--download-only", "install", *PACKAGES],
         "Debian 12's packages for armhf can't be downloaded (are its sources in /etc/apt?)")
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(unpacked)], f"{package.name} can't be unpacked")
    for name, target in LINKS:
        link = unpacked / LIBRARIES / name
        if not link.exists():
            link.symlink_to(target)
    unpacked.rename(made)
    shutil.rmtree(apt)
    return made


def python(arguments: Sequence[str]) -> subprocess.CompletedProcess:
    """Run the emulated Python with the plugin."""
    # PYTHONHASHSEED and an environment of its own: the same counts always
    environment = {**_environment([PROJECT]), "PYTHONHASHSEED": "0"}
    command = [*_emulator(), "-plugin", str(plugin()), str(_interpreter()), *arguments]
    return subprocess.run(command, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def launcher(paths: Sequence[Path]) -> Path:
    """A script that is the emulated Python to whoever runs it, also to itself.

    What it runs has the script's path as ``sys.executable``, so that tests can start processes.
    """
    variables = _environment(paths)
    search = variables.pop("PYTHONPATH")
    lines = ["#!/bin/sh", *(f"export {name}={shlex.quote(value)}"
                            for name, value in variables.items()),
             # a test may set its own
             f'export PYTHONPATH="${{PYTHONPATH:-{search}}}"',
             f'exec {shlex.join(_emulator())} -0 "$0" {shlex.quote(str(_interpreter()))} "$@"']
    script = BUILD / "python"
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)
    return script


def _emulator() -> List[str]:
    return [shutil.which("qemu-arm") or "qemu-arm", "-cpu", CPU, "-L", str(root())]


def _interpreter() -> Path:
    # versions as in Debian 12
    interpreter = root() / "usr/bin/python3.11"
    if not interpreter.exists():
        sys.exit(f"{interpreter} is missing: the packages are not Debian 12's; this wants Debian "
                 f"12. Then delete {root()}")
    return interpreter


def _environment(paths: Sequence[Path]) -> Dict[str, str]:
    """For the emulated Python; it finds `paths` after Debian's packages."""
    files = root()
    search = [files / "usr/lib/python3/dist-packages", *paths]
    return {"PYTHONHOME": str(files / "usr"), "PYTHONPATH": ":".join(map(str, search)),
            "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8",
            "PATH": os.environ["PATH"], "CC": COMPILER, "XDG_CACHE_HOME": str(BUILD / "cache"),
            # libjpeg-turbo asks /proc/cpuinfo for NEON, and would find the host's there
            "JSIMD_FORCENEON": "1"}


def _run(command: Sequence[str], trouble: str) -> None:
    """Run it, or end with one message."""
    result = subprocess.run(command, text=True, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, check=False)
    if result.returncode:
        sys.exit(f"{trouble}: {' '.join(result.stderr.split())}")
