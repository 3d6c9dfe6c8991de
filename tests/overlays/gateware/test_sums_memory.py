import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.sums_memory import READ_LATENCY, SumsMemory


@pytest.mark.parametrize("batch", [1, 2, 3, 8])  # less than a bank, and up to two
def test_every_image_has_a_burst_of_sixteen_words(batch):
    rng = random.Random(2)
    dut = SumsMemory(batch)
    sums = {(image, index): rng.getrandbits(16) for image in range(batch) for index in range(64)}

    async def bench(ctx):
        places = [place for place in sums if place[1] % 2 == 0]
        rng.shuffle(places)
        ctx.set(dut.write.enable, 1)
        for image, index in places:
            ctx.set(dut.write.image, image)
            ctx.set(dut.write.pair, index // 2)
            ctx.set(dut.write.sums, sums[image, index] | sums[image, index + 1] << 16)
            await ctx.tick()
        ctx.set(dut.write.enable, 0)
        asked = [rng.randrange(16 * batch) for _ in range(100)]  # another word in each cycle
        for cycle in range(len(asked) + READ_LATENCY):
            ctx.set(dut.address, asked[cycle] if cycle < len(asked) else 0)
            if cycle >= READ_LATENCY:
                image, word = divmod(asked[cycle - READ_LATENCY], 16)
                expected = sum(sums[image, 4 * word + n] << 16 * n for n in range(4))
                assert ctx.get(dut.word) == expected
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
