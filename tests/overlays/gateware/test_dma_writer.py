import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.dma_writer import (
    COMMAND_LATENCY,
    DONE_LATENCY,
    QUEUE,
    WORD_LATENCY,
    DmaWriter,
)
from pynq_bnn.registers import BURST_BYTES
from tests.overlays.gateware.axi_models import DECERR, SLVERR, Checker, Memory, Timing

WORDS = BURST_BYTES // 8


class Bench:
    """A writer, its memory, a source of words with random gaps, and a checker."""

    def __init__(self, timing=None, errors=None, gap=0.0, seed=0):
        self.dut = DmaWriter()
        self.memory = Memory(timing or Timing(), errors)
        self.checker = Checker(self.dut.axi, BURST_BYTES)
        self.random, self.gap = random.Random(seed), gap
        self.words, self.taken, self.cycle, self.done = [], 0, 0, []
        self.simulator = Simulator(self.dut)
        self.simulator.add_clock(1e-8)
        for process in (*self.memory.processes([self.dut.axi]), self.checker.process, self._feed):
            self.simulator.add_process(process)

    async def _feed(self, ctx):
        words, waits = self.dut.words, False
        async for _, _, ready, done in ctx.tick().sample(words.ready, self.dut.done):
            if done:
                self.done.append(self.cycle)
            self.cycle += 1
            if waits and ready:
                self.taken += 1
                waits = False
            if not waits and self.taken < len(self.words) and self.random.random() >= self.gap:
                ctx.set(words.payload, self.words[self.taken])
                waits = True
            ctx.set(words.valid, waits)

    async def command(self, ctx, address, bursts):
        commands = self.dut.commands
        ctx.set(commands.payload.address, address)
        ctx.set(commands.payload.bursts, bursts)
        ctx.set(commands.valid, 1)
        for _ in range(5000):
            ready, cycle = ctx.get(commands.ready), self.cycle
            await ctx.tick()
            if ready:
                ctx.set(commands.valid, 0)
                # it was looked at when it was taken, and not later
                ctx.set(commands.payload.address, self.random.getrandbits(32))
                ctx.set(commands.payload.bursts, self.random.randrange(1, 30))
                return cycle
        raise AssertionError("the command is not taken")

    async def wait(self, ctx):
        for _ in range(20_000):
            if not ctx.get(self.dut.busy):
                return
            await ctx.tick()
        raise AssertionError("the writer stays busy")

    async def reset(self, ctx):
        ctx.set(self.dut.reset, 1)
        await ctx.tick()
        ctx.set(self.dut.reset, 0)
        await self.wait(ctx)
        assert not ctx.get(self.dut.error)

    def run(self, bench):
        self.simulator.add_testbench(bench)
        self.simulator.run()
        self.checker.finish()


def placed(commands, words):
    """What memory holds then: address -> word."""
    places = [address + 8 * n for address, bursts in commands for n in range(WORDS * bursts)]
    return dict(zip(places, words))


@pytest.mark.parametrize("gap, stall, bandwidth, latency", [
    (0.0, 0.0, 16, 40), (0.6, 0.0, 16, 1), (0.0, 0.5, 16, 9), (0.5, 0.4, 4, 60)])
def test_words_arrive_where_they_belong(gap, stall, bandwidth, latency):
    rng = random.Random(7)
    bench = Bench(Timing(latency, bandwidth, stall), gap=gap)
    commands = [(BURST_BYTES * (64 * n + rng.randrange(32)), bursts)
                for n, bursts in enumerate((1, 12, 0, 3, 2))]
    bench.words = [rng.getrandbits(64) for _ in range(18 * WORDS)]

    async def run(ctx):
        for n, command in enumerate(commands):
            await bench.command(ctx, *command)
            await bench.wait(ctx)
            await ctx.tick()
            assert len(bench.done) == n + 1
            assert not ctx.get(bench.dut.error)
            # done means answered: what was commanded so far is there
            assert bench.memory.content == placed(
                commands[:n + 1], bench.words[:bench.taken])
    bench.run(run)
    assert bench.memory.content == placed(commands, bench.words)


def test_a_command_that_waits_is_taken_when_the_one_before_is_done():
    bench = Bench(Timing(latency=9))
    commands = [(BURST_BYTES * 40, 2), (BURST_BYTES * 7, 1), (BURST_BYTES * 90, 3)]
    bench.words = list(range(1, 6 * WORDS + 1))

    async def run(ctx):
        offered = bench.dut.commands
        ctx.set(offered.valid, 1)
        for n, (address, bursts) in enumerate(commands):
            ctx.set(offered.payload.address, address)
            ctx.set(offered.payload.bursts, bursts)
            for _ in range(2000):
                ready = ctx.get(offered.ready)
                await ctx.tick()
                if ready:
                    break
            assert ready
            assert len(bench.done) == n
        ctx.set(offered.valid, 0)
        await bench.wait(ctx)
    bench.run(run)
    assert bench.memory.content == placed(commands, bench.words)


def test_no_more_bursts_are_on_their_way_than_a_port_takes():
    bench = Bench(Timing(latency=400, accepts=100))
    bench.words = [3] * 30 * WORDS

    async def run(ctx):
        await bench.command(ctx, 0, 30)
        await bench.wait(ctx)
    bench.run(run)
    assert bench.checker.most_outstanding == 8


def test_a_word_every_other_cycle_and_every_latency():
    bench = Bench(Timing(latency=10))
    bursts, times = 20, {}
    bench.words = list(range(1, bursts * WORDS + 1))

    async def watch(ctx):
        axi, words = bench.dut.axi, bench.dut.words
        events = {"address": axi.awvalid, "word": words.valid & words.ready, "beat": axi.wvalid}
        cycle = 0
        async for _, _, *values, response in ctx.tick().sample(*events.values(), axi.bvalid):
            for name, value in zip(events, values):
                if value:
                    times.setdefault(name, cycle)
            if response:
                times["response"] = cycle
            cycle += 1

    async def run(ctx):
        await ctx.tick().repeat(5)
        times["command"] = await bench.command(ctx, 0, bursts)
        await bench.wait(ctx)
        await ctx.tick()
    bench.simulator.add_process(watch)
    bench.run(run)
    assert times["address"] - times["command"] == COMMAND_LATENCY
    assert times["beat"] - times["word"] == WORD_LATENCY
    assert bench.done == [times["response"] + DONE_LATENCY]
    # a word every other cycle; the memory answers 10 after the last
    assert times["response"] - times["beat"] == 2 * (bursts * WORDS - 1) + 10


@pytest.mark.parametrize("seed", range(10))
def test_the_first_failing_burst_is_told_and_those_before_it_are_there(seed):
    rng = random.Random(seed)
    start, bursts = BURST_BYTES * rng.randrange(1 << 20), rng.randrange(2, 24)
    failing = sorted(rng.sample(range(bursts), rng.randrange(1, 3)))
    errors = {start + BURST_BYTES * n + 8 * rng.randrange(WORDS): rng.choice([SLVERR, DECERR])
              for n in failing}
    bench = Bench(Timing(rng.choice([1, 30]), 16, rng.choice([0, 0.4]), seed), errors, 0.3, seed)
    bench.words = [rng.getrandbits(64) for _ in range((bursts + 4) * WORDS)]

    async def run(ctx):
        await bench.command(ctx, start, bursts)
        await bench.wait(ctx)
        assert ctx.get(bench.dut.error)
        assert ctx.get(bench.dut.error_address) == start + BURST_BYTES * failing[0]
        before = placed([(start, failing[0])], bench.words)
        assert before.items() <= bench.memory.content.items()
        everything = placed([(start, bursts)], bench.words)
        assert bench.memory.content.items() <= everything.items()
        await ctx.tick().repeat(20)
        assert ctx.get(bench.dut.error)
        assert not ctx.get(bench.dut.commands.ready)
        assert bench.done == []
        bench.memory.errors.clear()
        bench.memory.content.clear()
        await bench.reset(ctx)
        first = bench.taken
        await bench.command(ctx, start, 2)
        await bench.wait(ctx)
        assert bench.memory.content == placed([(start, 2)], bench.words[first:])
    bench.run(run)


def test_a_reset_at_any_time_ends_its_bursts_and_writes_nothing_more():
    bench = Bench(Timing(12, 16, 0.2), gap=0.3)
    rng = random.Random(5)
    bench.words = [rng.getrandbits(64) for _ in range(6000)]

    async def run(ctx):
        for delay in [*range(0, 44, 3), 80, 150]:
            bench.memory.content.clear()
            first = bench.taken
            await bench.command(ctx, 0x8000, 9)
            await ctx.tick().repeat(delay + 1)
            done = len(bench.done)
            await bench.reset(ctx)
            taken = placed([(0x8000, 9)], bench.words[first:bench.taken])
            written = len(bench.memory.content)
            assert bench.memory.content == dict(list(taken.items())[:written])
            assert len(taken) - written <= QUEUE
            bench.memory.content.clear()
            first = bench.taken
            await bench.command(ctx, 0x1_0000, 3)
            await bench.wait(ctx)
            await ctx.tick()
            assert len(bench.done) == done + 1
            assert bench.memory.content == placed([(0x1_0000, 3)], bench.words[first:])
    bench.run(run)


@pytest.mark.parametrize("errors", [{0x80: SLVERR}, {}])
def test_nothing_more_is_announced_after_an_error_or_reset(errors):
    bench = Bench(Timing(10), errors)
    bench.words = [9] * 200 * WORDS

    async def run(ctx):
        await bench.command(ctx, 0, 200)
        await ctx.tick().repeat(30)
        if not errors:
            await bench.reset(ctx)
        await bench.wait(ctx)
        assert bench.checker.write_bursts <= 12
    bench.run(run)


def test_a_reset_in_the_cycle_that_would_end_a_command_leaves_no_done():
    bench = Bench()

    async def run(ctx):
        await bench.command(ctx, 0, 0)
        await bench.reset(ctx)
        await ctx.tick().repeat(5)
        assert bench.done == []
    bench.run(run)


def test_no_word_is_taken_without_a_command():
    bench = Bench()
    bench.words = [1] * 40

    async def run(ctx):
        await ctx.tick().repeat(50)
        assert bench.taken == 0
        await bench.command(ctx, 0, 1)
        await bench.wait(ctx)
        await ctx.tick().repeat(50)
        assert bench.taken == WORDS
    bench.run(run)
