import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.fc_lanes import CHUNKS
from overlays.gateware.fc_loader import AVAILABLE, FIRST, FcLoader


@pytest.mark.parametrize("release_pace", [0.05, 0.9])
@pytest.mark.parametrize("outputs, chunks, last", [(64, 3, 0), (5, 7, 1), (6, 7, 1), (3, 2, 1)])
def test_each_pair_goes_to_its_place(outputs, chunks, last, release_pace):
    rng, dut = random.Random(1), FcLoader()
    total = (outputs + 1) // 2 * chunks
    thresholds = 0 if last else outputs // 8
    expected = [("threshold", n) for n in range(thresholds)]
    expected += [(part, chunk % CHUNKS) for chunk in range(total) for part in range(4)]
    got, released = [], 0

    async def bench(ctx):
        nonlocal released
        for port, value in ((dut.outputs, outputs), (dut.chunks, chunks), (dut.last, last)):
            ctx.set(port, value)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for _ in range(FIRST - 1):
            assert not ctx.get(dut.pairs.ready)
            await ctx.tick()
        assert ctx.get(dut.pairs.ready)
        complete, recent, came = 0, [0] * AVAILABLE, False
        while not ctx.get(dut.idle) or came or complete > released:
            assert ctx.get(dut.available) == (recent.pop(0) > released)
            write = ctx.get(dut.write)
            if not came:
                assert not write
                assert not ctx.get(dut.write_threshold)
            elif ctx.get(dut.write_threshold):
                assert not write
                got.append(("threshold", ctx.get(dut.threshold_place)))
            else:
                part = write.bit_length() - 1
                assert write == 1 << part
                got.append((part, ctx.get(dut.write_place)))
            ctx.set(dut.pairs.valid, rng.random() < 0.9)
            release = ctx.get(dut.available) and rng.random() < release_pace
            ctx.set(dut.take, release)
            came = ctx.get(dut.pairs.valid) and ctx.get(dut.pairs.ready)
            taken = len(got) + came
            complete = min(max(taken - thresholds, 0) // 4, total)
            recent.append(complete)
            await ctx.tick()
            released += release
            assert complete - released < CHUNKS

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert got == expected
    assert released == total
