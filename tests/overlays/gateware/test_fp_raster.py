import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.fp_raster import FIRST, FpRaster
from overlays.gateware.interfaces import MERGE_CYCLES
from pynq_bnn.registers import PAD_NONE, PAD_ZERO


def pixels(height, width, images, passes):
    """Word and half of each pixel, in the order of reading."""
    words = (height * width + 1) // 2
    return [(n * words + i // 2, i % 2)
            for _ in range(passes) for n in range(images) for i in range(height * width)]


def centres(height, width, padding, images, passes):
    """What is known of each centre, in order."""
    edge = padding == PAD_NONE
    for number in range(passes):
        for n in range(images):
            for y in range(height):
                for x in range(width):
                    image_end = (y, x) == (height - 1 - edge, width - 1 - edge)
                    pass_end = image_end and n == images - 1
                    yield {
                        "pass_number": number, "x": x,
                        "sum": not edge or (0 < x < width - 1 and 0 < y < height - 1),
                        "sum_x": (x - edge) % 32, "odd_row": (y - edge) % 2,
                        "x_first": x == 0, "x_last": x == width - 1,
                        "y_first": y == 0, "y_last": y == height - 1,
                        "image_end": image_end, "pass_end": pass_end,
                        "layer_end": pass_end and number == passes - 1}


@pytest.mark.parametrize("height, width, padding, images, passes, pace", [
    (1, 1, PAD_ZERO, 1, 4, 1), (1, 1, PAD_ZERO, 3, 5, 0.1), (5, 3, PAD_ZERO, 2, 2, 1),
    (4, 5, PAD_NONE, 3, 2, 0.1), (3, 3, PAD_NONE, 1, 3, 1), (1, 32, PAD_ZERO, 2, 2, 0.1),
    (32, 1, PAD_ZERO, 1, 2, 1)])
def test_order(height, width, padding, images, passes, pace):
    rng, dut = random.Random(1), FpRaster()
    expected = list(centres(height, width, padding, images, passes))
    reads, got, begins = [], [], []

    async def bench(ctx):
        for name, value in (("height", height), ("width", width), ("padding", padding),
                            ("images", images)):
            ctx.set(dut.shape[name], value)
        ctx.set(dut.passes, passes)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for _ in range(FIRST - 1):
            assert not ctx.get(dut.centre.column)
            await ctx.tick()
        assert ctx.get(dut.centre.column)
        for cycle in range(2000):
            ctx.set(dut.loaded, rng.random() < pace)
            centre, place = ctx.get(dut.centre), len(reads) - width
            begin = place >= 0 and place % (images * height * width) == 0
            if centre.column:
                reads.append((ctx.get(dut.address), centre.half))
                if place >= 0:
                    got.append({name: centre[name] for name in expected[0]})
                if begin:
                    begins.append(cycle)
            elif place < len(expected) - width:
                assert begin, "a pause within a pass"
                assert ctx.get(dut.waiting) or cycle - begins[-1] < MERGE_CYCLES
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    skipped = width if padding == PAD_NONE else 0
    order = pixels(height, width, images, passes + 1)
    # Past the last image's end anything may be read: those taps are outside.
    inside = images * height * width * passes
    assert reads[:inside] == order[:inside]
    assert len(got) == len(expected) - skipped
    assert got == [{k: int(v) for k, v in c.items()} for c in expected[:len(got)]]
    apart = [b - a for a, b in zip(begins, begins[1:])]
    least = max(images * height * width, MERGE_CYCLES)
    assert min(apart) >= least
    assert pace < 1 or set(apart) == {least}
