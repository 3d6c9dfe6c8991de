"""Bursts over one and two streams become the one stream that they were."""

import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.dma_read_port import BURST_UNITS
from overlays.gateware.parameter_streams import ParameterStreams

DEPTH = 256
MOST_CYCLES = 6000


def simulate(streams, bench):
    dut = ParameterStreams(DEPTH, streams)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)

    async def testbench(ctx):
        await bench(ctx, dut)

    simulator.add_testbench(testbench)
    simulator.run()


async def pass_through(ctx, dut, sides, rng, offers, takes, count):
    """Offer each stream its units and take all, singly or in pairs: what came out."""
    got, left = [], [list(side) for side in sides]
    for _ in range(MOST_CYCLES):
        for port, units in zip(dut.w, left):
            ctx.set(port.valid, bool(units) and rng.random() < offers)
            ctx.set(port.payload, units[0] if units else 0)
        # pairs and units are mixed, but for a unit that an odd number of units would split
        pair = rng.random() < 0.5 if len(got) % 2 == 0 else False
        ready = rng.random() < takes
        ctx.set(dut.r.ready, ready and not pair)
        ctx.set(dut.pairs.ready, ready and pair)
        if ready and ctx.get(dut.r.valid):
            assert ctx.get(dut.pairs.valid)
            payload = ctx.get(dut.pairs.payload if pair else dut.r.payload)
            got += [payload & (1 << 128) - 1, payload >> 128] if pair else [payload]
        for port, units in zip(dut.w, left):
            if ctx.get(port.valid) and ctx.get(port.ready):
                units.pop(0)
        await ctx.tick()
        if len(got) == count:
            return got
    raise AssertionError(f"{len(got)} of {count} units came out")


def by_turns(units, streams):
    bursts = [units[n:n + BURST_UNITS] for n in range(0, len(units), BURST_UNITS)]
    return [sum(bursts[n::streams], []) for n in range(streams)]


@pytest.mark.parametrize("streams", (1, 2))
@pytest.mark.parametrize("offers, takes", [(1, 1), (1, 0.3), (0.3, 1), (0.7, 0.7)])
@pytest.mark.parametrize("bursts", (59, 60))
def test_order(streams, offers, takes, bursts):
    rng = random.Random(streams)
    units = [rng.getrandbits(128) for _ in range(bursts * BURST_UNITS)]

    async def bench(ctx, dut):
        assert ctx.get(dut.empty)
        got = await pass_through(ctx, dut, by_turns(units, streams), rng, offers, takes,
                                 len(units))
        assert got == units
        await ctx.tick().repeat(2)
        assert ctx.get(dut.empty)
        assert not ctx.get(dut.r.valid)

    simulate(streams, bench)


def test_one_stream_alone_gives_no_more_than_its_burst():
    """The next burst is the other one's, though this one has more."""
    units = list(range(3 * BURST_UNITS))
    others = list(range(1000, 1000 + BURST_UNITS))
    rng = random.Random(0)

    async def bench(ctx, dut):
        got = await pass_through(ctx, dut, (units, []), rng, 1, 0.5, BURST_UNITS)
        assert got == units[:BURST_UNITS]
        ctx.set(dut.w[0].valid, 0)
        await ctx.tick().repeat(40)
        for port in (dut.r, dut.pairs):
            assert not ctx.get(port.valid)
        assert not ctx.get(dut.empty)
        got = await pass_through(ctx, dut, ([], others), rng, 1, 0.5, BURST_UNITS)
        assert got == others

    simulate(2, bench)


@pytest.mark.parametrize("filled", (0, 1))
def test_either_streams_units_are_not_nothing(filled):
    async def bench(ctx, dut):
        port = dut.w[filled]
        ctx.set(port.valid, 1)
        await ctx.tick().repeat(BURST_UNITS)
        ctx.set(port.valid, 0)
        await ctx.tick().repeat(10)
        assert not ctx.get(dut.empty)

    simulate(2, bench)


def test_two_streams_give_two_units_a_cycle():
    units = list(range(64 * BURST_UNITS))

    async def bench(ctx, dut):
        taken, sides = [], by_turns(units, 2)
        for cycle in range(len(units)):
            for port, side in zip(dut.w, sides):
                ctx.set(port.valid, bool(side))
                ctx.set(port.payload, side[0] if side else 0)
                if side and ctx.get(port.ready):
                    side.pop(0)
            ctx.set(dut.pairs.ready, 1)
            if ctx.get(dut.pairs.valid):
                taken.append(cycle)
            await ctx.tick()
        assert len(taken) == len(units) // 2
        assert taken[-1] - taken[0] < 1.05 * len(units) / 2

    simulate(2, bench)
