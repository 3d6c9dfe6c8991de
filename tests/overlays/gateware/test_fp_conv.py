import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from overlays.gateware.fp_conv import LATENCY, LEAD_IN, FpConv
from overlays.gateware.interfaces import INPUT_READ_LATENCY, MERGE_CYCLES, WRITE_BITS
from pynq_bnn.registers import PAD_NONE, PAD_ZERO


class Layer:
    """A random layer, its stream and input buffer, and its map after docs/contract.md."""

    def __init__(self, seed, height, width, outputs=64, padding=PAD_ZERO, pool=0, images=1):
        rng = np.random.default_rng(seed)
        self.shape = {"height": height, "width": width, "channels": 3, "outputs": outputs,
                      "padding": padding, "pool": pool, "images": images, "last": 0}
        self.pictures = rng.integers(0, 256, (images, height, width, 3))
        self.weights = rng.integers(0, 2, (outputs, 3, 3, 3))
        self.thresholds = np.clip(rng.normal(0, 900, outputs), -32768, 32767).astype(int)
        self.thresholds[rng.integers(0, outputs, 8)] = [-32768, 32767] * 4
        self.flips = rng.integers(0, 2, outputs)

    def words(self):
        """The input buffer; bits 31:24 of a pixel and a missing last pixel are not to matter."""
        words = []
        for picture in self.pictures:
            pixels = [0xA5 << 24 | int(r) | int(g) << 8 | int(b) << 16
                      for r, g, b in picture.reshape(-1, 3)]
            pixels += [0x5A5A5A5A] * (len(pixels) % 2)
            words += [low | high << 32 for low, high in zip(pixels[::2], pixels[1::2])]
        return words

    def units(self):
        entries = [int(t) & 0xFFFF | int(f) << 16 for t, f in zip(self.thresholds, self.flips)]
        entries += [sum(int(bit) << i for i, bit in enumerate(w.reshape(-1)))
                    for w in self.weights]
        return [sum(entry << 32 * i for i, entry in enumerate(entries[n:n + 4]))
                for n in range(0, len(entries), 4)]

    def sums(self):
        shape = self.shape
        values = np.pad(2 * self.pictures - 255, ((0, 0), (1, 1), (1, 1), (0, 0)))
        if shape["padding"] == PAD_NONE:
            values = values[:, 1:-1, 1:-1]
        height, width = values.shape[1] - 2, values.shape[2] - 2
        return sum(np.tensordot(values[:, ky:ky + height, kx:kx + width],
                                1 - 2 * self.weights[:, ky, kx], (3, 1))
                   for ky in range(3) for kx in range(3))

    def fmap(self):
        reached = self.sums() >= self.thresholds
        if self.shape["pool"]:
            n, height, width, c = reached.shape
            reached = reached.reshape(n, height // 2, 2, width // 2, 2, c).any((2, 4))
        return 1 - (reached ^ self.flips)

    def placed(self):
        """The map's bits by bit address."""
        fmap, bits = self.fmap(), {}
        images, height, width, outputs = fmap.shape
        stride = 128 if outputs <= 128 else 256 if outputs <= 256 else 512
        slot = -(-height * width * stride // 512) * 512
        for n in range(images):
            for p, pixel in enumerate(fmap[n].reshape(-1, outputs)):
                bits.update({n * slot + p * stride + c: int(bit) for c, bit in enumerate(pixel)})
        return bits

    def cycles(self, fp_outputs):
        """From start to done when every unit comes at once."""
        s = self.shape
        passes = s["outputs"] // fp_outputs
        begin = LEAD_IN + max(s["outputs"] // 4 + fp_outputs // 4, s["width"])
        area = s["images"] * s["height"] * s["width"]
        skipped = s["width"] + 2 if s["padding"] == PAD_NONE else 1
        return (begin + (passes - 1) * max(area, MERGE_CYCLES) + area - skipped
                + LATENCY + MERGE_CYCLES)


def run(fp_outputs, layers, pace=1.0):
    """Each layer's bits by address, and the cycles of each from start to done."""
    dut, rng = FpConv(fp_outputs), random.Random(len(layers))
    buffer, results = [0], []
    maps = []

    async def input_buffer(ctx):
        line = [0] * (INPUT_READ_LATENCY - 1)
        async for _, _, address in ctx.tick().sample(dut.input.address):
            line.append(buffer[address] if address < len(buffer) else 0xDEAD)
            ctx.set(dut.input.data, line.pop(0))

    async def writes(ctx):
        cycle, last = 0, {}
        async for _, _, enable, address, size, bits, done in ctx.tick().sample(
                dut.write.enable, dut.write.address, dut.write.size, dut.write.bits,
                dut.stage.done):
            cycle += 1
            if enable:
                count = 1 << size
                assert count == fp_outputs <= WRITE_BITS
                assert address % count == 0
                for byte in {(address + i) // 8 for i in range(count)}:
                    assert cycle - last.get(byte, -99) >= MERGE_CYCLES
                    last[byte] = cycle
                for i in range(count):
                    assert address + i not in maps[-1], "written twice"
                    maps[-1][address + i] = bits >> i & 1
                latest = cycle
            if done:
                assert cycle == latest + MERGE_CYCLES

    async def bench(ctx):
        for layer in layers:
            buffer[:] = layer.words()
            maps.append({})
            for name, value in layer.shape.items():
                ctx.set(dut.stage.shape[name], value)
            units, cycles, busy, waiting = layer.units(), 0, 0, 0
            ctx.set(dut.stage.start, 1)
            while True:
                shown = bool(units) and (ctx.get(dut.units.valid) or rng.random() < pace)
                ctx.set(dut.units.valid, shown)
                ctx.set(dut.units.payload, units[0] if shown else rng.getrandbits(128))
                _, _, ready, done, is_busy, waits = await ctx.tick().sample(
                    dut.units.ready, dut.stage.done, dut.stage.busy, dut.stage.waiting)
                ctx.set(dut.stage.start, 0)
                busy, waiting = busy + is_busy, waiting + waits
                if shown and ready:
                    units.pop(0)
                    ctx.set(dut.units.valid, 0)
                if done:
                    break
                cycles += 1
                assert cycles < 40000
            assert not units, "units left in the stream"
            assert busy == layer.sums().size // fp_outputs
            results.append((maps[-1], cycles, waiting))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(input_buffer, background=True)
    simulator.add_testbench(writes, background=True)
    simulator.add_testbench(bench)
    simulator.run()
    return results


def check(fp_outputs, layers, pace=1.0):
    results = run(fp_outputs, layers, pace)
    for layer, (bits, cycles, _) in zip(layers, results):
        assert bits == layer.placed(), layer.shape
        if pace == 1:
            assert cycles == layer.cycles(fp_outputs), layer.shape
        else:
            assert cycles >= layer.cycles(fp_outputs)
    return results


def test_shapes_one_after_another():
    check(16, [
        Layer(1, 1, 1), Layer(2, 1, 1, images=2), Layer(3, 5, 7, images=3), Layer(4, 1, 9),
        Layer(5, 6, 1), Layer(6, 3, 3, padding=PAD_NONE), Layer(7, 6, 4, 128, pool=1, images=2),
        Layer(8, 5, 9, padding=PAD_NONE, images=2), Layer(9, 8, 6, padding=PAD_NONE, pool=1),
        Layer(10, 2, 32, pool=1), Layer(11, 32, 3, padding=PAD_NONE)])


def test_every_width_of_a_pixel():
    check(16, [Layer(outputs, 3, 3, outputs, images=2)
               for outputs in (64, 128, 192, 256, 320, 448, 512)])


@pytest.mark.parametrize("fp_outputs", [4, 8])
def test_fewer_outputs_a_cycle(fp_outputs):
    check(fp_outputs, [Layer(20, 1, 1), Layer(21, 2, 3, 192, images=2), Layer(22, 1, 3, 512),
                       Layer(23, 4, 4, pool=1, images=2)])


@pytest.mark.parametrize("pace", [0.05, 0.3, 0.8])
def test_units_that_come_late(pace):
    rng = random.Random(str(pace))
    layers = []
    for seed in range(4):
        padding, pool = rng.choice([PAD_ZERO, PAD_NONE]), rng.randrange(2)
        height, width = rng.randrange(3, 8), rng.randrange(3, 8)
        if pool:
            height, width = height // 2 * 2 + 2, width // 2 * 2 + 2
        layers.append(Layer(seed, height, width, rng.choice([64, 128, 192]), padding, pool,
                            rng.randrange(1, 4)))
    results = check(16 if pace > 0.1 else 8, layers, pace)
    assert all(waiting for _, _, waiting in results)


def test_full_width():
    check(16, [Layer(30, 32, 32)])


def test_largest_sums_and_every_threshold_beside_them():
    """|s| = 6885 in the middle; thresholds one below, at and one above sums that occur."""
    layer = Layer(40, 3, 3, 64)
    sign = np.random.default_rng(1).integers(0, 2, (3, 3, 3))
    layer.pictures[0] = 255 * (1 - sign)
    layer.weights[:32] = sign
    layer.weights[32:] = 1 - sign
    sums = layer.sums()[0]
    assert sums[1, 1, 0] == 6885
    assert sums[1, 1, 63] == -6885
    for o in range(64):
        layer.thresholds[o] = sums[o % 9 // 3, o % 3, o] + (o // 2) % 3 - 1
    check(8, [layer])
