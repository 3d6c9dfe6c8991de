import subprocess
import sys
from pathlib import Path

import pytest

import pynq_bnn

ROOT = Path(__file__).parents[2]


def python(code):
    """What a fresh Python prints."""
    return subprocess.run([sys.executable, "-c", code], cwd=str(ROOT), check=True,
                          stdout=subprocess.PIPE, universal_newlines=True).stdout


def test_importing_every_module_stays_light():
    loaded = python(
        "import importlib, pkgutil, sys, pynq_bnn\n"
        "for module in pkgutil.walk_packages(pynq_bnn.__path__, 'pynq_bnn.'):\n"
        "    if module.name not in ('pynq_bnn.devices.board.overlay', 'pynq_bnn.__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "for name in set(pynq_bnn.__all__) - {'BnnOverlay'}: getattr(pynq_bnn, name)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))").split()
    assert {"numpy", "PIL", "pynq_bnn"} <= set(loaded)
    assert not {"pynq", "matplotlib", "torch", "tqdm", "amaranth"} & set(loaded)


def test_the_version_alone_needs_not_even_numpy():
    loaded = python("import sys, pynq_bnn; pynq_bnn.__version__; print(*sys.modules)").split()
    assert "numpy" not in loaded


def test_what_is_promised_is_there():
    assert {"classify", "close", "Classifier", "Accelerator", "available",
            "load_parameters"} <= set(pynq_bnn.__all__) <= set(dir(pynq_bnn))
    for name in set(pynq_bnn.__all__) - {"BnnOverlay"}:
        assert getattr(pynq_bnn, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'clasify'"):
        pynq_bnn.clasify  # noqa: B018


def test_the_overlay_without_pynq_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynq", None)
    monkeypatch.delitem(sys.modules, "pynq_bnn.devices.board.overlay", raising=False)
    monkeypatch.delitem(vars(pynq_bnn), "BnnOverlay", raising=False)  # where a test used it before
    with pytest.raises(ImportError, match="BnnOverlay needs PYNQ"):
        pynq_bnn.BnnOverlay  # noqa: B018
