import random

from amaranth.sim import Simulator

from overlays.gateware.unit_memory import READ_LATENCY, UnitMemory


def test_words_of_the_units_written_since_restart():
    rng, depth = random.Random(1), 8
    dut = UnitMemory(depth)

    async def fill(ctx, units):
        ctx.set(dut.restart, 1)
        await ctx.tick()
        ctx.set(dut.restart, 0)
        for unit in units:
            ctx.set(dut.unit, unit)
            ctx.set(dut.write, 1)
            await ctx.tick()
            ctx.set(dut.write, 0)
            await ctx.tick().repeat(1 + rng.randrange(3))

    async def read(ctx):
        got = []
        for address in range(2 * depth + READ_LATENCY):
            if address >= READ_LATENCY:
                got.append(ctx.get(dut.word))
            ctx.set(dut.address, address % (2 * depth))
            await ctx.tick()
        return got

    def words(units):
        return [unit >> 64 * half & (1 << 64) - 1 for unit in units for half in range(2)]

    async def bench(ctx):
        first = [rng.getrandbits(128) for _ in range(depth)]
        beyond = [rng.getrandbits(128) for _ in range(2)]
        await fill(ctx, first + beyond)
        assert await read(ctx) == words(first)
        second = [rng.getrandbits(128) for _ in range(3)]
        await fill(ctx, second)
        assert await read(ctx) == words(second + first[3:])

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
