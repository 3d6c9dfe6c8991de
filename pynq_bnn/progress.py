"""A bar for long work, where tqdm is installed."""

from __future__ import annotations

from typing import Iterable, Optional, TypeVar

T = TypeVar("T")


def shown(items: Iterable[T], progress: bool, what: str, unit: str,
          total: Optional[int] = None) -> Iterable[T]:
    """`items`, with a bar if `progress`."""
    try:
        if progress:
            from tqdm.auto import tqdm
            return tqdm(items, total=total, desc=what, unit=unit)
    except ImportError:
        pass
    return items
