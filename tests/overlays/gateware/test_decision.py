import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.decision import Decision
from overlays.gateware.interfaces import MERGE_CYCLES
from overlays.gateware.thresholds import Thresholds

REDUCERS, MISMATCH_LATENCY = 4, 3
HEIGHT, WIDTH, IMAGES = 2, 6, 2
NAMES = ("above", "below", "left", "right")
ALL = dict.fromkeys(NAMES, 1)


class Case:
    """What comes in cycle by cycle, and what must go out."""

    def __init__(self, rng, spread, pool, out_spread):
        n, self.passes = REDUCERS >> spread, 3
        self.thresholds = [[(rng.choice((-32768, 32767, rng.randint(-900, 900))),
                             rng.getrandbits(1))
                            for _ in range(REDUCERS)] for _ in range(self.passes)]
        self.blocks = rng.randint(1, 8)
        self.cycles, self.writes = [], []
        for number in range(self.passes):
            for image in range(IMAGES):
                reached = {}
                for y in range(HEIGHT):
                    for x in range(WIDTH):
                        while rng.random() < 0.2:
                            self.cycles.append((ALL, {"valid": 0, "pass_end": 1}, [0] * REDUCERS))
                        edges = {name: rng.getrandbits(1) for name in NAMES}
                        taps = ((1 + edges["above"] + edges["below"])
                                * (1 + edges["left"] + edges["right"]))
                        row_end = x == WIDTH - 1
                        image_end = row_end and y == HEIGHT - 1
                        mismatches = [rng.randint(0, self.blocks * 36) for _ in range(REDUCERS)]
                        centre = {"valid": 1, "row_end": row_end, "image_end": image_end,
                                  "pass_end": image_end and image == IMAGES - 1}
                        self.cycles.append((edges, centre, mismatches))
                        full = 64 * self.blocks * taps
                        reached[y, x] = [
                            full - 2 * sum(mismatches[j << spread:j + 1 << spread])
                            >= self.thresholds[number][j << spread][0] for j in range(n)]
                        if pool and not (x & 1 and y & 1):
                            continue
                        square = [reached[y - dy, x - dx] for dy in range(1 + pool)
                                  for dx in range(1 + pool)]
                        bits = sum((1 - (any(s[j] for s in square)
                                         ^ self.thresholds[number][j << spread][1])) << j
                                   for j in range(n))
                        width, height = WIDTH >> pool, HEIGHT >> pool
                        stride = 128 << out_spread
                        address = (image * -(-width * height * stride // 512) * 512
                                   + ((y >> pool) * width + (x >> pool)) * stride + number * n)
                        size = n.bit_length() - 1
                        self.writes.append((len(self.cycles) - 1, address, size, bits))


@pytest.mark.parametrize("spread", (0, 1, 2))
@pytest.mark.parametrize("pool", (0, 1))
@pytest.mark.parametrize("out_spread", (0, 1, 2))
def test_writes(spread, pool, out_spread):
    case = Case(random.Random(spread), spread, pool, out_spread)
    dut = Decision(REDUCERS, MISMATCH_LATENCY)
    writes, done = [], []

    async def bench(ctx):
        for port, value in ((dut.spread, spread), (dut.out_spread, out_spread), (dut.pool, pool),
                            (dut.blocks, case.blocks), (dut.passes, case.passes)):
            ctx.set(port, value)
        await ctx.tick()
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        indices = [0] * (Thresholds.READ_LATENCY + 1)
        idle = (ALL, {"valid": 0}, [0] * REDUCERS)
        cycles = [*case.cycles, *[idle] * (dut.latency + MERGE_CYCLES + 4)]
        for cycle, (edges, centre, _) in enumerate(cycles):
            ctx.set(dut.edges, edges)
            ctx.set(dut.centre, centre)
            ctx.set(dut.mismatches, cycles[cycle - MISMATCH_LATENCY][2])
            indices = [ctx.get(dut.index), *indices[:-1]]
            now = case.thresholds[indices[-1] % case.passes]
            for r in range(REDUCERS):
                ctx.set(dut.thresholds[r], {"t": now[r][0], "flip": now[r][1]})
            if ctx.get(dut.write.enable):
                size = ctx.get(dut.write.size)
                writes.append((cycle - dut.latency, ctx.get(dut.write.address), size,
                               ctx.get(dut.write.bits) & ((1 << (1 << size)) - 1)))
            if ctx.get(dut.done):
                done.append(cycle - dut.latency)
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    assert writes == case.writes
    assert done == [case.writes[-1][0] + MERGE_CYCLES]
