"""Every notebook runs from top to bottom off the board; one that trains needs PyTorch for it."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
EIGHT = ["1_first_classification", "2_bring_your_own", "3_inside_the_network", "4_latency",
         "5_power", "6_accuracy", "7_camera", "8_the_paper"]
MOST_BYTES = 1_500_000


def code_cells(path):
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
            if cell["cell_type"] == "code"]


def test_there_are_eight():
    assert [path.stem for path in NOTEBOOKS] == EIGHT


@pytest.mark.parametrize("device", ["model", "cpu"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, device, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(str(path), as_version=4)
    if any("host_ref.training" in cell.source for cell in notebook.cells):
        if device != "model":
            pytest.skip("it names its device itself")
        pytest.importorskip("torch", reason=f"{path.name} needs PyTorch: make test-training")
    monkeypatch.setenv("PYNQ_BNN_DEVICE", device)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3",
                            resources={"metadata": {"path": str(FOLDER)}}).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_it_showed_is_kept_and_says_on_what(path):
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert path.stat().st_size < MOST_BYTES
    text = json.dumps([cell["outputs"] for cell in cells])
    assert '"error"' not in text
    assert re.search(r"device model, gateware none, a model, network .* on ", text), (
        "its last cell prints the provenance")
    assert not re.search(r"/(home|root|work|tmp|check|builds?)/", text), "a path of this computer's"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_asserts_what_it_shows(path):
    assert any("assert" in "".join(cell["source"]) for cell in code_cells(path))
