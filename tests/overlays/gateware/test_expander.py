import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.expander import WRITES, Expander
from overlays.gateware.weight_cells import GROUP, GROUPS


def counts(unit, x):
    """Lanes of each group in which the unit differs from x; the last group has two lanes."""
    return [sum((unit >> lane ^ x >> lane % GROUP) & 1
                for lane in range(GROUP * g, min(GROUP * g + GROUP, UNIT)))
            for g in range(GROUPS)]


@pytest.mark.parametrize("members", (1, 2))
def test_a_unit_is_written_once_for_each_window_whatever_the_phase(members):
    rng = random.Random(members)
    dut, cycle, written, loads = Expander(members), 0, [], []

    async def bench(ctx):
        nonlocal cycle

        async def tick():
            nonlocal cycle
            ctx.set(dut.phase, cycle % WRITES)
            write, address = ctx.get(dut.write.as_value()), ctx.get(dut.address)
            await ctx.tick()
            cycle += 1
            if write:
                written.append((cycle - 1, write, address.slot, address.x, [
                    ctx.get(dut.contents[g]) for g in range(GROUPS)]))

        for gap in [WRITES] * 4 + [WRITES + n for n in range(9)]:
            unit, tap, slot = rng.getrandbits(UNIT), rng.randrange(TAPS), rng.randrange(4)
            member = rng.randrange(members)
            loads.append((cycle, unit, TAPS * member + tap, slot))
            ctx.set(dut.load, 1 << member)
            await tick()
            ctx.set(dut.load, 0)
            ctx.set(dut.entry, {"unit": unit, "tap": 1 << tap, "slot": slot})
            await tick()
            ctx.set(dut.entry, {"unit": rng.getrandbits(UNIT), "tap": 1, "slot": 0})
            for _ in range(gap - 2):
                await tick()
        for _ in range(2 * WRITES):
            await tick()

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    assert len(written) == WRITES * len(loads)
    for number, (begin, unit, tap, slot) in enumerate(loads):
        mine = written[WRITES * number:WRITES * (number + 1)]
        assert [entry[0] for entry in mine] == [
            begin + Expander.LATENCY + n for n in range(WRITES)]
        assert {entry[3] for entry in mine} == set(range(WRITES))
        for _, write, into, x, contents in mine:
            assert (write, into, contents) == (1 << tap, slot, counts(unit, x))
