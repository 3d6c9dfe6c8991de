"""Flips, shifted crops and holes: what a photographed object survives."""

from __future__ import annotations

import torch

SHIFT = 4
GREY = 128


def augment(images: torch.Tensor, generator: torch.Generator, mirror: bool = True,
            cutout: int = 0) -> torch.Tensor:
    """Mirror half of the pictures, if wanted, and shift each by up to 4 pixels, edges reflected.

    Parameters
    ----------
    images : uint8 (N, H, W, 3)
    generator : torch.Generator
        On the pictures' device, where all is done.
    cutout : int
        Side of a grey square somewhere in each picture, 0 for none (DeVries and Taylor, Improved
        Regularization of Convolutional Neural Networks with Cutout, 2017).

    Returns
    -------
    uint8 (N, H, W, 3), a new tensor
    """
    count, height, width, _ = images.shape

    def draw(limit: int) -> torch.Tensor:
        return torch.randint(limit, (count, 1), generator=generator, device=images.device)

    rows = _shifted(height, draw(2 * SHIFT + 1))
    columns = _shifted(width, draw(2 * SHIFT + 1))
    if mirror:
        columns = torch.where(draw(2) == 1, columns.flip(1), columns)
    first = torch.arange(count, device=images.device)[:, None, None]
    result = images[first, rows[:, :, None], columns[:, None, :]]
    if cutout:
        hole = _within(height, cutout, draw)[:, :, None] & _within(width, cutout, draw)[:, None, :]
        result.masked_fill_(hole[..., None], GREY)
    return result


def _shifted(size: int, shift: torch.Tensor) -> torch.Tensor:
    """Per picture the `size` places to take; beyond an edge they go back inwards."""
    places = torch.arange(size, device=shift.device) + shift - SHIFT
    return (size - 1) - ((size - 1) - places.abs()).abs()


def _within(size: int, side: int, draw: object) -> torch.Tensor:
    """Per picture which places are in the hole; all of it lies within the picture."""
    begin = draw(size - side + 1)  # type: ignore[operator]
    places = torch.arange(size, device=begin.device)
    return (places >= begin) & (places < begin + side)
