import random

import pytest
from amaranth import Module
from amaranth.sim import Simulator

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.expander import WRITES, Expander
from overlays.gateware.reducer import Reducer
from overlays.gateware.weight_cells import SLOTS

ONES = (1 << UNIT) - 1
TO_MIDDLE = 2
"""Cycles from a pixel's port to the middle of the three."""


def random_bits(rng):
    return rng.choice((0, ONES, rng.getrandbits(UNIT), rng.getrandbits(UNIT)))


def simulate(weights, steps):
    """The counts for each of `steps`, after loading `weights` (tap by tap for each slot)."""
    top, dut, expander, got, phase = Module(), Reducer(), Expander(1), [], 0
    top.submodules += [dut, expander]
    top.d.comb += [dut.write.eq(expander.write[0]), dut.address.eq(expander.address),
                   dut.contents.eq(expander.contents)]
    arrivals = {"pixel": -TO_MIDDLE, "slot": -Reducer.LEAD, "slot_above": -Reducer.LEAD,
                "edges": -Reducer.LEAD, "place": Reducer.PLACE_LAG}
    middle = max(TO_MIDDLE, Reducer.LEAD)  # when the first step's pixel is there

    async def bench(ctx):
        async def tick():
            nonlocal phase
            phase += 1
            ctx.set(expander.phase, phase % WRITES)
            await ctx.tick()

        for slot, taps in enumerate(weights):
            for tap, unit in enumerate(taps):
                ctx.set(expander.load, 1)
                await tick()
                ctx.set(expander.load, 0)
                ctx.set(expander.entry, {"unit": unit, "tap": 1 << tap, "slot": slot})
                for _ in range(WRITES - 1):
                    await tick()
        # the last load came WRITES cycles ago; the first pixel comes as soon as it may
        for _ in range(Reducer.WRITE_LATENCY - WRITES - middle):
            await tick()
        for cycle in range(len(steps) + middle + Reducer.LATENCY):
            for name, lag in arrivals.items():
                n = cycle - middle - lag
                if 0 <= n < len(steps):
                    ctx.set(getattr(dut, name), steps[n][name])
                elif name == "pixel":
                    ctx.set(dut.pixel, 0)
            if cycle >= middle + Reducer.LATENCY:
                got.append(ctx.get(dut.mismatches))
            await tick()

    sim = Simulator(top)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    return got


def differ(a, b):
    return bin(a ^ b).count("1")


def map_steps(rng, pixels, slot=0, slot_above=0, above_counts=False):
    """Steps that read a map of pixels row by row, zeros outside not counting."""
    for y, row in enumerate(pixels):
        for x, pixel in enumerate(row):
            yield {"pixel": pixel, "slot": slot, "slot_above": slot if y else slot_above,
                   "edges": {"above": rng.getrandbits(1), "below": y > 0 or above_counts,
                             "left": x > 0, "right": x < len(row) - 1},
                   "place": {"write": 1, "column": x, "joined": y > 0 or above_counts}}


def window_counts(weights, pixels):
    """What a window round each pixel differs from the weights in, taps in the map alone."""
    height, width = len(pixels), len(pixels[0])
    return [[sum(differ(weights[3 * ky + kx], pixels[y + ky - 1][x + kx - 1])
                 for ky in range(3) for kx in range(3)
                 if 0 <= y + ky - 1 < height and 0 <= x + kx - 1 < width)
             for x in range(width)] for y in range(height)]


def random_map(rng, height, width):
    return [[random_bits(rng) for _ in range(width)] for _ in range(height)]


@pytest.mark.parametrize("height, width", ((3, 5), (2, 1), (1, 4), (1, 1), (4, 2)))
def test_counts_of_maps_one_after_the_other(height, width):
    """Each map with the weights of another slot: its last row is complete in the next one's first.
    """
    rng = random.Random(10 * height + width)
    weights = [[random_bits(rng) for _ in range(TAPS)] for _ in range(SLOTS)]
    maps = [random_map(rng, height, width) for _ in range(4)]
    steps = []
    for n, pixels in enumerate([*maps, [[0] * width]]):
        steps += map_steps(rng, pixels, n % SLOTS, (n - 1) % SLOTS)
    expected = [count for n, pixels in enumerate(maps)
                for row in window_counts(weights[n % SLOTS], pixels) for count in row]
    assert simulate(weights, steps)[width:] == expected


def test_zeros_around_count_where_they_are_said_to():
    """As with padding by +1: a row of zeros above, a column of zeros that is not written.

    The row of zeros below one map is that above the next, which is counted with other weights.
    """
    rng, height, width = random.Random(3), 3, 4
    weights = [[random_bits(rng) for _ in range(TAPS)] for _ in range(SLOTS)]
    maps = [random_map(rng, height, width) for _ in range(SLOTS)]
    steps = []
    for n, pixels in enumerate((*maps, [])):
        for y, row in enumerate(([0] * width, *pixels)):
            for x, pixel in enumerate((*row, 0)):
                steps.append({
                    "pixel": pixel, "slot": n % SLOTS, "slot_above": (n if y else n - 1) % SLOTS,
                    "edges": {"above": 1, "below": 1, "left": 1, "right": 1},
                    "place": {"write": x < width, "column": x % width,
                              "joined": 1}})
    got = simulate(weights, steps)
    rows = [got[y * (width + 1):][:width] for y in range(len(steps) // (width + 1))]
    for n, pixels in enumerate(maps):
        padded = [[0] * (width + 2), *([0, *row, 0] for row in pixels), [0] * (width + 2)]
        first = n * (height + 1) + 2  # the first row of centres comes with the second of the map
        assert rows[first:first + height] == [
            row[1:-1] for row in window_counts(weights[n], padded)[1:-1]]


def test_each_lane_counts_once():
    rng, width = random.Random(4), UNIT // 4
    weights = [[0] * TAPS] * SLOTS
    pixels = [[1 << y * width + x for x in range(width)] for y in range(4)]
    steps = [*map_steps(rng, pixels), *map_steps(rng, [[0] * width])]
    assert simulate(weights, steps)[width:] == [
        count for row in window_counts(weights[0], pixels) for count in row]
    everything = [[ONES] * 3] * 3
    steps = [*map_steps(rng, everything), *map_steps(rng, [[0] * 3])]
    assert simulate(weights, steps)[3:] == [
        UNIT * taps for taps in (4, 6, 4, 6, 9, 6, 4, 6, 4)]
