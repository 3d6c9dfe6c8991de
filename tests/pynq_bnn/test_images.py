import gc
import io
import warnings

import numpy as np
import pytest
from PIL import Image

from pynq_bnn.errors import PictureError
from pynq_bnn.images import is_single, to_pictures

MODES = ["1", "L", "LA", "La", "P", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "I",
         "I;16", "F"]


@pytest.fixture
def rgb(rng):
    return rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)


def saved(tmp_path, image, name="picture.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def one(source):
    pictures = to_pictures(source)
    assert pictures.shape == (1, 32, 32, 3)
    assert pictures.dtype == np.uint8
    assert pictures.flags.c_contiguous
    return pictures[0]


def test_a_picture_of_the_right_size_keeps_every_pixel(rgb, tmp_path):
    path = saved(tmp_path, Image.fromarray(rgb))
    for source in (rgb, Image.fromarray(rgb), path, str(path), rgb / 255, rgb[np.newaxis], [rgb]):
        np.testing.assert_array_equal(one(source), rgb)


def test_the_result_is_a_copy(rgb):
    batch = rgb[np.newaxis].copy()
    to_pictures(batch)[:] = 0
    np.testing.assert_array_equal(batch[0], rgb)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_and_an_odd_size(mode):
    if mode in ("I", "I;16"):
        image = Image.fromarray(np.full((30, 45), 257 * 128, np.uint16).astype(
            np.int32 if mode == "I" else np.uint16))
    elif mode == "F":
        image = Image.fromarray(np.full((30, 45), 128 / 255, np.float32))
    else:
        image = Image.new("RGB", (45, 30), (128, 128, 128))
        if mode == "P":
            image = image.quantize(2)
        elif mode in ("La", "RGBa"):
            image = image.convert(mode.upper())
        if mode == "LAB":
            image = Image.new("LAB", (45, 30), (137, 128, 128))
        else:
            image = image.convert(mode)
        assert image.mode == mode
    tolerance = 128 if mode == "1" else 2
    assert np.abs(one(image).astype(int) - 128).max() <= tolerance


def test_grey_arrays():
    ramp = np.arange(1024, dtype=np.uint8).reshape(32, 32)
    expected = np.repeat(ramp[:, :, np.newaxis], 3, axis=2)
    for source in (ramp, ramp[:, :, np.newaxis], ramp[np.newaxis, :, :, np.newaxis]):
        np.testing.assert_array_equal(one(source), expected)
    np.testing.assert_array_equal(one(ramp > 99), np.where(expected > 99, 255, 0))


def test_sixteen_bit_levels_become_eight():
    levels = np.array([[0, 257, 65535, 32768]] * 4, np.uint16)
    picture = to_pictures(Image.fromarray(levels), 4, 4)[0]
    np.testing.assert_array_equal(picture[0, :, 0], [0, 1, 255, 128])


def test_transparency_lies_on_white(tmp_path):
    clear = np.zeros((32, 32, 4), np.uint8)
    assert (one(clear) == 255).all()
    half = np.full((32, 32, 4), (0, 0, 0, 128), np.uint8)
    assert (one(Image.fromarray(half)) == 127).all()
    palette = Image.new("RGB", (32, 32), "navy").quantize(2)
    assert (one(saved(tmp_path, palette, "opaque.png")) == (0, 0, 128)).all()
    assert (one(saved(tmp_path, palette, transparency=0)) == 255).all()


def test_exif_rotation_is_honoured(tmp_path):
    image = Image.new("RGB", (64, 64), "black")
    image.paste("white", (0, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned: show it rotated by 270 degrees
    path = saved(tmp_path, image, "turned.jpg", exif=exif, quality=95)
    picture = one(path)
    assert picture[:, 20:].mean() > 240
    assert picture[:, :12].mean() < 15


def test_the_middle_is_cut_out():
    image = Image.new("RGB", (96, 32), "red")
    image.paste("lime", (32, 0, 64, 32))
    assert (one(image) == (0, 255, 0)).all()
    tall = image.rotate(90, expand=True)
    assert (one(tall) == (0, 255, 0)).all()


def test_height_comes_before_width():
    image = Image.new("RGB", (64, 64), "red")
    image.paste("lime", (0, 16, 64, 48))
    pictures = to_pictures(image, height=16, width=32)
    assert pictures.shape == (1, 16, 32, 3)
    assert np.abs(pictures[0, 3:-3].astype(int) - (0, 255, 0)).max() <= 3


def test_shrinking_does_not_alias():
    stripes = np.zeros((320, 320), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(one(stripes).astype(int) - 127).max() <= 8


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("blue", "red")]
    path = saved(tmp_path, frames[0], "two.gif", save_all=True, append_images=frames[1:])
    assert (one(path) == (0, 0, 255)).all()


def test_lists_may_be_mixed(rgb, tmp_path):
    path = saved(tmp_path, Image.fromarray(rgb))
    pictures = to_pictures((rgb, path, Image.new("L", (7, 9)), rgb / 255))
    assert pictures.shape == (4, 32, 32, 3)
    np.testing.assert_array_equal(pictures[[0, 1, 3]], [rgb] * 3)


def test_is_single(rgb):
    for source in (rgb, rgb[:, :, 0], Image.fromarray(rgb), "a.png"):
        assert is_single(source)
    for source in ([rgb], (rgb,), rgb[np.newaxis], []):
        assert not is_single(source)


@pytest.mark.parametrize("array,message", [
    (np.zeros((0, 5, 3), np.uint8), "no pixels"),
    (np.full((8, 8), np.nan), "NaN"),
    (np.full((8, 8), np.inf), "infinite"),
    (np.full((8, 8), 1.5), r"from 1.5 to 1.5.*\[0, 1\]"),
    (np.full((8, 8), -0.5), r"\[0, 1\]"),
    (np.zeros((8, 8), np.int64), "int64.*astype"),
    (np.zeros((8, 8), np.uint16), "uint16.*65535"),
    (np.zeros((8, 8), complex), "complex128"),
    (np.array([[None]]), "object array"),
    (np.zeros((3, 8, 8), np.uint8), "moveaxis"),
    (np.zeros((5, 8, 8), np.uint8), "newaxis"),
    (np.zeros((8, 8, 2), np.uint8), "shape"),
    (np.zeros(8, np.uint8), "shape"),
    (np.zeros((1, 1, 8, 8, 3), np.uint8), "shape"),
])
def test_arrays_that_are_no_picture(array, message):
    with pytest.raises(PictureError, match=message):
        to_pictures(array)


@pytest.mark.parametrize("source,message", [
    (7, "int is not a picture"), (None, "NoneType is not a picture"), ([], "no pictures"),
    (np.zeros((0, 32, 32, 3), np.uint8), "no pictures"), ("missing.png", "no such file"),
    (Image.new("RGB", (0, 4)), "0 x 4 has no pixels"), ([["a.png"]], "list is not a picture"),
    (Image.fromarray(np.full((4, 4), 70_000, np.int32)), "16-bit levels"),
    (Image.fromarray(np.full((4, 4), 200, np.float32)), r"\[0, 1\]"),
])
def test_things_that_are_no_picture(source, message):
    with pytest.raises(PictureError, match=message):
        to_pictures(source)


def test_files_that_are_no_picture(tmp_path, rgb):
    text = tmp_path / "text.png"
    text.write_text("no image")
    with pytest.raises(PictureError, match="text.png: not an image"):
        to_pictures(text)
    with pytest.raises(PictureError, match="is a directory"):
        to_pictures(tmp_path)
    whole = io.BytesIO()
    Image.fromarray(np.tile(rgb, (8, 8, 1))).save(whole, "PNG")
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.getvalue()[:len(whole.getvalue()) // 2])
    with pytest.raises(PictureError, match="cut.png"):
        to_pictures(cut)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("limit", [1000, 64 * 64 - 1])  # Pillow only warns up to twice its limit
def test_a_bomb_is_refused(tmp_path, monkeypatch, limit):
    path = saved(tmp_path, Image.new("L", (64, 64)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(PictureError, match="too large"):
        to_pictures(path)


def test_in_a_list_the_error_names_the_place(rgb):
    with pytest.raises(PictureError, match=r"picture \[2\]"):
        to_pictures([rgb, rgb, rgb.astype(float) * 300])


def test_damaged_files_give_no_other_error(tmp_path, rgb, rng):
    for suffix in ("png", "jpg", "gif", "bmp", "tif"):
        path = saved(tmp_path, Image.fromarray(rgb), "damaged." + suffix)
        whole = path.read_bytes()
        refused = 0
        for length in rng.integers(0, len(whole) - 32, 20):
            path.write_bytes(whole[:length])
            try:
                to_pictures(path)
            except PictureError as error:
                refused += str(error).startswith(str(path))
        assert refused >= 15, suffix  # a decoder may let a short tail pass


def test_files_are_closed(tmp_path, rgb):
    path = saved(tmp_path, Image.fromarray(rgb))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        to_pictures(path)
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(PictureError):
            to_pictures(path)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
