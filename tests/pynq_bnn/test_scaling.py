"""Large pictures in a board's memory: what is refused, what is decoded, and that it looks alike."""

import io
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from pynq_bnn import scaling
from pynq_bnn.errors import PictureError
from pynq_bnn.images import to_pictures

CHELSEA = Path(__file__).parents[2] / "notebooks" / "pictures" / "chelsea.png"
PEAK = """
import resource, sys
from pynq_bnn.images import to_pictures
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
to_pictures(sys.argv[1])
before = peak()
to_pictures(sys.argv[2])
print(peak() - before)
"""


@pytest.fixture(scope="module")
def photo():
    with Image.open(str(CHELSEA)) as image:
        return image.convert("RGB")


@pytest.fixture
def small_ceiling(monkeypatch):
    monkeypatch.setattr(scaling, "MAX_PIXELS", 300 * 300)


def saved(image, path, **options):
    image.save(str(path), **options)
    return path


def in_full(image, width=32, height=32):
    return np.asarray(ImageOps.fit(image, (width, height), scaling.FILTER))


def apart(one, other):
    return np.abs(one.astype(int) - other.astype(int)).max()


def png_header(width, height, depth, colour):
    """The beginning of a PNG; nothing of its pixels."""
    chunks = b""
    for kind, content in ((b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
                          (b"IDAT", zlib.compress(bytes(1000)))):
        chunks += struct.pack(">I", len(content)) + kind + content
        chunks += struct.pack(">I", zlib.crc32(kind + content))
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("depth,colour", [(16, 0), (8, 2), (8, 6)])
def test_what_a_board_has_no_memory_for_is_refused_undecoded(tmp_path, depth, colour):
    path = tmp_path / "large.png"
    path.write_bytes(png_header(9400, 9400, depth, colour))
    with pytest.raises(PictureError, match=r"large.png: 9400 x 9400 .*at most 25,000,000.*JPEG"):
        to_pictures(path)


def test_the_ceiling_itself_passes(tmp_path, small_ceiling):
    assert to_pictures(saved(Image.new("L", (300, 300)), tmp_path / "a.png")).shape[0] == 1
    with pytest.raises(PictureError, match="300 x 301"):
        to_pictures(saved(Image.new("L", (300, 301)), tmp_path / "b.png"))


def test_an_image_that_the_user_opened_is_not_decoded_either(tmp_path, small_ceiling):
    path = saved(Image.new("L", (400, 400), 7), tmp_path / "large.png")
    with Image.open(str(path)) as image:
        with pytest.raises(PictureError, match="400 x 400"):
            to_pictures(image)
        image.load()
        assert (to_pictures(image) == 7).all(), "it is in memory already"


@pytest.mark.skipif(not features.check("webp"), reason="needs WebP")
def test_a_format_whose_decoder_holds_four_copies(tmp_path, small_ceiling):
    with pytest.raises(PictureError, match="200 x 200 .*at most 22,500 "):
        to_pictures(saved(Image.new("RGB", (200, 200)), tmp_path / "a.webp"))


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
@pytest.mark.parametrize("mode,most", [("I;16", 8), ("RGB", 8), ("RGBA", 8)])
def test_memory_of_a_picture(tmp_path, mode, most):
    """Bytes a pixel: 16-bit levels took 30, RGB 12 and RGBA 24."""
    image = (Image.fromarray(np.full((2500, 2500), 30_000, np.uint16)) if mode == "I;16" else
             Image.new(mode, (2500, 2500)))
    large = saved(image, tmp_path / "large.png", compress_level=1)
    little = saved(image.crop((0, 0, 50, 50)), tmp_path / "little.png")
    done = subprocess.run([sys.executable, "-c", PEAK, str(little), str(large)], check=True,
                          stdout=subprocess.PIPE, universal_newlines=True)
    assert int(done.stdout) * 1024 < most * 2500 * 2500


# JPEGs.

@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
def test_a_jpeg_looks_as_if_all_of_it_were_decoded(photo, tmp_path, factor):
    large = photo.resize((photo.width * factor, photo.height * factor), Image.BICUBIC)
    path = saved(large, tmp_path / "photo.jpg", quality=92)
    with Image.open(str(path)) as image:
        assert apart(to_pictures(path)[0], in_full(image)) <= 2


def test_a_large_jpeg_is_decoded_in_part(photo, tmp_path, small_ceiling):
    path = saved(photo.resize((2048, 2048)), tmp_path / "large.jpg")
    assert to_pictures(path).shape == (1, 32, 32, 3)
    with Image.open(str(path)) as image, pytest.raises(PictureError, match="2048 x 2048"):
        to_pictures(image)  # the user's: not ours to alter
    with Image.open(str(path)) as image:
        image.load()
        to_pictures(image)
        assert image.size == (2048, 2048)


def test_a_large_jpeg_costs_a_fraction_of_a_full_decode(photo, tmp_path):
    path = saved(photo.resize((3000, 2000), Image.BICUBIC), tmp_path / "large.jpg", quality=90)

    def decode():
        with Image.open(str(path)) as image:
            in_full(image)

    def seconds(call):
        begun = time.process_time()
        call()
        return time.process_time() - begun

    part = min(seconds(lambda: to_pictures(path)) for _ in range(5))
    assert min(seconds(decode) for _ in range(5)) > 3 * part


def test_jpegs_that_the_decoder_keeps_in_memory_are_counted_in_full(photo, tmp_path, small_ceiling):
    large = photo.resize((2048, 2048))
    progressive = saved(large, tmp_path / "progressive.jpg", progressive=True)
    with pytest.raises(PictureError, match="2048 x 2048"):
        to_pictures(progressive)
    content = io.BytesIO()
    large.save(content, "JPEG")
    whole = content.getvalue()
    scan = whole.index(b"\xff\xda\x00\x0c\x03")
    one_colour = b"\xff\xda\x00\x08\x01" + whole[scan + 5:scan + 7] + whole[scan + 11:]
    (tmp_path / "scans.jpg").write_bytes(whole[:scan] + one_colour)
    with pytest.raises(PictureError, match="2048 x 2048"):
        to_pictures(tmp_path / "scans.jpg")


# In strips, and turned at last.

@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK", "I", "F"])
def test_strips_do_not_show(rng, monkeypatch, mode):
    noise = Image.fromarray(rng.integers(0, 256, (90, 120, 4)).astype(np.uint8))
    if mode == "RGBA":
        image = noise
    elif mode == "I":
        image = Image.fromarray(rng.integers(0, 65536, (90, 120)).astype(np.int32))
    elif mode == "F":
        image = Image.fromarray(rng.random((90, 120)).astype(np.float32))
    else:
        image = noise.convert("RGB").convert(mode)
    expected = in_full(scaling.rgb(image), 24, 20)
    for pixels in (1, 120, 1000, 1 << 18):
        monkeypatch.setattr(scaling, "STRIP_PIXELS", pixels)
        np.testing.assert_array_equal(to_pictures(image, 20, 24)[0], expected)


def test_every_turn_of_a_camera(photo, tmp_path):
    for orientation in range(10):  # 0 and 9 mean nothing
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = saved(photo, tmp_path / "turned.png", exif=exif)
        with Image.open(str(path)) as image:
            upright = ImageOps.exif_transpose(image)
        assert apart(to_pictures(path, 20, 32)[0], in_full(upright, 32, 20)) <= 1, orientation


def test_sixteen_bit_levels_are_rounded():
    levels = np.arange(65536, dtype=np.int32).reshape(256, 256)
    expected = np.rint(levels / 65535 * 255).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(scaling.rgb(Image.fromarray(levels)))[:, :, 0],
                                  expected)
