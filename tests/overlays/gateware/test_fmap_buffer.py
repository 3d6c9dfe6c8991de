import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.config import Config
from overlays.gateware.fmap_buffer import QUEUE, FmapBuffers
from overlays.gateware.interfaces import FMAP_READ_LATENCY

ROWS = 8
BATCH = 8


def run(bench):
    dut = FmapBuffers(Config(fmap_rows=ROWS))
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)

    async def testbench(ctx):
        await bench(ctx, dut)

    simulator.add_testbench(testbench)
    simulator.run()


def put(ctx, write, row, place, both, wide):
    """Drive a write for this cycle: a single byte stands in both halves."""
    both = both if wide else (both & 0xFF) * 0x101
    for name, value in (("enable", 1), ("row", row), ("place", place), ("wide", wide),
                        ("bytes", both)):
        ctx.set(getattr(write, name), value)


def single(ctx, dut, row, place, byte):
    for name, value in (("enable", 1), ("row", row), ("place", place), ("byte", byte)):
        ctx.set(getattr(dut.bytes, name), value)


def note(model, row, place, both, wide):
    """The same write into a list of rows."""
    mask = (0xFFFF if wide else 0xFF) << 8 * place
    model[row] = model[row] & ~mask | both << 8 * place & mask


async def rows(ctx, dut, of_b, by_conv=False):
    read = dut.conv_read if by_conv else dut.read
    ctx.set(dut.conv_reads, by_conv)
    ctx.set(dut.conv_source_b if by_conv else dut.source_b, of_b)
    await ctx.tick()
    result = []
    for row in range(ROWS + FMAP_READ_LATENCY):
        if row >= FMAP_READ_LATENCY:
            result.append(ctx.get(read.data))
        ctx.set(read.address, row % ROWS)
        await ctx.tick()
    return result


async def clear(ctx, dut):
    for row in range(ROWS):
        for place in range(0, 64, 2):
            for write in (dut.write_a, dut.write_b):
                put(ctx, write, row, place, 0, 1)
            await ctx.tick()
    for write in (dut.write_a, dut.write_b):
        ctx.set(write.enable, 0)
    await ctx.tick().repeat(FmapBuffers.WRITE_CYCLES)


def test_both_buffers_are_written_at_once_and_read_by_either_port():
    rng = random.Random(5)

    async def bench(ctx, dut):
        await clear(ctx, dut)
        models = [[0] * ROWS for _ in range(2)]
        for _ in range(300):
            for write, model in zip((dut.write_a, dut.write_b), models):
                ctx.set(write.enable, 0)
                wide = rng.randrange(2)
                what = (rng.randrange(ROWS), rng.randrange(32) * 2 + (not wide) * rng.randrange(2),
                        rng.getrandbits(16), wide)
                if rng.random() < 0.8:
                    put(ctx, write, *what)
                    note(model, *what)
                else:  # what is not enabled is not written
                    put(ctx, write, *what)
                    ctx.set(write.enable, 0)
            await ctx.tick()
        for write in (dut.write_a, dut.write_b):
            ctx.set(write.enable, 0)
        await ctx.tick().repeat(FmapBuffers.WRITE_CYCLES)
        for by_conv in (False, True):
            for of_b in (0, 1):
                assert await rows(ctx, dut, of_b, by_conv) == models[of_b]

    run(bench)


@pytest.mark.parametrize("conv_b", [0, 1])
def test_two_stages_read_at_once(conv_b):
    async def bench(ctx, dut):
        await clear(ctx, dut)
        for row in range(ROWS):
            put(ctx, dut.write_a, row, 0, 0x100 + row, 1)
            put(ctx, dut.write_b, row, 0, 0x200 + row, 1)
            await ctx.tick()
        ctx.set(dut.write_a.enable, 0)
        ctx.set(dut.write_b.enable, 0)
        ctx.set(dut.conv_reads, 1)
        ctx.set(dut.conv_source_b, conv_b)
        ctx.set(dut.source_b, 1 - conv_b)
        await ctx.tick().repeat(FmapBuffers.WRITE_CYCLES)
        got = []
        for row in range(ROWS + FMAP_READ_LATENCY):
            got.append((ctx.get(dut.conv_read.data), ctx.get(dut.read.data)))
            ctx.set(dut.conv_read.address, row % ROWS)
            ctx.set(dut.read.address, (ROWS - 1 - row) % ROWS)
            await ctx.tick()
        base = (0x100, 0x200)
        assert got[FMAP_READ_LATENCY:] == [
            (base[conv_b] + row, base[1 - conv_b] + ROWS - 1 - row) for row in range(ROWS)]

    run(bench)


def test_a_write_is_there_after_write_cycles():
    async def bench(ctx, dut):
        await clear(ctx, dut)
        put(ctx, dut.write_a, 1, 0, 3, 0)
        await ctx.tick()
        ctx.set(dut.write_a.enable, 0)
        ctx.set(dut.read.address, 1)
        await ctx.tick()  # a row's address takes two cycles to its block RAM
        ctx.set(dut.read.address, 0)
        await ctx.tick()
        ctx.set(dut.read.address, 1)
        seen = []
        for _ in range(FMAP_READ_LATENCY + 1):
            await ctx.tick()
            seen.append(ctx.get(dut.read.data))
        assert seen[FMAP_READ_LATENCY - 1] == 3
        assert FmapBuffers.WRITE_CYCLES == 3

    run(bench)


@pytest.mark.parametrize("to_b", [0, 1])
@pytest.mark.parametrize("every", [0, 2])
def test_single_bytes_go_where_they_shall_beside_others(to_b, every):
    """A batch's bytes at once, while others are written every so many cycles, into both buffers."""
    rng = random.Random(every + to_b)
    places = list(range(64 * ROWS))
    rng.shuffle(places)

    async def bench(ctx, dut):
        await clear(ctx, dut)
        models = [[0] * ROWS for _ in range(2)]
        ctx.set(dut.bytes_to_b if to_b else dut.bytes_to_a, 1)
        waited = longest = 0
        for cycle in range(256):
            ctx.set(dut.bytes.enable, 0)
            if cycle % 32 < BATCH:
                row, place = divmod(places.pop(), 64)  # nobody writes a byte of this buffer twice
                byte = rng.getrandbits(8)
                single(ctx, dut, row, place, byte)
                note(models[to_b], row, place, byte, 0)
            for number, write in enumerate((dut.write_a, dut.write_b)):
                ctx.set(write.enable, 0)
                if every and cycle % every == 0:
                    where = places.pop() if number == to_b else rng.randrange(64 * ROWS)
                    row, place = divmod(where, 64)
                    byte = rng.getrandbits(8)
                    put(ctx, write, row, place, byte, 0)
                    note(models[number], row, place, byte, 0)
            await ctx.tick()
            waited = waited + 1 if ctx.get(dut.bytes_wait) else 0
            longest = max(longest, waited)
        ctx.set(dut.bytes.enable, 0)
        for write in (dut.write_a, dut.write_b):
            ctx.set(write.enable, 0)
        await ctx.tick().repeat(2 * QUEUE)
        assert not ctx.get(dut.bytes_wait)
        ctx.set(dut.bytes_to_a, 0)
        ctx.set(dut.bytes_to_b, 0)
        assert [await rows(ctx, dut, b) for b in (0, 1)] == models
        assert longest >= (2 * BATCH if every else BATCH)

    run(bench)


def test_a_byte_that_waits_says_so_and_is_there_single_cycles_later():
    async def bench(ctx, dut):
        await clear(ctx, dut)
        ctx.set(dut.bytes_to_b, 1)
        single(ctx, dut, 1, 0, 3)
        await ctx.tick()
        ctx.set(dut.bytes.enable, 0)
        assert ctx.get(dut.bytes_wait)
        for _ in range(10):  # while others are written
            put(ctx, dut.write_b, 2, 0, 7, 0)
            await ctx.tick()
            assert ctx.get(dut.bytes_wait)
        ctx.set(dut.write_b.enable, 0)
        await ctx.tick()
        assert not ctx.get(dut.bytes_wait)
        await ctx.tick().repeat(FmapBuffers.SINGLE_CYCLES - 2)
        assert (await rows(ctx, dut, 1))[1] == 3

    run(bench)
