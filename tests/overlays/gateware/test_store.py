import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.interfaces import FMAP_READ_LATENCY
from overlays.gateware.store import (
    ROW_CYCLES,
    SUMS_READ_LATENCY,
    WORD_CYCLES,
    WORDS_PER_ROW,
    Store,
)
from pynq_bnn import registers


def run(source, bursts, rows=(), sums=(), units=(), stalls=True, busy_cycles=None):
    """The words that come out; memories and stream beside it, the taker stalling at random."""
    rng = random.Random(0)
    dut, got = Store(), []

    async def memories(ctx):
        pipe, words = [0] * (FMAP_READ_LATENCY - 1), [0] * (SUMS_READ_LATENCY - 1)
        while True:
            *_, row, word = await ctx.tick().sample(dut.read.address, dut.sums_address)
            pipe.append(rows[row] if row < len(rows) else 0)
            ctx.set(dut.read.data, pipe.pop(0))
            words.append(sums[word] if word < len(sums) else 0)
            ctx.set(dut.sums_data, words.pop(0))

    async def stream(ctx):
        for unit in units:
            await ctx.tick().repeat(rng.randrange(1, 4))
            ctx.set(dut.units.payload, unit)
            ctx.set(dut.units.valid, 1)
            await ctx.tick().until(dut.units.ready)
            ctx.set(dut.units.valid, 0)

    async def bench(ctx):
        ctx.set(dut.start, 1)
        ctx.set(dut.source, source)
        ctx.set(dut.bursts, bursts)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for cycle in range(200 * bursts + 10):
            ctx.set(dut.words.ready, rng.randrange(2) if stalls else 1)
            if ctx.get(dut.words.valid) and ctx.get(dut.words.ready):
                got.append(ctx.get(dut.words.payload))
            busy = ctx.get(dut.busy)
            await ctx.tick()
            if not busy:
                assert busy_cycles in (None, cycle)
                break
        assert not ctx.get(dut.busy)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_process(memories)
    simulator.add_testbench(stream, background=True)
    simulator.add_testbench(bench)
    simulator.run()
    return got


def split(value, count):
    return [value >> 64 * n & (1 << 64) - 1 for n in range(count)]


@pytest.mark.parametrize("source", [registers.FMAP_A, registers.FMAP_B])
@pytest.mark.parametrize("bursts", [1, 3])
def test_rows(source, bursts):
    rows = [random.Random(n).getrandbits(512) for n in range(2 * bursts)]
    assert run(source, bursts, rows=rows) == [word for row in rows for word in split(row, 8)]


def test_sums():
    sums = [random.Random(n).getrandbits(64) for n in range(2 * registers.BURST_WORDS)]
    assert run(registers.SUMS, 2, sums=sums) == sums


def test_parameters():
    units = [random.Random(n).getrandbits(128) for n in range(registers.BURST_WORDS)]
    assert run(registers.PARAMS, 2, units=units) == [
        word for unit in units for word in split(unit, 2)]


def test_cycles():
    """From start to the last word; the first word's wait is always that of a row."""
    words = 2 * registers.BURST_WORDS
    run(registers.SUMS, 2, stalls=False,
        busy_cycles=words * (WORD_CYCLES + 1) + ROW_CYCLES - WORD_CYCLES)
    run(registers.FMAP_A, 2, stalls=False,
        busy_cycles=words * (WORD_CYCLES + 1)
        + words // WORDS_PER_ROW * (ROW_CYCLES - WORD_CYCLES))


def test_no_bursts_are_no_words():
    assert run(registers.SUMS, 1, sums=[1] * registers.BURST_WORDS) == [1] * registers.BURST_WORDS
    assert run(registers.SUMS, 0) == []
