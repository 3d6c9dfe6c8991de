import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.config import QUARTERS, ROW, UNIT
from overlays.gateware.interfaces import FMAP_READ_LATENCY
from overlays.gateware.pixels import Pixels
from pynq_bnn.registers import CHANNEL_STEP


def spread_pixel(row, quarter, spread, blocks):
    """The pixel that begins at `quarter` of a row, unowned channels 0, over all four quarters."""
    channels = (row >> quarter * UNIT) & ((1 << blocks * CHANNEL_STEP) - 1)
    stored = UNIT << spread
    return sum(channels << i for i in range(0, ROW, stored))


@pytest.mark.parametrize("spread, blocks", ((0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 7), (2, 8)))
def test_pixel_is_that_of_latency_cycles_ago(spread, blocks):
    rng = random.Random(blocks)
    steps = [(rng.random() < 0.8, rng.randrange(0, QUARTERS, 1 << spread), rng.getrandbits(ROW))
             for _ in range(60)]
    dut = Pixels()
    got = []

    async def bench(ctx):
        ctx.set(dut.spread, spread)
        ctx.set(dut.blocks, blocks)
        await ctx.tick().repeat(2)
        for cycle in range(len(steps) + Pixels.LATENCY):
            told = cycle - FMAP_READ_LATENCY + Pixels.LEAD
            pixel, quarter, _ = steps[told] if 0 <= told < len(steps) else (0, 0, 0)
            ctx.set(dut.step, {"pixel": pixel, "quarter": quarter})
            data = cycle - FMAP_READ_LATENCY
            ctx.set(dut.row, steps[data][2] if 0 <= data < len(steps) else rng.getrandbits(ROW))
            if cycle >= Pixels.LATENCY:
                got.append(ctx.get(dut.pixel))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    assert got == [spread_pixel(row, quarter, spread, blocks) if pixel else 0
                   for pixel, quarter, row in steps]
