"""Every notebook runs from top to bottom off the board; one that trains needs PyTorch for it."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(str(path), as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "clear the outputs first"
    if any("host_ref.training" in cell.source for cell in notebook.cells):
        pytest.importorskip("torch", reason=f"{path.name} needs PyTorch: make test-training")
    monkeypatch.setenv("PYNQ_BNN_DEVICE", "model")
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3",
                            resources={"metadata": {"path": str(FOLDER)}}).execute()
