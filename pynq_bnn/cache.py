"""Where what is compiled when first used is kept: one folder of the user's."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """The folder, made if it isn't there: below XDG_CACHE_HOME, else ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "pynq-bnn"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
