import random

from amaranth.sim import Simulator

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.reducer import Reducer

ONES = (1 << UNIT) - 1


def random_bits(rng):
    return rng.choice((0, ONES, rng.getrandbits(UNIT), rng.getrandbits(UNIT)))


def test_mismatches_follow_latency_cycles_later():
    rng = random.Random(1)
    inputs = [([0] * TAPS, [ONES] * TAPS, 0x1FF), ([ONES] * TAPS, [ONES] * TAPS, 0x1FF)]
    inputs += [([random_bits(rng) for _ in range(TAPS)], [random_bits(rng) for _ in range(TAPS)],
                rng.choice((0x1FF, rng.getrandbits(TAPS)))) for _ in range(80)]
    # one lane after the other: each counts, and once
    inputs += [([1 << lane if tap == lane % TAPS else 0 for tap in range(TAPS)], [0] * TAPS, 0x1FF)
               for lane in range(UNIT)]
    got = []
    dut = Reducer()

    async def bench(ctx):
        for window, weights, valid in inputs:
            ctx.set(dut.window, window)
            ctx.set(dut.weights, weights)
            ctx.set(dut.valid, valid)
            got.append(ctx.get(dut.mismatches))
            await ctx.tick()
        for _ in range(Reducer.LATENCY):
            got.append(ctx.get(dut.mismatches))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    assert got[Reducer.LATENCY:] == [
        sum(bin(w ^ x).count("1") for tap, (w, x) in enumerate(zip(window, weights))
            if valid >> tap & 1)
        for window, weights, valid in inputs]
