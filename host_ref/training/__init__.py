"""Training, with PyTorch: an extra that nothing else needs (docs/training.md)."""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ModuleNotFoundError("training needs PyTorch, which is not installed: docs/training.md "
                              "says how", name="torch")
