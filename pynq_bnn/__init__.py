"""pynq-bnn: a binarized-neural-network accelerator for the Zynq-7020, and its driver.

>>> import pynq_bnn
>>> pynq_bnn.classify("cat.png")                  # doctest: +SKIP
<Result cat (score 3.21; next dog 1.10) on model>

Off a board everything runs on a register-exact model of the accelerator.
"""

from __future__ import annotations

import importlib
from typing import Any, Dict, List

__version__ = "0.1.0"

# Names are imported when first used: the register table must load without numpy's help, and a
# notebook that only asks for the version should not wait.
_HOMES: Dict[str, str] = {
    "classify": "pynq_bnn.default", "close": "pynq_bnn.default",
    "Classifier": "pynq_bnn.classifier", "Accelerator": "pynq_bnn.driver.accelerator",
    "available": "pynq_bnn.networks", "load_parameters": "pynq_bnn.networks",
    "open_device": "pynq_bnn.devices", "to_pictures": "pynq_bnn.images",
    "BnnError": "pynq_bnn.errors", "BnnOverlay": "pynq_bnn.devices.board.overlay",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        try:
            home = importlib.import_module(_HOMES[name])
        except ModuleNotFoundError as error:
            if error.name != "pynq":
                raise
            raise ImportError(
                f"{name} needs PYNQ, which Python can't import here: on a board use the image's "
                "own Python, as root (Jupyter, or after sudo -i)") from error
        except AttributeError as error:
            # an old Pillow or numpy misses something: not to be taken for a name that we lack
            raise ImportError(f"{_HOMES[name]} can't be imported: {error}") from error
        globals()[name] = value = getattr(home, name)
        return value
    raise AttributeError(f"module 'pynq_bnn' has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted(set(globals()) | set(_HOMES))
