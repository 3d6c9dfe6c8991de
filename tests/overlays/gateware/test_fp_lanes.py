import random

from amaranth.sim import Simulator

from overlays.gateware.fp_lanes import CHAIN_CYCLES, OUTPUTS, FpLanes

PASSES = 4


def test_sums_against_thresholds():
    """Centres three cycles apart, so that each has a window of its own."""
    rng, dut = random.Random(1), FpLanes(PASSES)
    weights = [[rng.getrandbits(27) for _ in range(OUTPUTS)] for _ in range(PASSES)]
    thresholds = [[rng.randrange(-3000, 3000) for _ in range(OUTPUTS)] for _ in range(PASSES)]
    flips = [[rng.randrange(2) for _ in range(OUTPUTS)] for _ in range(PASSES)]
    centres = []
    for _ in range(200):
        pixels = [[rng.randrange(-255, 256, 2) for _ in range(3)] for _ in range(9)]
        rows, columns = rng.choice((0b111, 0b110, 0b011)), rng.choice((0b111, 0b010, 0b110))
        inside = [rows >> tap // 3 & columns >> tap % 3 & 1 for tap in range(9)]
        centres.append((rng.randrange(PASSES), pixels, inside))
    results = []

    def total(number, o, pixels, inside):
        return sum((1 - 2 * (weights[number][o] >> 3 * tap + c & 1)) * pixels[tap][c]
                   for tap in range(9) if inside[tap] for c in range(3))

    async def load(ctx):
        for number in range(PASSES):
            for is_threshold in (0, 1):
                entries = weights[number] if not is_threshold else [
                    t & 0xFFFF | f << 16 for t, f in zip(thresholds[number], flips[number])]
                ctx.set(dut.write_pass, number)
                ctx.set(dut.write_thresholds, is_threshold)
                ctx.set(dut.write_weights, not is_threshold)
                await ctx.tick()
                ctx.set(dut.write_thresholds, 0)
                ctx.set(dut.write_weights, 0)
                ctx.set(dut.unit, sum(e << 32 * i for i, e in enumerate(entries)))
        await ctx.tick()

    async def bench(ctx):
        await load(ctx)
        for cycle in range(3 * len(centres) + CHAIN_CYCLES):
            def at(age, cycle=cycle):  # the centre whose step 0 was `age` cycles ago
                place, rest = divmod(cycle - age, 3)
                return centres[place] if rest == 0 and 0 <= place < len(centres) else None

            for step in range(9):
                k, column = divmod(step, 3)
                if at(step):
                    number, pixels, inside = at(step)
                    tap = 3 * (2 - k) + column
                    r, g, b = pixels[tap]
                    ctx.set(dut.passes[step], number)
                    ctx.set(dut.inside[step], inside[tap])
                    ctx.set(dut.rows[k], [(s - 1) // 2 for s in (
                        r + g + b, r - g + b, r + g - b, r - g - b)])
            if at(0):
                ctx.set(dut.half_taps, sum(at(0)[2]) // 2)
            if at(CHAIN_CYCLES - 3):
                ctx.set(dut.last_pass, at(CHAIN_CYCLES - 3)[0])
            if at(CHAIN_CYCLES - 2):
                ctx.set(dut.odd_taps, sum(at(CHAIN_CYCLES - 2)[2]) % 2)
            if at(CHAIN_CYCLES):
                results.append((ctx.get(dut.reached), ctx.get(dut.flips)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert results == [
        (sum((total(number, o, pixels, inside) >= thresholds[number][o]) << o
             for o in range(OUTPUTS)), sum(flips[number][o] << o for o in range(OUTPUTS)))
        for number, pixels, inside in centres[:len(results)]]
    assert len(results) == len(centres)
