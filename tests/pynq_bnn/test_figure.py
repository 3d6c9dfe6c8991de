import sys

import pytest

from pynq_bnn.figure import new_figure


def test_a_notebook_can_show_it_without_pyplot():
    pytest.importorskip("matplotlib")
    figure = new_figure(2, 1)
    figure.subplots().plot([0, 1])
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.get_facecolor() == (1, 1, 1, 1)


def test_nobody_else_needs_matplotlib(monkeypatch):
    from pynq_bnn import figure

    figure._shown.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError):
        new_figure(2, 1)
