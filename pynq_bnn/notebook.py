"""Notebooks keep every value that a cell shows; what holds a device must not be kept so."""

from __future__ import annotations

import sys
from typing import Any


def forget(shown: Any) -> None:
    """Let IPython's ``Out``, ``_`` and ``_3`` hold the text of `shown`, and not `shown` itself.

    Otherwise ``classifier`` as the last line of a cell keeps that classifier's device memory until
    the kernel ends, though the name was given to another since.  Outside IPython nothing happens.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return
    text = repr(shown)
    shell.events.register("post_run_cell", _AfterTheCell(shell, shown, text))


class _AfterTheCell:
    """What is called when the cell has ended, once."""

    def __init__(self, shell: Any, shown: Any, text: str) -> None:
        self._shell, self._shown, self._text = shell, shown, text

    def __call__(self, result: Any = None) -> None:
        shell, shown, text = self._shell, self._shown, self._text
        shell.events.unregister("post_run_cell", self)
        self._shown = None
        history = shell.user_ns.get("_oh", {})
        for number in [number for number, value in history.items() if value is shown]:
            history[number] = text
        for names in (shell.user_ns, shell.user_ns_hidden):
            for name in [name for name, value in names.items() if value is shown]:
                if not name.strip("_") or (name[0] == "_" and name[1:].isdigit()):
                    names[name] = text
        hook = shell.displayhook
        for name in ("_", "__", "___"):
            if getattr(hook, name, None) is shown:
                setattr(hook, name, text)
        if getattr(result, "result", None) is shown:
            result.result = text
