import functools
import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.config import GROUP_UNITS, TAPS, UNIT
from overlays.gateware.expander import WRITES
from overlays.gateware.weight_cells import SLOTS
from overlays.gateware.weights import Weights

COUNTS = (8, 16)


def simulate(bench, reducers):
    dut = Weights(reducers)
    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(functools.partial(bench, dut=dut))
    sim.run()


async def start(ctx, dut, passes):
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


def units_of_pass(rng, reducers, number):
    """Units in the order of the stream, each with reducer, tap and slot."""
    return [(rng.getrandbits(UNIT), group + place, tap, number % SLOTS)
            for group in range(0, reducers, GROUP_UNITS) for tap in range(TAPS)
            for place in range(GROUP_UNITS)]


@pytest.mark.parametrize("reducers", COUNTS)
def test_units_go_to_their_reducers_in_time(reducers):
    """Each in the second cycle after it was taken, none sooner than its expander can take it."""
    rng = random.Random(reducers)
    seen = []

    async def watch(ctx, dut):
        cycle = 0
        async for *_, load in ctx.tick().sample(dut.load.as_value()):
            cycle += 1
            if load:
                bit = load.bit_length() - 1
                assert load == 1 << bit
                place, group = divmod(bit, reducers // GROUP_UNITS)
                entry = ctx.get(dut.entries[place])
                seen.append((cycle, entry.unit, GROUP_UNITS * group + place, entry.tap, entry.slot))

    async def bench(ctx, dut):
        passes = 2 * SLOTS
        await start(ctx, dut, passes)
        units = []
        for number in range(passes):
            of_pass = units_of_pass(rng, reducers, number)
            for unit, *_ in of_pass:
                assert await give(ctx, dut, unit)
            units += of_pass
            await ctx.tick().repeat(Weights.LOADED_LATENCY)
            for pulse in (dut.take, dut.release):
                ctx.set(pulse, 1)
                await ctx.tick()
                ctx.set(pulse, 0)
            await ctx.tick().repeat(Weights.RELEASE_LATENCY)
        await ctx.tick().repeat(4)
        assert [(unit, reducer, tap.bit_length() - 1, slot)
                for _, unit, reducer, tap, slot in seen] == units
        by_expander = {}
        for cycle, _, reducer, _, _ in seen:
            expander = reducer % GROUP_UNITS
            assert cycle - by_expander.get(expander, -WRITES) >= WRITES
            by_expander[expander] = cycle

    dut = Weights(reducers)
    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(functools.partial(watch, dut=dut), background=True)
    sim.add_testbench(functools.partial(bench, dut=dut))
    sim.run()


@pytest.mark.parametrize("reducers", COUNTS)
def test_loaded_follows_the_last_unit_of_a_pass(reducers):
    rng = random.Random(1)

    async def bench(ctx, dut):
        await start(ctx, dut, 2)
        for number in range(2):
            for unit, *_ in units_of_pass(rng, reducers, number):
                assert not ctx.get(dut.loaded)
                assert await give(ctx, dut, unit)
            for cycle in range(1, Weights.LOADED_LATENCY + 1):
                assert ctx.get(dut.loaded) == (cycle == Weights.LOADED_LATENCY)
                ctx.set(dut.take, ctx.get(dut.loaded))
                await ctx.tick()
            ctx.set(dut.take, 0)
            await ctx.tick().repeat(Weights.LOADED_LATENCY - 1)
        assert not await give(ctx, dut, 0), "a unit of the next layer was taken"

    simulate(bench, reducers)


@pytest.mark.parametrize("reducers", COUNTS)
def test_slots_are_filled_only_when_free(reducers):
    rng = random.Random(3)

    async def bench(ctx, dut):
        await start(ctx, dut, SLOTS + 1)
        for number in range(SLOTS):
            for unit, *_ in units_of_pass(rng, reducers, number):
                assert await give(ctx, dut, unit)
        await ctx.tick().repeat(5)
        assert not await give(ctx, dut, 0), "all slots hold passes"
        for pulse in (dut.take, dut.release):
            ctx.set(pulse, 1)
            await ctx.tick()
            ctx.set(pulse, 0)
        for _ in range(Weights.RELEASE_LATENCY - 1):
            assert not ctx.get(dut.units.ready)
            await ctx.tick()
        for unit, *_ in units_of_pass(rng, reducers, SLOTS):
            assert await give(ctx, dut, unit)
        await ctx.tick().repeat(5)
        assert not await give(ctx, dut, 0), "a unit of the next layer was taken"

    simulate(bench, reducers)


@pytest.mark.parametrize("reducers", (4, 12, 32))
def test_other_counts_are_refused(reducers):
    with pytest.raises(ValueError, match="8 or 16 can be had"):
        Weights(reducers)
