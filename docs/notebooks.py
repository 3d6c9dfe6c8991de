"""Run the notebooks and keep what they show: ``python docs/notebooks.py [NAME...]``.

On the model device, each in a kernel of its own.  Times in outputs are this computer's; each
notebook says which that was.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
TIMEOUT_S = 900


def keep_outputs(path: Path) -> None:
    """Run one from top to bottom and write it back."""
    notebook = nbformat.read(str(path), as_version=4)
    NotebookClient(notebook, timeout=TIMEOUT_S, kernel_name="python3", record_timing=False,
                   resources={"metadata": {"path": str(FOLDER)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, str(path))


if __name__ == "__main__":
    os.environ.setdefault("PYNQ_BNN_DEVICE", "model")
    wanted = sys.argv[1:]
    for each in sorted(FOLDER.glob("*.ipynb")):
        if not wanted or each.stem in wanted:
            keep_outputs(each)
            sys.stdout.write(f"{each.name}: {each.stat().st_size:,} bytes\n")
