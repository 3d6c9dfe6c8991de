import random

from amaranth.sim import Simulator

from overlays.gateware.config import WORD
from overlays.gateware.fc_lanes import CHUNKS, LATENCY, FcLanes


def test_counts_lanes_that_differ_from_the_weights_at_a_place():
    rng, dut = random.Random(1), FcLanes()
    weights = [rng.getrandbits(WORD) for _ in range(CHUNKS)]
    asked = [(rng.randrange(CHUNKS), rng.getrandbits(WORD)) for _ in range(200)]
    asked += [(5, weights[5]), (6, weights[6] ^ (1 << WORD) - 1)]
    asked += [(7, weights[7] ^ 1 << lane) for lane in range(WORD)]
    owned, counts = [rng.random() < 0.8 for _ in asked], []

    async def bench(ctx):
        for place, word in enumerate(weights):
            ctx.set(dut.write, 1)
            ctx.set(dut.write_place, place)
            await ctx.tick()
            ctx.set(dut.write, 0)
            ctx.set(dut.weights, word)
        await ctx.tick()
        row, ahead = 0, [False] * (LATENCY - 1)
        for (place, word), own in zip(asked + [(0, 0)] * (LATENCY + 1),
                                      owned + [False] * (LATENCY + 1)):
            ahead.append(own)
            ctx.set(dut.owned, ahead.pop(0))
            counts.append(ctx.get(dut.count))
            ctx.set(dut.place, place)
            ctx.set(dut.row, row)  # a cycle behind its place
            row = word
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert counts[LATENCY + 1:] == [own * bin(weights[place] ^ word).count("1")
                                    for (place, word), own in zip(asked, owned)]
