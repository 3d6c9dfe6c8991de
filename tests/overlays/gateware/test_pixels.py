import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.config import QUARTERS, ROW, TAPS, UNIT
from overlays.gateware.interfaces import FMAP_READ_LATENCY
from overlays.gateware.window import Window
from pynq_bnn.registers import CHANNEL_STEP

WIDTH = 5


def spread_pixel(row, quarter, spread, blocks):
    """The pixel that begins at `quarter` of a row, unowned channels 0, over all four quarters."""
    channels = (row >> quarter * UNIT) & ((1 << blocks * CHANNEL_STEP) - 1)
    stored = UNIT << spread
    return sum(channels << i for i in range(0, ROW, stored))


def script(rng, spread):
    """Steps of some rows with pauses between them, zero columns and pixels: (step, row of data)."""
    for _ in range(6):
        zero_row = rng.random() < 0.2
        for column in range(WIDTH):
            yield {"pixel": not zero_row, "write": 1, "column": column,
                   "quarter": rng.randrange(0, QUARTERS, 1 << spread)}, rng.getrandbits(ROW)
        for _ in range(rng.choice((0, 0, 1, 3))):
            yield ({"pixel": 0, "write": 0, "column": rng.randrange(32), "quarter": 0},
                   rng.getrandbits(ROW))


@pytest.mark.parametrize("spread, blocks", ((0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 7), (2, 8)))
def test_window_is_around_the_pixel_of_latency_cycles_ago(spread, blocks):
    rng = random.Random(blocks)
    steps = list(script(rng, spread))
    dut = Window()
    got = []

    async def bench(ctx):
        ctx.set(dut.spread, spread)
        ctx.set(dut.blocks, blocks)
        await ctx.tick().repeat(2)
        for cycle in range(len(steps) + Window.LATENCY):
            step, _ = steps[cycle] if cycle < len(steps) else ({"write": 0}, 0)
            taps = cycle % 512
            ctx.set(dut.step, {**step, "taps": taps,
                               "centre": {"valid": cycle & 1, "pass_end": cycle >> 1 & 1}})
            data = cycle - FMAP_READ_LATENCY
            ctx.set(dut.row, steps[data][1] if 0 <= data < len(steps) else rng.getrandbits(ROW))
            if cycle >= Window.LATENCY:
                centre = cycle - Window.LATENCY
                assert ctx.get(dut.valid) == centre % 512
                assert ctx.get(dut.centre.valid) == centre & 1
                assert ctx.get(dut.pass_end_early) == (
                    (centre + Window.PASS_END_LEAD) % 4 == 3)
                got.append([ctx.get(dut.window[tap]) for tap in range(TAPS)])
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()

    newer, older, columns = [0] * WIDTH, [0] * WIDTH, [(0, 0, 0)]
    for step, row in steps:
        if step["write"]:
            x = step["column"]
            pixel = spread_pixel(row, step["quarter"], spread, blocks) if step["pixel"] else 0
            columns.append((older[x], newer[x], pixel))
            older[x], newer[x] = newer[x], pixel
        else:
            columns.append((0, 0, 0))
    columns.append((0, 0, 0))
    assert got == [[columns[t + kx][ky] for ky in range(3) for kx in range(3)]
                   for t in range(len(steps))]
