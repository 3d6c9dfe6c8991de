"""What goes wrong between two pictures: one clear error each, and the next answer is right."""

import datetime
import io

import numpy as np
import pytest
from PIL import Image

from host_ref.integer import IntegerModel
from pynq_bnn import Classifier, registers
from pynq_bnn.driver import packing
from pynq_bnn.errors import DeviceError, DeviceTimeout, PictureError


@pytest.fixture
def model(parameters):
    return IntegerModel(parameters)


@pytest.fixture
def right(classifier, model, pictures):
    """A function that asserts that the next classification is right."""
    expected = model.sums(pictures)

    def check(index=0):
        assert np.array_equal(classifier.classify(pictures[index]).sums, expected[index])

    return check


def test_a_device_that_hangs(parameters, device, pictures, model):
    with Classifier(parameters, device, timeout_s=0.05) as classifier:
        device.hang()
        with pytest.raises(DeviceTimeout, match="BUSY=1.*PROGRAM_STEPS=0x"):
            classifier.classify(pictures)
        assert np.array_equal(classifier.classify(pictures).indices, model.classify(pictures))


@pytest.mark.parametrize("response", ["SLVERR", "DECERR"])
@pytest.mark.parametrize("on,parts", [
    ("read", ("error READ", "LOAD", "load pictures")),
    ("write", ("error WRITE", "STORE", "store SUMS"))])
def test_a_memory_error(classifier, device, pictures, right, in_dram, response, on, parts):
    classifier.classify(pictures[0])
    address = device.registers.get("DMA_ADDRESS")
    if on == "read":
        address = in_dram(device, packing.pack_pictures(pictures[:1]))
    device.dram.fail(address, on=on, response=response)
    with pytest.raises(DeviceError) as caught:
        classifier.classify(pictures[0])
    for part in (*parts, f"0x{address:08X}"):
        assert part in str(caught.value)
    device.clear_faults()
    right(1)


def test_a_device_reset_by_somebody_else(classifier, device, right):
    device.mmio.write(registers.offset("CONTROL"), 2)
    right()


class Fuzz:
    """Inputs that are no pictures, of every kind that a user may come up with."""

    def __init__(self, rng, folder):
        self.rng = rng
        self.folder = folder
        good = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (20, 20, 3)).astype(np.uint8)).save(good, "PNG")
        self.png = good.getvalue()
        self.kinds = [self.scalar, self.dtype, self.shape, self.level, self.path, self.file,
                      self.nested, self.in_list]

    def draw(self):
        return self.pick(self.kinds)()

    def pick(self, things):
        return things[int(self.rng.integers(len(things)))]

    def picture(self):
        return self.rng.integers(0, 256, (8, 10, 3)).astype(np.uint8)

    def scalar(self):
        return self.pick([None, 0, 7, -1.5, float("nan"), True, 1j, b"bytes", bytearray(9), {},
                          {"a": 1}, {1, 2}, object(), len, int, range(3), iter([1]), Ellipsis,
                          (x for x in "ab"), np.float32(1), np.int64(3), datetime.date.today(),
                          memoryview(b"1234"), np.dtype("u1"), Image])

    def dtype(self):
        name = self.pick(["i1", "u2", "i2", "i4", "i8", "u8", "c8", "S3", "U2", "O", "M8[s]",
                          "m8[s]", "u1,u1", "V3"])
        shape = self.pick([(8, 10, 3), (8, 10), (2, 8, 10, 3), (5, 5, 4), (8, 10, 1)])
        return np.zeros(shape, name)

    def shape(self):
        sides = self.pick([(), (5,), (0,), (8, 10, 2), (8, 10, 5), (8, 10, 0), (0, 10, 3),
                           (8, 0, 3), (0, 0), (3, 8, 10), (0, 8, 10, 3), (2, 8, 10, 2),
                           (2, 0, 10, 3), (2, 8, 10, 3, 1), (1, 1, 1, 1, 1, 1), (2, 3, 8, 10)])
        return np.zeros(sides, self.pick(["u1", "f4", "f8", "?"]))

    def level(self):
        array = self.rng.random(self.pick([(8, 10, 3), (8, 10), (3, 8, 10, 3)]))
        place = tuple(int(self.rng.integers(side)) for side in array.shape)
        array[place] = self.pick([np.nan, np.inf, -np.inf, -0.01, 1.01, 255.0, 1e300])
        return array.astype(self.pick(["f4", "f8"]) if abs(array[place]) < 1e30 else "f8")

    def path(self):
        return self.pick(["", ".", "/", "no/such.png", "a\0b", "x" * 5000, "~", "\udcff",
                          self.folder, str(self.folder), self.folder / "none.jpg"])

    def file(self):
        path = self.folder / "bad.png"
        cut = int(self.rng.integers(len(self.png) - 40))
        path.write_bytes(self.pick([
            b"", b"\x89PNG\r\n\x1a\n", self.png[:cut], self.png[cut + 1:], b"text\n",
            b"GIF89a" + self.rng.bytes(40), b"\xff\xd8\xff\xe0" + self.rng.bytes(200),
            b"BM" + self.rng.bytes(100), self.rng.bytes(500)]))
        return self.pick([path, str(path)])

    def nested(self):
        return self.pick([[], (), [[]], [[self.picture()]], [self.picture().tolist()],
                          [(self.picture(), self.picture())], self.picture().tolist(),
                          [np.zeros((2, 8, 10, 3), np.uint8)], [None, None]])

    def in_list(self):
        # in the first batch: those before are classified while the next are prepared
        items = [self.picture() for _ in range(int(self.rng.integers(1, 7)))]
        items.insert(int(self.rng.integers(min(len(items) + 1, 4))), self.dtype())
        return self.pick([list, tuple])(items)


def test_whatever_is_no_picture_is_a_picture_error(classifier, device, pictures, right, rng,
                                                   tmp_path):
    fuzz = Fuzz(rng, tmp_path)
    for number in range(400):
        bad = fuzz.draw()
        before = device.mmio.accesses
        try:
            with pytest.raises(PictureError) as caught:
                classifier.classify(bad)
        except BaseException as error:
            raise AssertionError(f"input {number}: {bad!r}") from error
        assert str(caught.value).strip()
        assert device.mmio.accesses == before, "the device saw none of it"
        if number % 20 == 0:
            right(number // 20 % len(pictures))
    right()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_damaged_file_is_a_picture_or_a_picture_error(classifier, right, rng, tmp_path):
    """Some bytes changed: Pillow may still read it, but nothing else may come of it."""
    outcomes = set()
    for number in range(150):
        path = tmp_path / "damaged"
        whole = io.BytesIO()
        kind = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM")[number % 6]
        Image.fromarray(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)).save(whole, kind)
        data = np.frombuffer(whole.getvalue(), np.uint8).copy()
        for place in rng.integers(0, len(data), int(rng.integers(1, 9))):
            data[place] = rng.integers(256)
        path.write_bytes(data.tobytes())
        try:
            classifier.classify(path)
        except PictureError:
            outcomes.add("refused")
        else:
            outcomes.add("read")
    assert outcomes == {"refused", "read"}
    right()
