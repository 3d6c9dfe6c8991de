import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.config import Config
from overlays.gateware.fmap_buffer import FmapBuffers
from overlays.gateware.interfaces import FMAP_READ_LATENCY, MERGE_CYCLES

ROWS = 8


def run(bench):
    dut = FmapBuffers(Config(fmap_rows=ROWS))
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)

    async def testbench(ctx):
        await bench(ctx, dut)

    simulator.add_testbench(testbench)
    simulator.run()


async def put(ctx, dut, address, size, bits):
    ctx.set(dut.write.enable, 1)
    ctx.set(dut.write.address, address)
    ctx.set(dut.write.size, size)
    ctx.set(dut.write.bits, bits)
    await ctx.tick()
    ctx.set(dut.write.enable, 0)


async def rows(ctx, dut, source_b):
    ctx.set(dut.source_b, source_b)
    await ctx.tick()
    result = []
    for row in range(ROWS + FMAP_READ_LATENCY):
        if row >= FMAP_READ_LATENCY:
            result.append(ctx.get(dut.read.data))
        ctx.set(dut.read.address, row % ROWS)
        await ctx.tick()
    return result


async def clear(ctx, dut):
    for source_b in (0, 1):
        ctx.set(dut.source_b, source_b)
        await ctx.tick()
        for address in range(0, ROWS * 512, 16):
            await put(ctx, dut, address, 4, 0)
        await ctx.tick().repeat(MERGE_CYCLES)


def test_reads_follow_their_address_by_the_latency():
    async def bench(ctx, dut):
        await clear(ctx, dut)
        ctx.set(dut.source_b, 1)
        await ctx.tick()
        for row in range(ROWS):
            await put(ctx, dut, 512 * row, 4, 0x100 + row)
        await ctx.tick().repeat(MERGE_CYCLES)
        assert await rows(ctx, dut, 0) == [0x100 + row for row in range(ROWS)]
        assert await rows(ctx, dut, 1) == [0] * ROWS

    run(bench)


def test_writes_of_every_size_against_a_list_of_bits():
    """Bytes fill from their lowest bit, interleaved so that no byte repeats too soon."""
    rng = random.Random(5)

    async def bench(ctx, dut):
        await clear(ctx, dut)
        for source_b in (0, 1):
            ctx.set(dut.source_b, source_b)
            model = [0] * (ROWS * 512)
            for size in range(5):
                width = 1 << size
                places = rng.sample(range(0, ROWS * 512, 16), MERGE_CYCLES)
                for channel in range(0, 16, width):
                    for place in places:
                        bits = rng.getrandbits(16)
                        address = place + channel
                        await put(ctx, dut, address, size, bits)
                        if address % 8 == 0:
                            model[address:address + 8] = [0] * 8
                        for n in range(width):
                            model[address + n] = bits >> n & 1
            await ctx.tick().repeat(MERGE_CYCLES)
            got = await rows(ctx, dut, 1 - source_b)
            assert got == [sum(model[512 * row + n] << n for n in range(512))
                           for row in range(ROWS)]

    run(bench)


def test_a_write_is_there_after_merge_cycles():
    async def bench(ctx, dut):
        await clear(ctx, dut)
        ctx.set(dut.source_b, 0)
        await put(ctx, dut, 512, 0, 1)
        await ctx.tick().repeat(MERGE_CYCLES - 1)
        await put(ctx, dut, 513, 0, 1)
        await ctx.tick().repeat(MERGE_CYCLES - 2)  # and one in rows()
        assert (await rows(ctx, dut, 1))[1] == 3

    run(bench)


@pytest.mark.parametrize("to_b", [0, 1])
@pytest.mark.parametrize("source_b", [0, 1])
def test_bytes_go_where_they_shall_beside_the_stages_own(source_b, to_b):
    """Into the source, while a stage writes into its target; or into the target, alone."""
    rng = random.Random(source_b + 2 * to_b)
    beside = source_b == to_b

    async def bench(ctx, dut):
        await clear(ctx, dut)
        models = [[0] * ROWS for _ in range(2)]
        ctx.set(dut.source_b, source_b)
        ctx.set(dut.bytes_to_b if to_b else dut.bytes_to_a, 1)
        await ctx.tick().repeat(2)
        for place in rng.sample(range(64 * ROWS), 200):
            byte, bits = rng.getrandbits(8), rng.getrandbits(16)
            ctx.set(dut.bytes.row, place // 64)
            ctx.set(dut.bytes.place, place % 64)
            ctx.set(dut.bytes.byte, byte)
            ctx.set(dut.bytes.enable, 1)
            models[to_b][place // 64] &= ~(0xFF << 8 * (place % 64))
            models[to_b][place // 64] |= byte << 8 * (place % 64)
            row, word = rng.randrange(ROWS), rng.randrange(32)
            if beside:
                await put(ctx, dut, 512 * row + 16 * word, 4, bits)
                models[1 - source_b][row] &= ~(0xFFFF << 16 * word)
                models[1 - source_b][row] |= bits << 16 * word
            else:
                await ctx.tick()
        ctx.set(dut.bytes.enable, 0)
        await ctx.tick().repeat(MERGE_CYCLES)
        ctx.set(dut.bytes_to_a, 0)
        ctx.set(dut.bytes_to_b, 0)
        assert [await rows(ctx, dut, b) for b in (0, 1)] == models

    run(bench)


def test_a_byte_is_there_before_merge_cycles():
    async def bench(ctx, dut):
        await clear(ctx, dut)
        ctx.set(dut.source_b, 1)
        ctx.set(dut.bytes_to_b, 1)
        await ctx.tick().repeat(2)
        ctx.set(dut.bytes.row, 1)
        ctx.set(dut.bytes.byte, 3)
        ctx.set(dut.bytes.enable, 1)
        await ctx.tick()
        ctx.set(dut.bytes.enable, 0)
        await ctx.tick().repeat(MERGE_CYCLES - 3)  # and one in rows()
        assert (await rows(ctx, dut, 1))[1] == 3

    run(bench)
