import random

from amaranth.sim import Simulator

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.expander import WRITES
from overlays.gateware.reducer import Reducer
from overlays.gateware.weight_cells import SLOTS

ONES = (1 << UNIT) - 1
ALL = (1 << TAPS) - 1


def random_bits(rng):
    return rng.choice((0, ONES, rng.getrandbits(UNIT), rng.getrandbits(UNIT)))


def simulate(weights, windows):
    """Mismatches of `windows` (slot, nine taps, the taps that count) after loading `weights`."""
    dut, got, phase = Reducer(), [], 0

    async def bench(ctx):
        async def tick():
            nonlocal phase
            phase += 1
            ctx.set(dut.phase, phase % WRITES)
            await ctx.tick()

        for slot, taps in enumerate(weights):
            for tap, unit in enumerate(taps):
                ctx.set(dut.load, 1)
                await tick()
                ctx.set(dut.load, 0)
                ctx.set(dut.entry, {"unit": unit, "tap": 1 << tap, "slot": slot})
                for _ in range(WRITES - 1):
                    await tick()
        # the last load came WRITES cycles ago; the first window comes as soon as it may
        for _ in range(Reducer.WRITE_LATENCY - WRITES - Reducer.LEAD):
            await tick()
        lead = Reducer.LEAD
        for n in range(len(windows) + lead + Reducer.LATENCY):
            if n < len(windows):
                ctx.set(dut.slot, windows[n][0])
                ctx.set(dut.outside, ~windows[n][2] & ALL)
            if 0 <= n - lead < len(windows):
                ctx.set(dut.window, windows[n - lead][1])
            if n >= lead + Reducer.LATENCY:
                got.append(ctx.get(dut.mismatches))
            await tick()

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    return got


def expected(weights, windows):
    return [sum(bin(w ^ x).count("1") for tap, (w, x) in enumerate(zip(weights[slot], window))
                if valid >> tap & 1) for slot, window, valid in windows]


def test_mismatches_follow_latency_cycles_later():
    rng = random.Random(1)
    weights = [[random_bits(rng) for _ in range(TAPS)] for _ in range(SLOTS - 1)]
    weights.append([0] * TAPS)
    windows = [(SLOTS - 1, [ONES] * TAPS, ALL), (0, [ONES] * TAPS, ALL)]
    windows += [(rng.randrange(SLOTS), [random_bits(rng) for _ in range(TAPS)],
                 rng.choice((ALL, rng.getrandbits(TAPS)))) for _ in range(40)]
    # one lane after the other: each counts, and once
    windows += [(SLOTS - 1, [1 << lane if tap == lane % TAPS else 0 for tap in range(TAPS)], ALL)
                for lane in range(UNIT)]
    assert simulate(weights, windows) == expected(weights, windows)
