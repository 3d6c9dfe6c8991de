"""In a real IPython: what a cell shows is not kept because of that."""

import gc

import pytest

from pynq_bnn import Classifier, notebook
from pynq_bnn.devices.model import ModelDevice

shell_module = pytest.importorskip("IPython.core.interactiveshell")


@pytest.fixture
def shell(parameters):
    shell = shell_module.InteractiveShell.instance()
    device = ModelDevice(batch=4)
    shell.user_ns.update(Classifier=Classifier, parameters=parameters, device=device)
    yield shell
    shell.reset()
    shell_module.InteractiveShell.clear_instance()


def run(shell, code):
    result = shell.run_cell(code, store_history=True)
    result.raise_error()


def test_a_classifier_that_a_cell_showed_gives_its_memory_back(shell, capsys):
    device = shell.user_ns["device"]
    free = device.free_bytes()
    for _ in range(3):
        run(shell, "classifier = Classifier(parameters, device)\nclassifier")
        held = device.free_bytes()
    assert "<Classifier small, 10 classes, on model>" in capsys.readouterr().out
    assert held < free
    run(shell, "classifier = None")
    gc.collect()
    assert device.free_bytes() == free
    assert "<Classifier small" in str(shell.user_ns["Out"]), "what was shown can still be read"


def test_other_values_stay_as_they_are(shell):
    run(shell, "[1, 2]")
    run(shell, "Classifier(parameters, device)")
    run(shell, "_1 if _1 == [1, 2] else None")
    assert shell.user_ns["_"] == [1, 2]
    assert shell.user_ns["Out"][1] == [1, 2]


def test_outside_of_ipython_nothing_happens():
    shell_module.InteractiveShell.clear_instance()
    notebook.forget(object())
