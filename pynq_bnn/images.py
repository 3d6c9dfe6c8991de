"""Whatever a user calls a picture, as the bytes that the network takes.

What happens to a picture, in this order:

1. A file gives its first frame; a PIL image is taken at the frame where it stands.
2. The camera's EXIF rotation is honoured.  Colour profiles are ignored.
3. Grey becomes grey RGB.  16-bit levels (PIL modes ``I;16`` and ``I``) become v · 255 / 65535,
   floats (arrays and PIL mode ``F``) in [0, 1] become v · 255, booleans 0 and 255, all rounded.
4. Transparency is composited on white, as a browser or a notebook shows it.
5. The largest centred part with the target's aspect is cut out and resized with Pillow's
   ``LANCZOS``.  It widens with the shrinking, so that nothing aliases, keeps more detail than a
   mean over boxes, and enlarges small pictures without blocks.  A JPEG file much larger than that
   is decoded at a half, a quarter or an eighth of its sides, which its format allows without
   decoding the rest; it keeps at least 8 times the target's.

Of more than 25 million pixels nothing is decoded (:data:`pynq_bnn.scaling.MAX_PIXELS` says why): a
larger JPEG passes, since an eighth of its sides is enough, but not a progressive one.

A picture that already has the target's size keeps every pixel as it is.

Arrays: with three axes, of which the last is 1, 3 or 4, an array is one picture; (N, H, W) in grey
must be written (N, H, W, 1), so that no batch is taken for a picture or the other way round.
"""

from __future__ import annotations

import os
from typing import Any, Union

import numpy as np
from PIL import Image, UnidentifiedImageError

from pynq_bnn.errors import PictureError
from pynq_bnn.scaling import MAX_LEVEL_16, from_unit, scaled

CHANNELS = (1, 3, 4)
"""Grey, RGB, RGBA: what the last axis of a picture or batch may be."""


def is_single(source: Any) -> bool:
    """Whether `source` stands for one picture, not for a list or a batch array of pictures."""
    batch = isinstance(source, np.ndarray) and source.ndim == 4
    return not (batch or isinstance(source, (list, tuple)))


def to_pictures(source: Any, height: int = 32, width: int = 32, first: int = 0) -> np.ndarray:
    """Read, turn, crop and resize pictures; this module's docstring says how.

    Parameters
    ----------
    source : str, path, PIL image, ndarray, or a list or tuple of these
        Arrays are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or a batch (N, H, W, 1 or 3 or 4),
        of uint8, bool, or float in [0, 1].
    height, width : int
        What the network takes, in pixels.
    first : int
        Number of the first picture, for the message of an error, where `source` is a part of more.

    Returns
    -------
    uint8 (N, height, width, 3)
        RGB, contiguous, a copy.

    Raises
    ------
    PictureError
        Says what is wrong and what to do; in a list or batch, for which index.
    """
    if isinstance(source, np.ndarray) and source.dtype.char == "B":
        # ready ones are copied and no more: a user may go on writing into theirs
        if source.shape == (height, width, 3):
            return source.copy().reshape(1, height, width, 3)
        if source.ndim == 4 and len(source) and source.shape[1:] == (height, width, 3):
            return source.copy()
    if is_single(source):
        return _picture(source, height, width)[np.newaxis]
    if len(source) == 0:
        raise PictureError("no pictures: the list or batch is empty")
    pictures = np.empty((len(source), height, width, 3), np.uint8)
    for index, item in enumerate(source):
        try:
            pictures[index] = _picture(item, height, width)
        except PictureError as error:
            raise PictureError(f"picture [{first + index}]: {error}") from error
    return pictures


def _picture(item: Any, height: int, width: int) -> np.ndarray:
    """One picture as uint8 (height, width, 3)."""
    if isinstance(item, np.ndarray):
        image = scaled(_from_array(item), height, width)
    elif isinstance(item, Image.Image):
        image = scaled(item, height, width)
    elif isinstance(item, (str, os.PathLike)):
        image = _from_file(item, height, width)
    else:
        raise PictureError(f"{type(item).__name__} is not a picture: give a path, a PIL image or "
                           "a numpy array")
    return np.array(image)


def _from_file(path: Union[str, os.PathLike], height: int, width: int) -> Image.Image:
    try:
        with open(path, "rb") as file, Image.open(file) as image:
            limit = Image.MAX_IMAGE_PIXELS
            if limit is not None and image.width * image.height > limit:
                raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
            return scaled(image, height, width, ours=True)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise PictureError(f"{path} is a directory: give the files in it as a list") from None
    except UnidentifiedImageError:
        raise PictureError(f"{path}: not an image of a format that Pillow knows") from None
    except Image.DecompressionBombError as error:
        raise PictureError(f"{path}: too large ({error}): shrink it, or raise "
                           "PIL.Image.MAX_IMAGE_PIXELS if you trust it") from None
    except Exception as error:  # a damaged header makes Pillow raise nearly anything
        raise PictureError(f"{path}: can't be read: {error}") from error


def _from_array(array: np.ndarray) -> Image.Image:
    """An array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with 8 bits a channel."""
    grey = array.ndim == 2
    if not grey and (array.ndim != 3 or array.shape[2] not in CHANNELS):
        raise PictureError(_shape_advice(array))
    if array.size == 0:
        raise PictureError(f"an array of shape {array.shape} has no pixels")
    if array.dtype == np.bool_:
        levels = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype.kind == "f":
        levels = from_unit(array)
    elif array.dtype == np.uint8:
        levels = array
    else:
        raise PictureError(_dtype_advice(array))
    if not grey and array.shape[2] == 1:
        levels = levels[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(levels))


def _shape_advice(array: np.ndarray) -> str:
    """What to do with an array that is not a picture."""
    advice = "a picture is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
    if array.ndim == 3 and array.shape[0] in CHANNELS:
        advice += "; with channels first, give np.moveaxis(array, 0, -1)"
    elif array.ndim == 3:
        advice += "; for a batch of grey pictures, give array[..., np.newaxis]"
    return f"an array of shape {array.shape}: {advice}"


def _dtype_advice(array: np.ndarray) -> str:
    """What to do with an array of neither uint8, bool nor float."""
    if array.dtype == object:
        return "an object array: give pictures of different sizes as a list"
    advice = "give uint8, or float in [0, 1]"
    if array.dtype.kind in "iu":
        advice = ("give array.astype(np.uint8) if its values are 0 to 255, "
                  f"array / {MAX_LEVEL_16} if they are 16-bit levels")
    return f"an array of dtype {array.dtype}: {advice}"
