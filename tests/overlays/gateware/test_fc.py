import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from overlays.gateware.fc import BEGIN, ISSUE, LATENCY, Fc
from overlays.gateware.interfaces import FMAP_READ_LATENCY, MERGE_CYCLES

ROW = 512


def stride(channels):
    """Bits that a pixel takes; a wide one takes whole rows."""
    return next((p for p in (128, 256, 512) if channels <= p), -(-channels // ROW) * ROW)


class Layer:
    """A random layer, its stream and source buffer, and its results after docs/contract.md."""

    def __init__(self, seed, height, width, channels, outputs, last=0, images=1):
        rng = np.random.default_rng(seed)
        self.shape = {"height": height, "width": width, "channels": channels, "outputs": outputs,
                      "padding": 0, "pool": 0, "images": images, "last": last}
        self.inputs = height * width * channels
        self.maps = rng.integers(0, 2, (images, height * width, channels), np.uint8)
        self.weights = rng.integers(0, 2, (outputs, height * width, channels), np.uint8)
        self.thresholds = rng.normal(0, self.inputs ** 0.5, outputs).astype(int)
        self.thresholds[rng.integers(0, outputs, 8)] = [-32768, 32767] * 4
        self.flips = rng.integers(0, 2, outputs)
        self.noise = rng

    def _rows(self, maps, fill):
        """Maps as they lie in rows; `fill` gives the bits that nobody owns."""
        images, pixels, channels = maps.shape
        bits = fill((images, -(-pixels * stride(channels) // ROW) * ROW))
        places = bits[:, :pixels * stride(channels)].reshape(images, pixels, stride(channels))
        places[:, :, :channels] = maps
        return bits.reshape(images, -1, ROW)

    def buffer(self):
        rows = self._rows(self.maps, lambda size: self.noise.integers(0, 2, size, np.uint8))
        return [number(row) for row in rows.reshape(-1, ROW)]

    @property
    def chunks(self):
        return -(-self.shape["height"] * self.shape["width"]
                 * stride(self.shape["channels"]) // ROW)

    def pairs(self):
        """The stream, two units at a time."""
        units = []
        if not self.shape["last"]:
            entries = [int(t) & 0xFFFF | int(f) << 16
                       for t, f in zip(self.thresholds, self.flips)]
            units = [sum(entry << 32 * i for i, entry in enumerate(entries[n:n + 4]))
                     for n in range(0, len(entries), 4)]
        rows = self._rows(self.weights, lambda size: np.zeros(size, np.uint8))
        if len(rows) % 2:  # what an odd last output is paired with
            rows = np.concatenate([rows, self.noise.integers(0, 2, rows[:1].shape, np.uint8)])
        for first, second in zip(rows[::2], rows[1::2]):
            for chunk in zip(first, second):
                units += [number(unit) for row in chunk for unit in row.reshape(4, 128)]
        return [low | high << 128 for low, high in zip(units[::2], units[1::2])]

    def sums(self):
        """(images, outputs)"""
        signs = [1 - 2 * bits.astype(int).reshape(len(bits), -1)
                 for bits in (self.maps, self.weights)]
        return signs[0] @ signs[1].T

    def results(self):
        """Bits by bit address, or sums by image and class."""
        values, rows = self.sums(), -(-self.shape["outputs"] // ROW)
        if self.shape["last"]:
            return {(n, o): int(s) for (n, o), s in np.ndenumerate(values)}
        bits = 1 - ((values >= self.thresholds) ^ self.flips)
        return {n * rows * ROW + o: int(bit) for (n, o), bit in np.ndenumerate(bits)}


def number(bits):
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def run(layers, pace=1.0, images=8):
    """Each layer's results and its cycles from start to done."""
    dut, rng = Fc(images), random.Random(len(layers))
    buffer, results, outcomes = [0], [], []

    async def fmap(ctx):
        line = [0] * (FMAP_READ_LATENCY - 1)
        async for _, _, address in ctx.tick().sample(dut.source.address):
            line.append(buffer[address] if address < len(buffer) else (1 << ROW) - 1)
            ctx.set(dut.source.data, line.pop(0))

    async def writes(ctx):
        cycle, latest = 0, 0
        async for _, _, map_write, row, place, byte, sums_write, image, pair, values, done in (
                ctx.tick().sample(dut.write.enable, dut.write.row, dut.write.place,
                                  dut.write.byte, dut.sums.enable, dut.sums.image,
                                  dut.sums.pair, dut.sums.sums, dut.stage.done)):
            cycle += 1
            assert not (map_write and sums_write)
            if map_write:
                address = ROW * row + 8 * place
                assert address not in results[-1], "written twice"
                results[-1].update({address + n: byte >> n & 1 for n in range(8)})
            if sums_write:
                assert (image, 2 * pair) not in results[-1], "written twice"
                for i in range(2):
                    value = values >> 16 * i & 0xFFFF
                    results[-1][image, 2 * pair + i] = value - (value >> 15 << 16)
            if map_write or sums_write:
                latest = cycle
            if done:
                assert cycle >= latest + MERGE_CYCLES - 1

    async def bench(ctx):
        for layer in layers:
            buffer[:] = layer.buffer()
            results.append({})
            for name, value in layer.shape.items():
                ctx.set(dut.stage.shape[name], value)
            pairs, cycles, busy, waiting, at, shown = layer.pairs(), 0, 0, 0, 0, False
            ctx.set(dut.stage.start, 1)
            while True:
                if not shown:
                    shown = at < len(pairs) and rng.random() < pace
                    ctx.set(dut.pairs.valid, shown)
                    ctx.set(dut.pairs.payload, pairs[at] if shown else rng.getrandbits(256))
                _, _, ready, done, is_busy, waits = await ctx.tick().sample(
                    dut.pairs.ready, dut.stage.done, dut.stage.busy, dut.stage.waiting)
                ctx.set(dut.stage.start, 0)
                busy, waiting = busy + is_busy, waiting + waits
                if shown and ready:
                    at, shown = at + 1, False
                if done:
                    break
                cycles += 1
                assert cycles < 40000
            assert at == len(pairs), "units left in the stream"
            shape = layer.shape
            assert busy == layer.chunks * -(-shape["outputs"] // 2) * shape["images"]
            if shape["last"] and shape["outputs"] % 2:
                for image in range(shape["images"]):
                    del results[-1][image, shape["outputs"]]
            outcomes.append((results[-1], cycles, waiting))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(fmap, background=True)
    simulator.add_testbench(writes, background=True)
    simulator.add_testbench(bench)
    simulator.run()
    return outcomes


def check(layers, pace=1.0, **options):
    outcomes = run(layers, pace, **options)
    for layer, (results, _, _) in zip(layers, outcomes):
        assert results == layer.results(), layer.shape
    return [cycles for _, cycles, _ in outcomes], [waiting for _, _, waiting in outcomes]


def test_every_layout_of_the_source():
    layers = [Layer(seed, *shape, outputs=outputs, last=1, images=1 + seed % 4)
              for seed, (*shape, outputs) in enumerate([
                  (1, 1, 64, 3), (1, 1, 192, 2), (1, 1, 320, 5), (1, 1, 512, 2), (1, 1, 576, 3),
                  (1, 1, 1088, 3), (3, 1, 64, 4), (3, 3, 64, 3), (2, 3, 192, 5), (1, 3, 320, 3),
                  (3, 5, 256, 2), (4, 4, 128, 7), (2, 2, 448, 2), (11, 11, 64, 2)])]
    check(layers)


def test_bits_one_after_another():
    check([Layer(1, 1, 1, 64, 64), Layer(2, 1, 1, 512, 64, images=3),
           Layer(3, 2, 3, 192, 64, images=8), Layer(4, 1, 1, 576, 128, images=2)])


def test_wide_target():
    check([Layer(5, 1, 1, 128, 576, images=2)])


@pytest.mark.parametrize("layer, cycles", [
    # Each pair is taken when it comes: one image, and four.
    (Layer(1, 1, 1, 2048, 10, 1), BEGIN + 79 + ISSUE + LATENCY + MERGE_CYCLES),
    (Layer(2, 1, 1, 2048, 10, 1, 4), BEGIN + 79 + ISSUE + 3 + LATENCY + MERGE_CYCLES),
    (Layer(3, 4, 4, 64, 64, 0, 4), BEGIN + 8 + 511 + ISSUE + 3 + LATENCY + MERGE_CYCLES),
    # Eight images: 8 cycles a chunk from the first one's last pair.
    (Layer(4, 1, 1, 2048, 10, 1, 8), BEGIN + 3 + ISSUE + 159 + LATENCY + MERGE_CYCLES),
    # Outputs of one chunk: its pairs' four cycles for two.
    (Layer(5, 1, 1, 512, 64), BEGIN + 8 + 127 + ISSUE + LATENCY + MERGE_CYCLES),
    # An odd number of outputs takes as long as one more.
    (Layer(6, 1, 1, 512, 3, 1), BEGIN + 7 + ISSUE + LATENCY + MERGE_CYCLES),
])
def test_cycles(layer, cycles):
    assert check([layer])[0] == [cycles]


@pytest.mark.parametrize("pace", [0.1, 0.7])
def test_pairs_that_come_late(pace):
    _, waiting = check([Layer(1, 1, 1, 256, 7, 1, 2), Layer(2, 1, 1, 1088, 5, 1, 3),
                        Layer(3, 1, 1, 64, 64, images=8), Layer(4, 3, 3, 192, 3, 1)], pace)
    assert all(waiting)


def test_largest_sums():
    layer = Layer(1, 1, 1, 8192, 3, 1, 2)
    layer.maps[0] = layer.weights[0]
    layer.maps[1] = 1 - layer.weights[0]
    assert list(layer.sums()[:, 0]) == [8192, -8192]
    check([layer], images=2)


def test_every_threshold_beside_a_sum():
    layer = Layer(2, 1, 1, 512, 64)
    layer.weights[:8] = layer.maps[0]
    layer.weights[8:16] = 1 - layer.maps[0]
    layer.thresholds = layer.sums()[0] + np.arange(64) % 3 - 1
    check([layer])
