import itertools
import random

from amaranth import Module, Signal
from amaranth.sim import Simulator

from overlays.gateware.config import UNIT
from overlays.gateware.weight_cells import GROUP, GROUPS, NO_SLOT, SLOTS, WeightCells, next_slot


def weights_of(unit, group):
    return unit >> GROUP * group & (1 << GROUP) - 1


def contents_for(unit, x):
    """What docs of WeightCells say lies at x: a count of two bits for each group."""
    return sum(bin(weights_of(unit, g) ^ x & (7 if g < GROUPS - 1 else 3)).count("1") << 2 * g
               for g in range(GROUPS))


def simulate(bench):
    dut = WeightCells()
    sim = Simulator(dut)
    sim.add_clock(1e-8)

    async def process(ctx):
        await bench(ctx, dut)

    sim.add_testbench(process)
    sim.run()


async def write(ctx, dut, slot, unit):
    for x in range(1 << GROUP):
        ctx.set(dut.write, 1)
        ctx.set(dut.address, {"x": x, "slot": slot})
        await ctx.tick()
        ctx.set(dut.write, 0)
        ctx.set(dut.contents.as_value(), contents_for(unit, x))
    await ctx.tick()


def test_every_weight_and_window_in_every_slot():
    """All 8 x 8 cases of a cell in every slot, the others holding other weights meanwhile."""
    units = [sum((x + slot) % 8 << GROUP * g for g, x in zip(range(GROUPS), itertools.cycle(
        range(8)))) & (1 << UNIT) - 1 for slot in range(SLOTS)]

    async def bench(ctx, dut):
        for slot, unit in enumerate(units):
            await write(ctx, dut, slot, unit)
        seen = set()
        for slot, unit in enumerate(units):
            ctx.set(dut.slot, slot)
            await ctx.tick()
            for x in range(8):
                ctx.set(dut.window, sum(x << GROUP * g for g in range(GROUPS)) & (1 << UNIT) - 1)
                differ = ctx.get(dut.differ.as_value())
                assert differ == contents_for(unit, x)
                seen |= {(slot, x, weights_of(unit, g)) for g in range(GROUPS - 1)}
        assert len(seen) == 8 * 8 * SLOTS
        ctx.set(dut.slot, NO_SLOT)
        await ctx.tick()
        for x in range(8):
            ctx.set(dut.window, sum(x << GROUP * g for g in range(GROUPS)) & (1 << UNIT) - 1)
            assert ctx.get(dut.differ.as_value()) == 0

    simulate(bench)


def test_random_units():
    rng = random.Random(1)

    async def bench(ctx, dut):
        held = [0] * SLOTS
        for _ in range(12):
            slot = rng.randrange(SLOTS)
            held[slot] = rng.getrandbits(UNIT)
            await write(ctx, dut, slot, held[slot])
            for slot, unit in enumerate(held):
                window = rng.getrandbits(UNIT)
                ctx.set(dut.slot, slot)
                ctx.set(dut.window, window)
                await ctx.tick()
                differ = ctx.get(dut.differ.as_value())
                if unit:
                    assert sum(differ >> 2 * g & 3 for g in range(GROUPS)) == bin(
                        unit ^ window).count("1")

    simulate(bench)


def test_slots_follow_each_other():
    slot, seen = Signal(2), []

    async def process(ctx):
        for value in (0, 1, 2):
            ctx.set(slot, value)
            seen.append(ctx.get(next_slot(slot)))

    sim = Simulator(Module())
    sim.add_testbench(process)
    sim.run()
    assert seen == [1, 2, 0]
