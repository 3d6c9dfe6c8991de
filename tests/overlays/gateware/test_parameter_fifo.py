"""The parameter FIFO against a list, with pauses on both sides."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from overlays.gateware.parameter_fifo import LATENCY, ParameterFifo

DEPTH = 64


def run(bench, reset=None):
    dut = ParameterFifo(DEPTH)

    async def testbench(ctx):
        await bench(ctx, dut)

    simulator = Simulator(ResetInserter(reset)(dut) if reset is not None else dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()


async def cycle(ctx, dut, offered, ready, pair=False):
    """Offer a unit (or None) for a cycle, take a unit or a pair if ready: whether it was accepted,
    and what left, or None."""
    ctx.set(dut.w.valid, offered is not None)
    ctx.set(dut.w.payload, offered or 0)
    ctx.set(dut.r.ready, ready and not pair)
    ctx.set(dut.pairs.ready, ready and pair)
    accepted = offered is not None and ctx.get(dut.w.ready)
    port = dut.pairs if pair else dut.r
    left = ctx.get(port.payload) if ready and ctx.get(port.valid) else None
    await ctx.tick()
    return accepted, left


@pytest.mark.parametrize("offers, takes", [(1, 1), (1, 0.3), (0.3, 1), (0.7, 0.7)])
def test_what_goes_in_comes_out_in_order(offers, takes):
    rng = random.Random(3)
    units = [rng.getrandbits(128) | 1 for _ in range(300)]

    async def bench(ctx, dut):
        sent, got, before, since = 0, [], True, 9
        for _ in range(4000):
            offered = units[sent] if sent < len(units) and rng.random() < offers else None
            accepted, left = await cycle(ctx, dut, offered, rng.random() < takes)
            sent += bool(accepted)
            since = 0 if accepted else since + 1
            if left is not None:
                got.append(left)
            # told a cycle late; and while one has just come it may not be counted yet
            empty = sent // 2 == len(got) // 2
            assert since < 2 or ctx.get(dut.empty) in (empty, before)
            before = empty
        assert got == units

    run(bench)


@pytest.mark.parametrize("offers, takes", [(1, 1), (1, 0.3), (0.3, 1), (0.7, 0.7)])
def test_pairs_and_units_by_turns(offers, takes):
    rng = random.Random(4)
    units = [rng.getrandbits(128) | 1 for _ in range(400)]

    async def bench(ctx, dut):
        sent, got, pair = 0, [], False
        for _ in range(4000):
            offered = units[sent] if sent < len(units) and rng.random() < offers else None
            if len(got) % 2 == 0:
                pair = rng.random() < 0.5
            accepted, left = await cycle(ctx, dut, offered, rng.random() < takes, pair)
            sent += bool(accepted)
            if left is not None:
                got += [left & (1 << 128) - 1, left >> 128] if pair else [left]
        assert got == units

    run(bench)


def test_a_pair_a_cycle_leaves():
    async def bench(ctx, dut):
        await ctx.tick()
        for number in range(DEPTH):
            assert (await cycle(ctx, dut, number, False))[0]
        for _ in range(LATENCY):
            await cycle(ctx, dut, None, False)
        got = [(await cycle(ctx, dut, None, True, True))[1] for _ in range(DEPTH // 2)]
        assert got == [2 * n | 2 * n + 1 << 128 for n in range(DEPTH // 2)]

    run(bench)


def test_it_holds_its_depth_and_refuses_more_at_some_point():
    async def bench(ctx, dut):
        held = 0
        for _ in range(3 * DEPTH):
            held += bool((await cycle(ctx, dut, held + 1, False))[0])
        assert DEPTH <= held < 2 * DEPTH
        got = [(await cycle(ctx, dut, None, True))[1] for _ in range(3 * DEPTH)]
        assert [unit for unit in got if unit is not None] == list(range(1, held // 2 * 2 + 1))

    run(bench)


def test_a_unit_a_cycle_passes_and_the_first_after_the_latency():
    async def bench(ctx, dut):
        await ctx.tick()
        got = [(await cycle(ctx, dut, number + 1, True))[1] for number in range(4 * DEPTH)]
        assert got == [None] * LATENCY + list(range(1, 4 * DEPTH + 1 - LATENCY))

    run(bench)


def test_a_reset_empties_it():
    reset = Signal()

    async def bench(ctx, dut):
        for number in range(51):  # an odd number of units in, and out
            await cycle(ctx, dut, number + 1, number > 41)
        ctx.set(reset, 1)
        ctx.set(dut.w.valid, 0)
        await ctx.tick()
        ctx.set(reset, 0)
        await ctx.tick()
        assert ctx.get(dut.empty)
        for _ in range(10):
            assert (await cycle(ctx, dut, None, True))[1] is None
        await cycle(ctx, dut, 1000, True)
        await cycle(ctx, dut, 1001, True)
        got = [(await cycle(ctx, dut, None, True))[1] for _ in range(12)]
        assert [unit for unit in got if unit is not None] == [1000, 1001]

    run(bench, reset)


@pytest.mark.parametrize("depth", [32, 100])
def test_an_odd_depth_is_refused(depth):
    with pytest.raises(ValueError, match="power of two"):
        ParameterFifo(depth)
