import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.thresholds import ENTRIES, ENTRY, Thresholds


@pytest.mark.parametrize("reducers", (4, 8, 16))
@pytest.mark.parametrize("spread", (0, 1, 2))
@pytest.mark.parametrize("stall", (0, 0.3))
def test_output_j_of_a_pass_lies_at_reducer_j_times_its_reducers(reducers, spread, stall):
    rng = random.Random(reducers + spread)
    outputs, per_pass = 64, reducers >> spread
    values = [(rng.randint(-32768, 32767), rng.getrandbits(1)) for _ in range(outputs)]
    entries = [t & 0xFFFF | flip << 16 for t, flip in values]
    units = [sum(entry << ENTRY * i for i, entry in enumerate(entries[n:n + ENTRIES]))
             for n in range(0, outputs, ENTRIES)]
    dut = Thresholds(reducers)

    async def bench(ctx):
        ctx.set(dut.spread, spread)
        ctx.set(dut.outputs, outputs)
        await ctx.tick()
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        assert not ctx.get(dut.units.ready)
        await ctx.tick().repeat(Thresholds.START_CYCLES - 1)
        cycles = 0
        for unit in units:
            while rng.random() < stall:
                await ctx.tick()
            ctx.set(dut.units.payload, unit)
            ctx.set(dut.units.valid, 1)
            taken = False
            while not taken:
                taken = ctx.get(dut.units.ready)
                assert not ctx.get(dut.done)
                cycles += 1
                await ctx.tick()
            ctx.set(dut.units.valid, 0)
        each = max(1, ENTRIES // per_pass)
        assert stall or cycles == (len(units) - 1) * each + 1
        ctx.set(dut.units.valid, 1)
        for cycle in range(Thresholds.WRITE_CYCLES):
            assert not ctx.get(dut.units.ready), "a unit of weights was taken"
            assert ctx.get(dut.done) == (cycle == 0)
            await ctx.tick()
        for number in range(outputs // per_pass):
            ctx.set(dut.index, number)
            await ctx.tick().repeat(Thresholds.READ_LATENCY)
            for j in range(per_pass):
                entry = dut.thresholds[j << spread]
                assert (ctx.get(entry.t), ctx.get(entry.flip)) == values[number * per_pass + j]

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
