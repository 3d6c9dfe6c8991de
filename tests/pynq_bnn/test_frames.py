import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pynq_bnn.errors import PictureError
from pynq_bnn.frames import Split, frames


@pytest.fixture
def photo(tmp_path, rng):
    pixels = rng.integers(0, 256, (300, 260, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png", pixels


def test_a_photograph_is_panned_over(photo):
    path, pixels = photo
    seen = list(frames(path))
    assert len(seen) == 40
    assert np.array_equal(seen[0], pixels[30:270, :240])
    assert np.array_equal(seen[20], pixels[30:270, 20:260])
    assert np.array_equal(seen[21], seen[19])


def test_a_folder_in_the_order_of_names(photo, tmp_path):
    path, pixels = photo
    Image.fromarray(pixels[:50, :60]).save(tmp_path / "another.bmp")
    (tmp_path / "notes.txt").write_text("no picture")
    assert [frame.shape for frame in frames(tmp_path)] == [(50, 60, 3), (300, 260, 3)]


class Capture:
    """OpenCV's, with two frames of blue."""

    def __init__(self, source):
        self.left = 2 if source in (0, "good") or str(source).endswith(".avi") else -1
        self.released = False
        Capture.last = self

    def isOpened(self):  # noqa: N802
        return self.left >= 0

    def read(self):
        self.left -= 1
        return self.left >= 0, np.full((4, 5, 3), (255, 0, 0), np.uint8)

    def release(self):
        self.released = True


def test_a_webcam_and_a_video(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(VideoCapture=Capture))
    (tmp_path / "film.avi").write_bytes(b"film")
    for source in (0, tmp_path / "film.avi"):
        seen = list(frames(source))
        assert len(seen) == 2
        assert seen[0][0, 0].tolist() == [0, 0, 255]
        assert Capture.last.released
    stream = frames(0)
    next(stream)
    stream.close()
    assert Capture.last.released
    with pytest.raises(PictureError, match="webcam 7 can't be opened"):
        frames(7)


def test_without_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(PictureError, match="needs OpenCV.*a folder of pictures does not"):
        frames(0)


def test_nothing_to_read(tmp_path):
    with pytest.raises(PictureError, match="no such picture, video or folder"):
        frames(tmp_path / "nowhere.png")
    with pytest.raises(PictureError, match="no picture in it"):
        frames(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"bad\.png can't be read"):
        frames(tmp_path / "bad.png")


def test_where_the_time_goes():
    split = Split()
    for _ in range(3):
        for part in split.parts:
            with split.timed(part):
                time.sleep(0.001)
    assert 0 < split.frames_per_s < 1000
    assert str(split).startswith("3 frames, ")
    assert Split().frames_per_s == 0
