"""Writing on an output that may know no ÷, belong to a program that left, or be full."""

from __future__ import annotations

import contextlib
import os
from typing import Optional, TextIO

from host_ref.errors import printable


def write(text: str, stream: Optional[TextIO]) -> None:
    """Write lines of text, escaping what the stream's encoding lacks or would drive a terminal.

    Raises
    ------
    OSError
        If it can't be written; the stream then leads nowhere.
    """
    if stream is None:  # closed before Python started
        return
    encoding = stream.encoding or "utf-8"
    safe = "\n".join(map(printable, text.split("\n")))
    try:
        stream.write(safe.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except OSError:
        _abandon(stream)
        raise


def _abandon(stream: TextIO) -> None:
    """So that Python does not try the rest again when it ends, which would change the exit code."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
