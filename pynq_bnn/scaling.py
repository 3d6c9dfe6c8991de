"""Any Pillow image as upright 8-bit RGB of the network's size; :mod:`pynq_bnn.images` says how.

A board has little memory, so the picture as it was decoded is the only large thing here: it is
converted and narrowed strip by strip, and a JPEG's decoder is asked for no more than is needed.
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np
from PIL import Image

from pynq_bnn.errors import PictureError

MAX_PIXELS = 25_000_000
"""Most pixels that are decoded in full: what a camera of 24 megapixels takes, 100 MB at 4 bytes a
pixel.  A PYNQ-Z1 has 512 MB; a quarter is set aside for the accelerator, and Linux, Jupyter and
Python with PYNQ want about half."""

_BUFFERS = {"WEBP": 4, "AVIF": 4, "JPEG2000": 4}
"""How often these formats' decoders hold a picture; others do once."""

DRAFT_GAP = 8
"""A JPEG is decoded at no less than so many times the target's sides, and the filter does the rest:
of a photograph that gives the same levels as a full decode, 2 more or less."""

STRIP_PIXELS = 1 << 18
BACKGROUND = (255, 255, 255, 255)
FILTER = int(getattr(Image, "Resampling", Image).LANCZOS)  # its home since Pillow 9.1

MAX_LEVEL_16 = 65535
_LEVELS_16_IN_8 = 257  # 65535 / 255

_ORIENTATION = 0x0112
_METHOD: Any = getattr(Image, "Transpose", Image)  # its home since Pillow 9.1
_TURNS = {2: _METHOD.FLIP_LEFT_RIGHT, 3: _METHOD.ROTATE_180, 4: _METHOD.FLIP_TOP_BOTTOM,
          5: _METHOD.TRANSPOSE, 6: _METHOD.ROTATE_270, 7: _METHOD.TRANSVERSE, 8: _METHOD.ROTATE_90}
_SIDEWAYS = (5, 6, 7, 8)


def scaled(image: Image.Image, height: int, width: int, ours: bool = False) -> Image.Image:
    """The image upright, cut and resized, as 8-bit RGB.

    Parameters
    ----------
    height, width : int
        Of the result.
    ours : bool
        The image was opened for this alone: it may be altered, and decoded at a smaller size.

    Raises
    ------
    PictureError
        If it has no pixels or too many, or can't be decoded.
    """
    if 0 in image.size:
        raise PictureError(f"a picture of {image.width} x {image.height} has no pixels")
    try:
        if ours or getattr(image, "tile", None):  # it is yet to be decoded
            _require_small(image, DRAFT_GAP * max(height, width) if ours else None)
        orientation = image.getexif().get(_ORIENTATION)
        # turned last, when there is little to turn
        size = (height, width) if orientation in _SIDEWAYS else (width, height)
        result = rgb(image) if image.size == size else _fitted(image, *size)
        return result.transpose(_TURNS[orientation]) if orientation in _TURNS else result
    except PictureError:
        raise
    except Exception as error:  # truncated or damaged data make Pillow raise nearly anything
        raise PictureError(f"can't be decoded (PIL mode {image.mode}): {error}") from error


def _require_small(image: Image.Image, side: Optional[int]) -> None:
    """Refuse to decode more than a board has memory for; a JPEG may do with `side` pixels."""
    width, height = image.size
    if side is not None:
        image.draft(None, (side, side))  # does nothing to what is not a JPEG
        if image.format in ("JPEG", "MPO") and _in_one_scan(image):
            width, height = image.size
    most = MAX_PIXELS // _BUFFERS.get(image.format or "", 1)
    if width * height > most:
        raise PictureError(f"{width} x {height} pixels would have to be decoded, at most {most:,} "
                           "are: shrink it, or save it as a baseline JPEG, of which a part is "
                           "enough")


def _in_one_scan(image: Any) -> bool:
    """Whether a JPEG holds its colours together: else libjpeg keeps all of it, whatever is wanted.

    So it does of a progressive one.  Pillow has just read the header of the first scan.
    """
    if image.info.get("progressive"):
        return False
    colours, place = image.layers, image.fp.tell()
    image.fp.seek(place - 8 - 2 * colours)
    start = image.fp.read(5)
    image.fp.seek(place)
    return bool(start == bytes([0xFF, 0xDA, 0, 6 + 2 * colours, colours]))


def _fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """What ``ImageOps.fit(rgb(image), (width, height), FILTER)`` gives, in far less memory.

    Pillow's filter goes along the rows, then along the columns, so that a strip of rows can be
    converted and narrowed without the others.  (Newer ones turn that round for some tall pictures;
    this gives the same with all of them.)
    """
    left, upper, right, lower = _middle(image.size, width / height)
    rows = max(1, STRIP_PIXELS // image.width)
    narrow = Image.new("RGB", (width, image.height))
    for top in range(0, image.height, rows):
        strip = rgb(image.crop((0, top, image.width, min(top + rows, image.height))))
        box = (left, 0, right, strip.height)
        narrow.paste(strip.resize((width, strip.height), FILTER, box), (0, top))
    return narrow.resize((width, height), FILTER, (0, upper, width, lower))


def _middle(size: Tuple[int, int], aspect: float) -> Tuple[float, float, float, float]:
    """The largest centred box of this aspect in a picture of `size`."""
    width, height = size
    if width / height == aspect:
        return 0, 0, width, height
    if width / height > aspect:
        left = (width - aspect * height) / 2
        return left, 0, left + aspect * height, height
    upper = (height - width / aspect) / 2
    return 0, upper, width, upper + width / aspect


def rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB, transparency composited on :data:`BACKGROUND`."""
    if image.mode.startswith("I"):  # "I" has 32 bits, but older Pillows open 16-bit PNGs as such
        levels = np.asarray(image)
        if levels.min() < 0 or levels.max() > MAX_LEVEL_16:
            raise PictureError(f"PIL mode {image.mode} with values from {levels.min()} to "
                               f"{levels.max()}: they must be 16-bit levels, 0 to {MAX_LEVEL_16}")
        rounded = (levels.astype(np.uint32) + _LEVELS_16_IN_8 // 2) // _LEVELS_16_IN_8
        image = Image.fromarray(rounded.astype(np.uint8))
    elif image.mode == "F":
        image = Image.fromarray(from_unit(np.asarray(image)))
    elif image.mode == "LAB":
        from PIL import ImageCms  # Image.convert learnt LAB later than Pillow 7
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None  # only where it works in place
        return converted
    elif image.mode == "La":
        image = image.convert("LA")  # Pillow has no direct way from premultiplied grey to RGBA
    if image.mode.upper().endswith("A") or "transparency" in image.info:
        opaque = Image.new("RGBA", image.size, BACKGROUND)
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image.convert("RGB")


def from_unit(values: np.ndarray) -> np.ndarray:
    """Floats in [0, 1] as uint8 levels."""
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise PictureError("NaN or infinite values: floats must lie in [0, 1]")
    if low < 0 or high > 1:
        raise PictureError(f"values from {low:g} to {high:g}: floats must lie in [0, 1]; "
                           "rescale them, or np.clip(array, 0, 1) what overshoots")
    return np.rint(values * 255).astype(np.uint8)
