import random

from amaranth.sim import Simulator

from overlays.gateware.stage_log import ENTRY, StageLog
from pynq_bnn import registers


def test_entries_read_at_the_offsets_of_the_table_and_unused_ones_as_zero():
    rng, dut = random.Random(4), StageLog()
    base = min(registers.offset(name) for name in ENTRY)
    entries = [[rng.getrandbits(32) for _ in ENTRY] for _ in range(registers.LOG_ENTRIES)]

    async def bench(ctx):
        for index, entry in enumerate(entries):
            ctx.set(dut.write, 1)
            ctx.set(dut.index, index)
            ctx.set(dut.entry, sum(word << 32 * n for n, word in enumerate(entry)))
            await ctx.tick()
        ctx.set(dut.write, 0)
        for used in (registers.LOG_ENTRIES, 5, 0):
            ctx.set(dut.used, used)
            for number, name in enumerate(ENTRY):
                for index, entry in enumerate(entries):
                    ctx.set(dut.address, (registers.offset(name, index) - base) // 4)
                    await ctx.tick()
                    assert ctx.get(dut.data) == (entry[number] if index < used else 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
