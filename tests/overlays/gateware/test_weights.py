import functools
import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.config import GROUP_UNITS, TAPS, UNIT
from overlays.gateware.expander import WRITES
from overlays.gateware.weight_cells import SLOTS
from overlays.gateware.weights import Weights

SHAPES = ((8, 1), (16, 1), (16, 2))
"""Reducers, units in a cycle."""
shapes = pytest.mark.parametrize("reducers, width", SHAPES)


def simulate(bench, reducers, width, watch=None):
    dut = Weights(reducers, width)
    sim = Simulator(dut)
    sim.add_clock(1e-8)
    if watch:
        sim.add_testbench(functools.partial(watch, dut=dut), background=True)
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


async def give(ctx, dut, *units):
    """Offer what a cycle brings."""
    ctx.set(dut.units.payload, sum(unit << UNIT * n for n, unit in enumerate(units)))
    ctx.set(dut.units.valid, 1)
    taken = ctx.get(dut.units.ready)
    await ctx.tick()
    ctx.set(dut.units.valid, 0)
    return taken


async def give_all(ctx, dut, units):
    for n in range(0, len(units), dut.width):
        assert await give(ctx, dut, *(unit for unit, *_ in units[n:n + dut.width]))


async def pulse(ctx, signal):
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)


async def use(ctx, dut, passes):
    """Take and release so many passes."""
    for _ in range(passes):
        await pulse(ctx, dut.take)
        await ctx.tick().repeat(Weights.LOADED_LATENCY)
        await pulse(ctx, dut.release)


def units_of_group(rng, reducers, number):
    """Units in the order of the stream, each with reducer, tap and slot."""
    first = number * GROUP_UNITS // reducers
    return [(rng.getrandbits(UNIT), place % reducers, tap, (first + place // reducers) % SLOTS)
            for tap in range(TAPS) for place in range(GROUP_UNITS)]


@shapes
def test_units_go_to_their_reducers_in_time(reducers, width):
    """Each in the second cycle after it was taken, none sooner than its expander can take it."""
    rng = random.Random(reducers)
    seen = []
    expanders = width * WRITES

    async def watch(ctx, dut):
        cycle = 0
        async for *_, load in ctx.tick().sample(dut.load.as_value()):
            cycle += 1
            assert bin(load).count("1") in (0, width)
            for bit in range(reducers):
                if load >> bit & 1:
                    expander, member = divmod(bit, reducers // expanders)
                    entry = ctx.get(dut.entries[expander])
                    seen.append((cycle, entry.unit, expanders * member + expander, entry.tap,
                                 entry.slot))

    async def bench(ctx, dut):
        passes = GROUP_UNITS // reducers
        groups = 2 * SLOTS
        await start(ctx, dut, groups * passes)
        units = []
        for number in range(groups):
            of_group = units_of_group(rng, reducers, number)
            await give_all(ctx, dut, of_group)
            units += of_group
            await ctx.tick().repeat(Weights.LOADED_LATENCY)
            await use(ctx, dut, passes)
            await ctx.tick().repeat(Weights.RELEASE_LATENCY)
        await ctx.tick().repeat(4)
        assert [(unit, reducer, tap.bit_length() - 1, slot)
                for _, unit, reducer, tap, slot in seen] == units
        by_expander = {}
        for cycle, _, reducer, _, _ in seen:
            expander = reducer % expanders
            assert cycle - by_expander.get(expander, -WRITES) >= WRITES
            by_expander[expander] = cycle

    simulate(bench, reducers, width, watch)


@shapes
def test_loaded_follows_the_last_unit_of_a_group(reducers, width):
    rng = random.Random(1)

    async def bench(ctx, dut):
        passes = GROUP_UNITS // reducers
        await start(ctx, dut, 2 * passes)
        for number in range(2):
            units = units_of_group(rng, reducers, number)
            for n in range(0, len(units), width):
                assert not ctx.get(dut.loaded)
                assert await give(ctx, dut, *(unit for unit, *_ in units[n:n + width]))
            for cycle in range(1, Weights.LOADED_LATENCY + 1):
                assert ctx.get(dut.loaded) == (cycle == Weights.LOADED_LATENCY)
                if cycle < Weights.LOADED_LATENCY:
                    await ctx.tick()
            for left in reversed(range(passes)):
                await pulse(ctx, dut.take)
                await ctx.tick().repeat(Weights.LOADED_LATENCY - 1)
                assert ctx.get(dut.loaded) == (left > 0)
                await pulse(ctx, dut.release)
            await ctx.tick().repeat(Weights.RELEASE_LATENCY)
        assert not await give(ctx, dut, 0), "a unit of the next layer was taken"

    simulate(bench, reducers, width)


@shapes
def test_slots_are_filled_only_when_free(reducers, width):
    rng = random.Random(3)

    async def bench(ctx, dut):
        passes = GROUP_UNITS // reducers
        fit = SLOTS // passes  # groups
        await start(ctx, dut, (fit + 1) * passes)
        for number in range(fit):
            await give_all(ctx, dut, units_of_group(rng, reducers, number))
        await ctx.tick().repeat(5)
        assert not await give(ctx, dut, 0), "there is no room for a group"
        # one pass was free from the start when a group is two
        for _ in range(passes - SLOTS % passes):
            await pulse(ctx, dut.take)
            await pulse(ctx, dut.release)
        for _ in range(Weights.RELEASE_LATENCY - 1):
            assert not ctx.get(dut.units.ready)
            await ctx.tick()
        await give_all(ctx, dut, units_of_group(rng, reducers, fit))
        await ctx.tick().repeat(5)
        assert not await give(ctx, dut, 0), "a unit of the next layer was taken"

    simulate(bench, reducers, width)


@pytest.mark.parametrize("reducers", (4, 12, 32))
def test_other_counts_are_refused(reducers):
    with pytest.raises(ValueError, match="8 or 16 can be had"):
        Weights(reducers)


def test_half_the_reducers_dont_take_two_units_a_cycle():
    with pytest.raises(ValueError, match="8 reducers don't take 2 units a cycle"):
        Weights(8, 2)
