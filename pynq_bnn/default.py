"""The classifier behind ``pynq_bnn.classify``: made when first used, kept for the next picture."""

from __future__ import annotations

import atexit
from typing import Any, Optional, Union

from pynq_bnn.classifier import Classifier
from pynq_bnn.result import Result, Results

_classifier: Optional[Classifier] = None


def classify(source: Any) -> Union[Result, Results]:
    """Classify pictures with the shipped CIFAR-10 network on the default device.

    Parameters
    ----------
    source : path, PIL image, ndarray, or a list or batch array of these
        See :func:`pynq_bnn.images.to_pictures`.

    Returns
    -------
    Result, or Results for several pictures
    """
    global _classifier
    if _classifier is None:
        _classifier = Classifier()
        atexit.register(close)
    return _classifier.classify(source)


def close() -> None:
    """Close that classifier and free the device; the next :func:`classify` makes a new one."""
    global _classifier
    if _classifier is not None:
        _classifier.close()
        _classifier = None
        atexit.unregister(close)
