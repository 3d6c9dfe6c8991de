"""Frames to classify: from a webcam, a video, a folder of pictures, or a photograph panned over.

The camera hangs on the processor's side (USB), and OpenCV reads it where it is installed; PYNQ's
images bring it.  A folder or a photograph needs Pillow alone, so the same notebook runs anywhere.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple, Union

import numpy as np
from PIL import Image

from pynq_bnn.errors import PictureError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
VIEW = (240, 240)
"""What is seen of a photograph that is panned over, height and width."""


def frames(source: Union[int, str, Path]) -> Iterator[np.ndarray]:
    """Frames uint8 (H, W, 3), red first.

    Parameters
    ----------
    source : int, or path of a folder, a picture or a video
        A number is a webcam's; a folder's pictures come by name; over a picture the view pans to
        the right and back.

    Raises
    ------
    PictureError
        If there is nothing to be read, or OpenCV is wanted and not installed.
    """
    path = Path(str(source))
    if isinstance(source, int):
        return _captured(source, f"the webcam {source}")
    if path.is_dir():
        paths = sorted(each for each in path.iterdir() if each.suffix.lower() in PICTURES)
        if not paths:
            raise PictureError(f"{path}: no picture in it ({', '.join(PICTURES)})")
        return (_pixels(each) for each in paths)
    if not path.is_file():
        raise PictureError(f"{path}: no such picture, video or folder")
    if path.suffix.lower() in PICTURES:
        return _panned(_pixels(path))
    return _captured(str(path), str(path))


def _pixels(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise PictureError(f"{path} can't be read: {error}") from error


def _panned(photo: np.ndarray) -> Iterator[np.ndarray]:
    """The view to the right and back, a pixel a frame."""
    height, width = (min(view, whole) for view, whole in zip(VIEW, photo.shape))
    top = (photo.shape[0] - height) // 2
    right = photo.shape[1] - width
    for left in [*range(right + 1), *range(right - 1, 0, -1)]:
        yield photo[top:top + height, left:left + width]


def _captured(source: Union[int, str], name: str) -> Iterator[np.ndarray]:
    try:
        import cv2
    except ImportError as error:
        raise PictureError(f"{name} needs OpenCV, which is not installed (pip install "
                           "opencv-python-headless); a folder of pictures does not") from error
    capture = cv2.VideoCapture(source)
    if not capture.isOpened():
        capture.release()
        raise PictureError(f"{name} can't be opened: is it plugged in, and not in use?")
    return _read(capture)


def _read(capture: Any) -> Iterator[np.ndarray]:
    try:
        while True:
            there, frame = capture.read()
            if not there:
                return
            yield np.ascontiguousarray(frame[..., ::-1])  # OpenCV has blue first
    finally:
        capture.release()


@dataclass
class Split:
    """Where the time of each frame goes: seconds by part, frame after frame."""

    parts: Tuple[str, ...] = ("grab", "resize", "accelerator")
    seconds: Dict[str, List[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seconds = {part: [] for part in self.parts}

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Take the time of a part of a frame's work: ``with split.timed("grab"): ...``."""
        begun = time.perf_counter()
        yield
        self.seconds[part].append(time.perf_counter() - begun)

    @property
    def frames_per_s(self) -> float:
        """Over all frames, all parts one after the other."""
        total = sum(map(sum, self.seconds.values()))
        return len(self.seconds[self.parts[-1]]) / total if total else 0.0

    def __str__(self) -> str:
        count = len(self.seconds[self.parts[-1]])
        lines = [f"{count} frames, {self.frames_per_s:.1f} a second; ms a frame, median:"]
        lines += [f"  {part:<12} {1e3 * float(np.median(taken)):8.2f}"
                  for part, taken in self.seconds.items() if taken]
        return "\n".join(lines)
