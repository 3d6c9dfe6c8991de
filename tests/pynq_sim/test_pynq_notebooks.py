"""PYNQ's own ``pynq get-notebooks`` finds ours by their entry point, in a wheel or a checkout."""

import sys

import pytest

pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")


def test_get_notebooks_copies_them_with_their_picture(tmp_path, monkeypatch):
    from pynq._cli import get_notebooks

    # -o: no device is looked for, as there is none here
    monkeypatch.setattr(sys, "argv", ["get-notebooks", "-o", "-p", str(tmp_path), "pynq_bnn"])
    get_notebooks.main()
    copied = tmp_path / "pynq_bnn"
    assert sorted(path.name for path in copied.glob("*.ipynb")) == [
        "1_first_classification.ipynb", "2_bring_your_own.ipynb", "3_inside_the_network.ipynb",
        "4_latency.ipynb", "5_power.ipynb", "6_accuracy.ipynb", "7_camera.ipynb",
        "8_the_paper.ipynb"]
    assert (copied / "pictures" / "chelsea.png").is_file()
    # the folder is no package there, or it would hide the installed one
    assert not (copied / "__init__.py").exists()
