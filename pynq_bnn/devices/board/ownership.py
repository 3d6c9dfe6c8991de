"""One process at a time: a lock file, held from opening a board's accelerator to closing it.

Two notebook kernels would download over each other's runs; the second gets an error that names the
first.  The lock is the kernel's (flock), so it goes with its process, however that ends.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any, Optional

from pynq_bnn.errors import BusyError

_FOLDER = Path("/run/lock")
LOCK = (_FOLDER if _FOLDER.is_dir() else Path(tempfile.gettempdir())) / "pynq_bnn.lock"

_guard = threading.RLock()
_file: Optional[int] = None
_claims = 0


class Claim:
    """A share in this process's right to the accelerator; given back by :meth:`release`.

    It is given back with `owner` too, when that is dropped.

    Raises
    ------
    BusyError
        If another process has the accelerator; it names the process.
    """

    def __init__(self, owner: Any) -> None:
        _take()
        self._finalizer = weakref.finalize(owner, _give_back)

    def release(self) -> None:
        """Give it back; a second call does nothing."""
        self._finalizer()


def _take() -> None:
    global _file, _claims
    import fcntl  # not on Windows, where there are no boards either

    with _guard:
        if _file is None:
            file = os.open(str(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(file, 32).decode("ascii", "replace").strip()
                os.close(file)
                raise BusyError(
                    f"the accelerator is in use by process {holder or 'unknown'}"
                    f"{_command(holder)}: close its classifier and overlay, or shut its notebook "
                    "kernel down (Jupyter: Running, Shutdown)") from None
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)
            _file = file
        _claims += 1


def _give_back() -> None:
    global _file, _claims
    with _guard:
        if _file is None:  # a forked child, which has none
            return
        _claims -= 1
        if _claims == 0:
            import fcntl

            fcntl.flock(_file, fcntl.LOCK_UN)
            os.close(_file)
            _file = None


def _forget() -> None:
    """In a forked child: the lock stays its parent's, and the child has no claims."""
    global _file, _claims, _guard
    _guard = threading.RLock()
    if _file is not None:
        os.close(_file)  # not unlocked: that would unlock the parent's
    _file, _claims = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _command(process: str) -> str:
    """What a process is called, for a person."""
    try:
        words = Path(f"/proc/{int(process)}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return ""
    return f" ({b' '.join(words).decode('utf-8', 'replace').strip()[:80]})"
