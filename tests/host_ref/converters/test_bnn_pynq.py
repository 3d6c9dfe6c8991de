"""A random CNV in files as finnthesizer.py writes them, against the hardware's own arithmetic."""

import hashlib

import numpy as np
import pytest

from host_ref import cifar10
from host_ref.converters import bnn_pynq, convert
from host_ref.integer import IntegerModel
from host_ref.network import CNV, FP_CONV, LAST
from host_ref.parameters import ParameterError, load, save
from tests.host_ref.converters.conftest import convolve

CLASSES = [f"sign {number}" for number in range(11)]


class Hardware:
    """Random weights ±1, (outputs, inputs, 3, 3) or (outputs, inputs), and integer thresholds."""

    def __init__(self, rng):
        self.weights, self.thresholds = [], []
        for layer in CNV.layers:
            outputs = 64 if layer.kind == LAST else layer.out_channels
            shape = (layer.in_channels, 3, 3) if layer.is_conv else (layer.in_channels,)
            self.weights.append(rng.choice([-1, 1], (outputs, *shape)))
            middle, spread = ((0, 1000) if layer.kind == FP_CONV
                              else (layer.taps / 2, layer.taps ** 0.5 / 2))
            self.thresholds.append(rng.normal(middle, spread, outputs).astype(np.int64))
        self.ties = 0

    def write(self, folder):
        """One file a PE: outputs pe, pe + PE, ..., each a word of its next SIMD bits at a time."""
        folder.mkdir()
        (folder / "classes.txt").write_text("\n".join(CLASSES))
        for number, (pe, simd) in enumerate(bnn_pynq.FOLDING):
            weights = np.moveaxis(self.weights[number], 1, -1)  # row, column, channel
            bits = (weights.reshape(len(weights), -1) > 0).astype(np.uint64)
            words = (bits.reshape(len(bits), -1, simd) << np.arange(simd, dtype=np.uint64)).sum(2)
            for own in range(pe):
                words[own::pe].astype("<u8").tofile(str(folder / f"{number}-{own}-weights.bin"))
                if number < 8:
                    self.thresholds[number][own::pe].astype("<i8").tofile(
                        str(folder / f"{number}-{own}-thres.bin"))
        return folder

    def forward(self, pictures):
        """Every layer's bits, True is +1, (N, C, H, W); the last one's counts."""
        # parse_cifar10 (float32), then ap_fixed<8, 1, AP_RND, AP_SAT>
        scaled = np.float32(-1) + np.float32(2) * pictures.astype(np.float32) / np.float32(255)
        q = np.clip(np.floor(scaled.astype(np.float64) * 128 + 0.5), -128, 127)
        x, outputs = q.transpose(0, 3, 1, 2) / 128, []
        for layer, weights, thresholds in zip(CNV.layers, self.weights, self.thresholds):
            if layer.is_conv:
                sums = convolve(x, weights, False, False)
            else:
                sums = (x.reshape(len(x), -1) @ weights.T)[:, :, np.newaxis, np.newaxis]
            if layer.kind == LAST:
                outputs.append((layer.taps + sums[:, :len(CLASSES), 0, 0]) / 2)
                return outputs
            if layer.kind == FP_CONV:
                accumulated, own = sums, thresholds / 256
            else:
                accumulated, own = (layer.taps + sums) / 2, thresholds
            own = own[:, np.newaxis, np.newaxis]
            self.ties += (accumulated == own).sum()
            bits = own < accumulated
            if layer.pool:
                n, channels, height, width = bits.shape
                bits = bits.reshape(n, channels, height // 2, 2, width // 2, 2).any(axis=(3, 5))
            outputs.append(bits)
            x = np.where(bits, 1.0, -1.0)
        raise AssertionError("no last layer")


@pytest.fixture(scope="module")
def hardware():
    return Hardware(np.random.default_rng(5))


@pytest.fixture
def folder(hardware, tmp_path):
    return hardware.write(tmp_path / "cnvW1A1")


def test_every_layer_computes_what_the_hardware_does(hardware, folder, rng):
    parameters = convert(folder)
    pictures = rng.integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    model = IntegerModel(parameters)
    ours = model.run(bnn_pynq.PIXELS[pictures])
    *hidden, counts = hardware.forward(pictures)
    assert hardware.ties > 1000, "sums that equal their threshold, and so give -1"
    for layer, own, theirs in zip(CNV.layers, ours, hidden):
        assert np.array_equal(own.transpose(0, 3, 1, 2) == 0, theirs), layer.name
        assert 0.02 < theirs.mean() < 0.98, "neither all +1 nor all -1"
    assert np.array_equal(model.scores(ours[-1]), counts)


def test_pictures_as_they_are_differ_in_the_first_layer(hardware, folder, rng):
    pictures = rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    ours = IntegerModel(convert(folder)).layer_output(0, pictures).transpose(0, 3, 1, 2) == 0
    different = (ours != hardware.forward(pictures)[0]).mean()
    assert 0 < different < 0.05


def test_pixels_are_theirs_for_every_value():
    p = np.arange(256)
    q = np.clip(np.floor((2 * p / 255 - 1) * 128 + 0.5), -128, 127)
    assert np.array_equal(bnn_pynq.PIXELS.astype(int) - 128, q)


def test_what_the_file_says_of_itself(folder, tmp_path):
    parameters = convert(folder, "bnn-pynq")
    assert (parameters.name, parameters.classes) == ("cnvW1A1", CLASSES)
    assert parameters.training["source"] == "cnvW1A1"
    assert any("PIXELS" in line for line in parameters.training["assumed"])
    assert len(parameters.training["sha256"]) == len(hashlib.sha256().hexdigest())
    save(tmp_path / "out.npz", parameters)
    assert load(tmp_path / "out.npz").checksum == parameters.checksum


def test_names_can_be_given(folder):
    (folder / "classes.txt").unlink()
    parameters = convert(folder, classes=["stop", "go"], name="signs")
    assert (parameters.name, parameters.classes) == ("signs", ["stop", "go"])
    with pytest.raises(ParameterError, match="classes.txt can't be read, so give the classes"):
        convert(folder)


def test_cifar10s_classes_are_ours(folder):
    (folder / "classes.txt").write_text("\n".join(name.capitalize() for name in cifar10.CLASSES))
    assert tuple(convert(folder).classes) == cifar10.CLASSES


def test_what_follows_the_classes_is_not_needed(folder):
    """BNN-PYNQ's streetview/cnvW1A1 has 12 outputs in its last layer's files, not 64."""
    before = convert(folder).layers[-1].weights
    for own in range(4):
        path = folder / f"8-{own}-weights.bin"
        path.write_bytes(path.read_bytes()[:3 * 512 * 8])
    assert np.array_equal(convert(folder).layers[-1].weights, before)


@pytest.mark.parametrize("name,content,complaint", [
    ("3-7-weights.bin", None, "3-7-weights.bin can't be read"),
    ("2-3-thres.bin", None, "2-3-thres.bin can't be read"),
    ("2-3-thres.bin", bytes(128), "2-3-thres.bin has 128 bytes, cnvW1A1's has 64: another"),
    ("4-1-weights.bin", bytes(8), "4-1-weights.bin has 8 bytes, cnvW1A1's has 18432"),
    ("8-0-weights.bin", bytes(2 * 4096), "8-0-weights.bin has 8192 bytes, .* 12288 or more"),
    ("8-0-weights.bin", bytes(65 * 4096), "8-0-weights.bin has 266240 bytes"),
    ("0-2-weights.bin", 36 * b"\x08" + bytes(252), "0-2-weights.bin has words of more than 3 bits"),
    ("1-0-thres.bin", bytes(8) + (1 << 15).to_bytes(8, "little"), "holds 32768: .*-32768 to 32767"),
    ("classes.txt", b"\xff\xff", "classes.txt can't be read"),
    ("classes.txt", bytes(1 << 17), "classes.txt has more than 65,536 bytes"),
    ("classes.txt", b"alone", "'fc3': 1 classes, must be 2 to 64"),
])
def test_a_bad_folder_is_told_in_one_line(folder, name, content, complaint):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ParameterError, match=complaint) as caught:
        convert(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_does_not_go_with_a_folder(folder):
    with pytest.raises(ParameterError, match="is a folder, and zhao's parameters are one file"):
        convert(folder, "zhao")
    with pytest.raises(ParameterError, match="neither a description nor kernels"):
        convert(folder, flipped=True)
    with pytest.raises(ParameterError, match="neither a description nor kernels"):
        convert(folder, network=CNV)
    with pytest.raises(NotADirectoryError, match="no folder of BNN-PYNQ's"):
        convert(folder / "classes.txt", "bnn-pynq")
