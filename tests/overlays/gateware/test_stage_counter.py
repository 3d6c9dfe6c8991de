"""A stage's cycles, counted."""

import random

import pytest

pytest.importorskip("amaranth")
from amaranth.sim import Simulator

from overlays.gateware.stage_counter import StageCounter
from pynq_bnn import registers as r


def run(bench):
    dut = StageCounter()

    async def testbench(ctx):
        await bench(ctx, dut)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()


def counts(ctx, dut):
    return [ctx.get(dut.entry[name]) for name in ("kind", "cycles", "busy", "wait")]


async def begin(ctx, dut, kind):
    ctx.set(dut.begin, 1)
    ctx.set(dut.kind, kind)
    await ctx.tick()
    ctx.set(dut.begin, 0)


def test_it_counts_what_it_is_told_while_the_stage_runs():
    rng = random.Random(1)

    async def bench(ctx, dut):
        for kind in (r.LAST, r.FP_CONV):
            await begin(ctx, dut, kind)
            wanted = [kind, 0, 0, 0]
            for _ in range(300):
                runs, busy, waits = (rng.random() < 0.7 for _ in range(3))
                for port, value in ((dut.runs, runs), (dut.busy, busy), (dut.waiting, waits)):
                    ctx.set(port, value)
                wanted[1:] = (wanted[1] + runs, wanted[2] + (runs and busy),
                              wanted[3] + (runs and waits))
                await ctx.tick()
            ctx.set(dut.runs, 0)
            await ctx.tick().repeat(StageCounter.LATENCY - 1)
            assert counts(ctx, dut) == wanted

    run(bench)


def test_a_carry_into_the_upper_half_takes_its_latency():
    async def bench(ctx, dut):
        await begin(ctx, dut, r.LAST)
        ctx.set(dut.runs, 1)
        await ctx.tick().repeat(0x10000)
        ctx.set(dut.runs, 0)
        await ctx.tick().repeat(StageCounter.LATENCY - 2)
        assert counts(ctx, dut)[1] != 0x10000
        await ctx.tick()
        assert counts(ctx, dut)[1] == 0x10000

    run(bench)
