"""engine.c as a library: compiled when first used, by this machine's compiler for its processor.

It is kept in the user's cache under a hash of the source, the flags, the compiler's version and
what the processor can, so that a home directory shared by several machines holds one for each.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import List, Optional

from pynq_bnn.cache import cache

log = logging.getLogger(__name__)

SOURCE, HEADER = (Path(__file__).with_name(name) for name in ("engine.c", "counting.h"))
FLAGS = ("-O2", "-ftree-vectorize", "-funroll-loops", "-std=c99", "-shared", "-fPIC")
"""Not -O3: GCC 12 then takes the loops over eight outputs apart before it could vectorise them, and
the engine is less than half as fast."""
FOR_THIS_PROCESSOR = (("-march=native",), ())
"""The first that the compiler takes; some don't know the first."""
WITH_NEON = (("-march=native", "-mfpu=neon"), ("-mfpu=neon",))
"""Before these, where 32-bit ARM has it: compilers there don't use it unless told to."""
COMPILERS = ("cc", "gcc", "clang")
COMPILE_S = 120.0
CPUINFO = Path("/proc/cpuinfo")
AUXILIARY = Path("/proc/self/auxv")
HWCAP, HWCAP_NEON = 16, 1 << 12
"""Of the kernel's auxiliary vector: what a 32-bit ARM can, and the bit for NEON."""


def library() -> Optional[ctypes.CDLL]:
    """The library; None where there is no C compiler, or it fails (the log says why)."""
    compiler = find_compiler()
    if compiler is None:
        log.info("no C compiler (%s): numpy computes instead", ", ".join(COMPILERS))
        return None
    for extra in (*(WITH_NEON if _has_neon() else ()), *FOR_THIS_PROCESSOR):
        path = cache() / f"bnn-cpu-{_digest(compiler, extra)}.so"
        try:
            if not path.is_file():
                _compile([compiler, *FLAGS, *extra], path)
            return ctypes.CDLL(str(path))
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", b"") or b""
            log.info("%s %s: %s %s", compiler, " ".join(extra), error,
                     said.decode(errors="replace")[-500:])
    return None


def source_hash() -> str:
    """SHA-256, in hex, of what is compiled."""
    return hashlib.sha256(SOURCE.read_bytes() + HEADER.read_bytes()).hexdigest()


def find_compiler() -> Optional[str]:
    """The C compiler that CC names, or the first of COMPILERS that is there."""
    asked = os.environ.get("CC")
    for name in (asked,) if asked else COMPILERS:
        found = shutil.which(name)
        if found:
            return found
    return None


def _has_neon() -> bool:
    """Whether this is a 32-bit ARM with NEON; all Zynq are."""
    if ctypes.sizeof(ctypes.c_void_p) != 4 or not platform.machine().startswith(("arm", "aarch64")):
        return False
    try:
        content = AUXILIARY.read_bytes()
    except OSError:
        return False
    pairs = struct.iter_unpack("=II", content[:len(content) // 8 * 8])
    return any(kind == HWCAP and value & HWCAP_NEON for kind, value in pairs)


def _digest(compiler: str, extra: "tuple[str, ...]") -> str:
    version = subprocess.run([compiler, "--version"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=COMPILE_S).stdout
    about = [source_hash().encode(), repr((FLAGS, extra)).encode(), version, _processor().encode()]
    return hashlib.sha256(b"\0".join(about)).hexdigest()[:16]


def _processor() -> str:
    """What it is and can: a library for another would end in an illegal instruction."""
    wanted = ("model name", "flags", "features", "cpu part", "hardware")
    lines: List[str] = [platform.machine()]
    try:
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.split(":")[0].strip().lower() in wanted and line not in lines:
                lines.append(line)
    except OSError:
        lines.append(platform.processor())
    return "\n".join(lines)


def _compile(command: List[str], path: Path) -> None:
    """Beside its place first: another process may be about to open it."""
    log.info("compiling %s", path.name)
    with tempfile.TemporaryDirectory(dir=str(path.parent)) as folder:
        made = Path(folder) / path.name
        subprocess.run([*command, f"-I{HEADER.parent}", str(SOURCE), "-o", str(made)], check=True,
                       timeout=COMPILE_S, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        made.replace(path)
