import functools
import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.weights import PASSES, Weights

REDUCERS = 2


def simulate(bench, reducers=REDUCERS):
    dut = Weights(reducers)
    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(functools.partial(bench, dut=dut))
    sim.run()


async def start(ctx, dut, spread, passes):
    ctx.set(dut.spread, spread)
    ctx.set(dut.passes, passes)
    await ctx.tick()
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    for _ in range(Weights.START_CYCLES - 1):
        assert not ctx.get(dut.units.ready)
        await ctx.tick()


async def give(ctx, dut, unit):
    ctx.set(dut.units.payload, unit)
    ctx.set(dut.units.valid, 1)
    taken = ctx.get(dut.units.ready)
    await ctx.tick()
    ctx.set(dut.units.valid, 0)
    return taken


def units_of_pass(rng, spread, reducers=REDUCERS):
    """Units in the order of the stream, and by (reducer, tap)."""
    banks, units = {}, []
    for output in range(reducers >> spread):
        for tap in range(TAPS):
            for quarter in range(1 << spread):
                unit = rng.getrandbits(UNIT)
                units.append(unit)
                banks[(output << spread) + quarter, tap] = unit
    return units, banks


@pytest.mark.parametrize("reducers, spread", ((2, 0), (2, 1), (8, 0), (8, 1), (8, 2)))
def test_a_pass_is_read_write_latency_after_its_last_unit(reducers, spread):
    rng = random.Random(spread)

    async def bench(ctx, dut):
        await start(ctx, dut, spread, 3)
        for number in range(3):
            units, banks = units_of_pass(rng, spread, reducers)
            for unit in units:
                while rng.random() < 0.3:
                    await ctx.tick()
                assert not ctx.get(dut.loaded)
                ctx.set(dut.slot, number)
                assert await give(ctx, dut, unit)
            for cycle in range(1, Weights.LOADED_LATENCY + 1):
                assert ctx.get(dut.loaded) == (cycle == Weights.LOADED_LATENCY)
                if cycle == Weights.WRITE_LATENCY:
                    assert {(r, t): ctx.get(dut.weights[r][t]) for r, t in banks} == banks
                ctx.set(dut.take, ctx.get(dut.loaded))
                await ctx.tick()
            ctx.set(dut.take, 0)
            await ctx.tick().repeat(Weights.LOADED_LATENCY - 1)
        assert not await give(ctx, dut, 0), "a unit of the next layer was taken"

    simulate(bench, reducers)


def test_slots_are_filled_only_when_free_and_read_after_read_latency():
    rng = random.Random(3)

    async def bench(ctx, dut):
        await start(ctx, dut, 0, PASSES + 1)
        passes = [units_of_pass(rng, 0) for _ in range(PASSES + 1)]
        for units, _ in passes[:PASSES]:
            for unit in units:
                assert await give(ctx, dut, unit)
        assert not await give(ctx, dut, passes[-1][0][0]), "all banks hold passes"
        for number in (PASSES - 1, 5, 0):
            ctx.set(dut.slot, number)
            await ctx.tick().repeat(Weights.READ_LATENCY)
            for (r, t), unit in passes[number][1].items():
                assert ctx.get(dut.weights[r][t]) == unit
        for pulse in (dut.take, dut.release):
            ctx.set(pulse, 1)
            await ctx.tick()
            ctx.set(pulse, 0)
        for _ in range(Weights.RELEASE_LATENCY - 1):
            assert not ctx.get(dut.units.ready)
            await ctx.tick()
        for unit in passes[-1][0]:
            assert await give(ctx, dut, unit)
        await ctx.tick().repeat(Weights.WRITE_LATENCY)
        for (r, t), unit in passes[-1][1].items():
            assert ctx.get(dut.weights[r][t]) == unit, "pass 32 lies in slot 0"

    simulate(bench)
