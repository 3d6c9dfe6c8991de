"""Where what is compiled when first used is kept: one folder of the user's."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

try:
    import fcntl
except ImportError:  # not a Unix: two processes may then make the same, and the last one wins
    fcntl = None  # type: ignore[assignment]


def cache() -> Path:
    """The folder, made if it isn't there: below XDG_CACHE_HOME, else ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "pynq-bnn"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """While a file of the folder is looked for and made: others who want it wait for it."""
    with open(path.with_suffix(".lock"), "w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
