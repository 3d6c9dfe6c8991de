import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.interfaces import MERGE_CYCLES
from overlays.gateware.raster import Raster
from pynq_bnn.registers import PAD_NONE, PAD_ONE, PAD_ZERO


def expected_centres(shape, passes):
    """(passes begun, column, edges, row_end, image_end, pass_end) of each, in order.

    The last row of a pass comes with the first of the next one, which has begun by then.
    """
    height, width, edge = shape["height"], shape["width"], int(shape["padding"] == PAD_NONE)
    for number in range(passes):
        for image in range(shape["images"]):
            for y in range(edge, height - edge):
                for x in range(edge, width - edge):
                    edges = tuple(int(shape["padding"] != PAD_ZERO or inside) for inside in (
                        y > 0, y < height - 1, x > 0, x < width - 1))
                    row_end = x == width - edge - 1
                    image_end = row_end and y == height - edge - 1
                    pass_end = image_end and image == shape["images"] - 1
                    below = y == height - 1 and image == shape["images"] - 1
                    yield (min(number + 1 + below, passes), x, edges, row_end, image_end, pass_end)


def expected_pixels(shape, spread, passes):
    """(row of the buffer, quarter) of each pixel that is read, in order."""
    per_row = 4 >> spread
    area = shape["height"] * shape["width"]
    for _ in range(passes):
        for image in range(shape["images"]):
            for pixel in range(area):
                yield (image * -(-area // per_row) + pixel // per_row,
                       pixel % per_row << spread)


@pytest.mark.parametrize("padding", (PAD_ZERO, PAD_ONE, PAD_NONE))
@pytest.mark.parametrize("height, width, images, spread", (
    (5, 3, 2, 0), (3, 32, 1, 1), (4, 6, 3, 2), (1, 1, 3, 0), (1, 5, 1, 1), (6, 1, 2, 0)))
def test_steps(padding, height, width, images, spread):
    if padding == PAD_NONE:
        height, width = max(height, 3), max(width, 3)
    shape = {"height": height, "width": width, "channels": 128, "outputs": 64, "padding": padding,
             "pool": 0, "images": images, "last": 0}
    passes, rng = 3, random.Random(width)
    dut = Raster()
    centres, times, pixels, takes, begins = [], [], [], [], []

    async def bench(ctx):
        ctx.set(dut.shape, shape)
        ctx.set(dut.spread, spread)
        ctx.set(dut.passes, passes)
        await ctx.tick().repeat(3)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        number, was_ready = 0, [0] * (Raster.READY_LATENCY + 1)
        limit = 100 * passes + passes * (height + 2) * (width + 2) * images
        for cycle in range(limit):
            ready = number < passes and rng.random() < 0.1
            ctx.set(dut.ready, ready)
            step = dut.step
            if ctx.get(step.pixel):
                pixels.append((ctx.get(dut.address), ctx.get(step.quarter)))
            if ctx.get(dut.take):
                assert was_ready[-1]
                takes.append(cycle)
                number += 1
            if ctx.get(step.begin):
                begins.append(cycle)
            if ctx.get(step.place.write):
                row_of_map = ctx.get(step.edges.below) or padding != PAD_ZERO
                assert ctx.get(step.place.joined) == row_of_map
            if ctx.get(step.centre.valid):
                times.append(cycle)
                end = [ctx.get(step.centre[name]) for name in ("row_end", "image_end", "pass_end")]
                edges = tuple(ctx.get(step.edges[name])
                              for name in ("above", "below", "left", "right"))
                centres.append((number, ctx.get(step.place.column), edges, *end))
            if ctx.get(dut.waiting):
                assert not was_ready[0]
                assert number < passes or cycle == takes[-1]
            was_ready = [ready, *was_ready[:-1]]
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    assert pixels == list(expected_pixels(shape, spread, passes))
    assert centres == list(expected_centres(shape, passes))
    assert len(takes) == passes
    assert begins[:passes] == takes, "a pass's first step is there when its weights are taken"
    each = len(times) // passes
    assert all(b - a >= MERGE_CYCLES for a, b in zip(times, times[each:]))
