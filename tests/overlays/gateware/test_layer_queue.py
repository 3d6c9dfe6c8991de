"""The convolution's queue takes what its layer has, whatever stands behind that in the stream."""

import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.interfaces import StageShape
from overlays.gateware.layer_queue import LayerQueue
from overlays.gateware.parameter_fifo import LATENCY
from pynq_bnn.devices.model.stages import Stage
from pynq_bnn.registers import BIN_CONV

UNIT_WORDS = 2


def units_of(channels, outputs):
    """The model's count, which was written apart from the hardware's."""
    stage = Stage(BIN_CONV, height=4, width=4, channels=channels, outputs=outputs)
    return stage.parameter_words // UNIT_WORDS


def layers(queue, some, rng, gives=0.7, takes=0.7, double=False):
    """Runs layers one after the other, the stream never empty; units that came out of each, the
    count taken off the stream when `loaded` said so, and the cycles of each."""
    stream = iter(range(1 << 40))
    out, counts, taken = [], [], [0]

    async def bench(ctx):
        head, mine = next(stream), []
        offered, theirs = (queue.pairs, queue.to_pairs) if double else (queue.units,
                                                                        queue.to_units)
        step = 2 if double else 1

        def value(first):
            return first | (first + 1) << 128 if double else first

        async def cycle(come, go):
            nonlocal head
            ctx.set(offered.payload, value(head))
            ctx.set(offered.valid, come)
            ctx.set(theirs.ready, go)
            _, _, ready, valid, payload = await ctx.tick().sample(
                offered.ready, theirs.valid, theirs.payload)
            if come and ready:
                for _ in range(step):
                    head = next(stream)
                taken[0] += step
            if valid and go:
                mine.append(payload & (1 << 128) - 1)

        for channels, outputs in some:
            mine.clear()
            shape = {name: 1 for name in StageShape.members}
            ctx.set(queue.shape, {**shape, "channels": channels, "outputs": outputs})
            ctx.set(queue.start, 1)
            await cycle(1, 0)
            ctx.set(queue.start, 0)
            await cycle(1, 0)
            assert not ctx.get(queue.loaded)
            before, cycles = taken[0], 0
            while not ctx.get(queue.loaded):
                await cycle(rng.random() < gives, rng.random() < takes)
                cycles += 1
                assert cycles < 40000
            counts.append(taken[0] - before)
            expected = units_of(channels, outputs) // step
            for _ in range(40 + 4 * expected):
                if len(mine) == expected:
                    break
                await cycle(1, 1)
            await cycle(1, 1)
            await cycle(1, 1)
            out.append(list(mine))

    simulator = Simulator(queue)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return out, counts, taken[0]


SHAPES = [(64, 64), (128, 128), (192, 64), (256, 128), (320, 64), (512, 64)]


@pytest.mark.parametrize("depth", [64, 2048])
def test_a_layer_gets_its_units_and_no_more_are_taken(depth):
    rng = random.Random(depth)
    out, counts, taken = layers(LayerQueue(depth), SHAPES, rng)
    assert counts == [units_of(*shape) for shape in SHAPES]
    first = 0
    for mine, count in zip(out, counts):
        assert mine == list(range(first, first + count))
        first += count
    assert taken == first


@pytest.mark.parametrize("double", [False, True])
def test_without_a_fifo_units_or_pairs_go_through(double):
    step = 2 if double else 1
    out, counts, _ = layers(LayerQueue(0), SHAPES[:4], random.Random(1), double=double)
    assert counts == [units_of(*shape) for shape in SHAPES[:4]]
    first = 0
    for mine, count in zip(out, counts):
        assert mine == list(range(first, first + count, step))
        first += count


def test_what_fits_is_loaded_at_once_though_nobody_takes_it():
    """So the stream is free for whoever comes next."""
    queue, shape = LayerQueue(2048), (128, 128)
    counts, cycles = [], []

    async def bench(ctx):
        ctx.set(queue.shape, {**{name: 1 for name in StageShape.members},
                              "channels": shape[0], "outputs": shape[1]})
        ctx.set(queue.start, 1)
        ctx.set(queue.units.valid, 1)
        await ctx.tick()
        ctx.set(queue.start, 0)
        await ctx.tick()
        cycles.append(2)
        while not ctx.get(queue.loaded):
            await ctx.tick()
            cycles[0] += 1
        counts.append(ctx.get(queue.to_units.valid))

    simulator = Simulator(queue)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert counts == [1]
    assert cycles == [units_of(*shape) + queue.SETTLING + queue.LOADED]
    assert units_of(*shape) > LATENCY
