"""Figures that a notebook shows without pyplot: no backend is chosen, nothing has to be closed."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 90
"""Of what a notebook shows."""


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of that many inches; needs matplotlib."""
    return _shown()(figsize=(width, height), facecolor="white")


@lru_cache(maxsize=1)
def _shown() -> Any:
    """Made when it is first wanted, so that nobody else needs matplotlib."""
    from matplotlib.figure import Figure

    class Shown(Figure):
        """A Figure that IPython can show by itself."""

        def _repr_png_(self) -> bytes:
            image = io.BytesIO()
            self.savefig(image, format="png", dpi=DPI, bbox_inches="tight")
            return image.getvalue()

    return Shown
