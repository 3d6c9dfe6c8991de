import random
from functools import partial

import pytest
from amaranth.sim import Simulator

from overlays.gateware.dma_read_port import BURST_UNITS, DmaReadPort
from overlays.gateware.dma_reader import BEAT_LATENCY, BUSY_LATENCY, COMMAND_LATENCY, DmaReader
from pynq_bnn.registers import BURST_BYTES
from tests.overlays.gateware.axi_models import DECERR, SLVERR, Checker, Memory, Timing


class Bench:
    """A reader, its memory, a taker of its units that stalls at random, and checkers."""

    def __init__(self, ports=2, fifo_bursts=8, timing=None, errors=None, stall=0.0, seed=0):
        self.dut = DmaReader(ports, fifo_bursts)
        axis = [getattr(self.dut, f"axi{n}") for n in range(ports)]
        self.memory = Memory(timing or Timing(), errors)
        self.checkers = [Checker(axi, BURST_BYTES) for axi in axis]
        self.random, self.stall = random.Random(seed), stall
        self.cycle = 0
        self.streams = [[] for _ in self.dut.units]  # (cycle, unit) of each
        self.simulator = Simulator(self.dut)
        self.simulator.add_clock(1e-8)
        for process in [*self.memory.processes(axis), *(c.process for c in self.checkers),
                        *(partial(self._take, stream=n) for n in range(len(self.streams)))]:
            self.simulator.add_process(process)

    @property
    def got(self):
        """What has come, (cycle, unit): a burst of each stream by turns, until one is missing."""
        got = []
        for start in range(0, len(self.streams[0]) + 1, BURST_UNITS):
            for stream in self.streams:
                burst = stream[start:start + BURST_UNITS]
                got += burst
                if len(burst) < BURST_UNITS:
                    return got
        return got

    def forget(self):
        for stream in self.streams:
            stream.clear()

    async def _take(self, ctx, stream):
        units, held = self.dut.units[stream], None
        async for _, _, valid, ready, unit, stopped in ctx.tick().sample(
                units.valid, units.ready, units.payload,
                self.dut.reset | self.dut.error):
            if held is not None and valid:
                assert unit == held, "a unit changed while it waited"
            held = unit if valid and not ready and not stopped else None
            if valid and ready:
                self.streams[stream].append((self.cycle, unit))
            self.cycle += stream == 0
            ctx.set(units.ready, self.random.random() >= self.stall)

    async def command(self, ctx, address, bursts, split=1):
        """The cycle in which the command was taken."""
        commands = self.dut.commands
        ctx.set(commands.payload.address, address)
        ctx.set(commands.payload.bursts, bursts)
        ctx.set(self.dut.split, split)
        ctx.set(commands.valid, 1)
        for _ in range(20_000):
            ready, cycle = ctx.get(commands.ready), self.cycle
            await ctx.tick()
            if ready:
                ctx.set(commands.valid, 0)
                return cycle
        raise AssertionError("the command is not taken")

    async def wait(self, ctx, limit=20_000):
        for _ in range(limit):
            if not ctx.get(self.dut.busy):
                return
            await ctx.tick()
        raise AssertionError("the reader stays busy")

    async def reset(self, ctx):
        ctx.set(self.dut.reset, 1)
        await ctx.tick()
        ctx.set(self.dut.reset, 0)
        await self.wait(ctx)
        assert not ctx.get(self.dut.error)

    def run(self, bench):
        self.simulator.add_testbench(bench)
        self.simulator.run()
        for checker in self.checkers:
            checker.finish()
        return [unit for _, unit in self.got]

    def expected(self, commands):
        return [self.memory.unit(address + 16 * n)
                for address, bursts in commands for n in range(bursts * BURST_UNITS)]


def random_commands(rng, count, most=12):
    return [(BURST_BYTES * rng.randrange(1 << 25 - 5), rng.randrange(most)) for _ in range(count)]


@pytest.mark.parametrize("ports", [1, 2, 4])
@pytest.mark.parametrize("stall, memory_stall, bandwidth, latency", [
    (0.0, 0.0, 16, 40), (0.5, 0.0, 16, 1), (0.0, 0.4, 16, 7), (0.6, 0.3, 5, 20)])
def test_units_come_in_the_order_of_memory(ports, stall, memory_stall, bandwidth, latency):
    rng = random.Random(ports)
    bench = Bench(ports, 4, Timing(latency, bandwidth, memory_stall, seed=1), stall=stall)
    commands = random_commands(rng, 8)

    async def run(ctx):
        for command in commands:
            await bench.command(ctx, *command)
            await ctx.tick().repeat(rng.choice([1, 1, 30]))
        await bench.wait(ctx)
    assert bench.run(run) == bench.expected(commands)
    bursts = [checker.read_bursts for checker in bench.checkers]
    assert sum(bursts) == sum(count for _, count in commands)
    assert max(bursts) - min(bursts) <= 1


def test_throughput_with_two_ports_and_sixteen_bytes_a_cycle():
    bench = Bench(fifo_bursts=32)
    bursts, taken = 400, []

    async def run(ctx):
        taken.append(await bench.command(ctx, 0x1000_0000, bursts))
        await bench.wait(ctx)
    assert bench.run(run) == bench.expected([(0x1000_0000, bursts)])
    units = bursts * BURST_UNITS
    # the last burst of the second port leaves behind that of the first: 8 cycles more
    cycles = bench.got[-1][0] - taken[0]
    assert cycles == COMMAND_LATENCY + 40 + units - 1 + BEAT_LATENCY + BURST_UNITS
    assert units / (cycles + 1) >= 0.98


def test_four_ports_give_two_units_a_cycle():
    bench = Bench(ports=4, fifo_bursts=32, timing=Timing(40, 32))
    bursts, taken = 400, []

    async def run(ctx):
        taken.append(await bench.command(ctx, 0x1000_0000, bursts))
        await bench.wait(ctx)
    assert bench.run(run) == bench.expected([(0x1000_0000, bursts)])
    cycles = max(stream[-1][0] for stream in bench.streams) - taken[0]
    units = bursts // 2 * BURST_UNITS  # of each stream
    # the fourth port is asked six cycles after the first, and its last burst leaves behind another
    most = COMMAND_LATENCY + 6 + 40 + units - 1 + BEAT_LATENCY + BURST_UNITS
    assert most - 6 <= cycles <= most


def test_what_is_not_split_comes_over_the_first_stream():
    """And where split commands stopped the next one goes on."""
    bench = Bench(ports=4, fifo_bursts=8, timing=Timing(7, 28), stall=0.2)
    rng, split, alone = random.Random(1), [], []

    async def run(ctx):
        for number in range(12):
            address, is_split = BURST_BYTES * rng.randrange(1 << 20), number % 3 == 0
            # an odd number, so that the second stream's turn comes next
            bursts = 1 + 2 * rng.randrange(3) if is_split else rng.randrange(1, 7)
            before = len(bench.streams[0])
            await bench.command(ctx, address, bursts, is_split)
            await bench.wait(ctx)
            if is_split:
                split.append((address, bursts))
            else:
                alone.append((address, bursts))
                of_it = bench.streams[0][before:]
                del bench.streams[0][before:]
                assert [unit for _, unit in of_it] == bench.expected([(address, bursts)])
    assert bench.run(run) == bench.expected(split)
    assert min(len(split), len(alone)) > 3


def test_no_more_bursts_are_on_their_way_than_a_port_takes():
    bench = Bench(fifo_bursts=16, timing=Timing(latency=200, accepts=100))

    async def run(ctx):
        await bench.command(ctx, 0, 40)
        await bench.wait(ctx)
    bench.run(run)
    assert [checker.most_outstanding for checker in bench.checkers] == [8, 8]


def test_of_errors_on_both_ports_the_first_in_memory_is_told():
    bench = Bench(timing=Timing(latency=3))
    beats = (0, 1, 7, 8, 9, 14, 15)

    async def run(ctx):
        for burst in range(2):
            for first in beats:
                for second in beats:
                    word = BURST_BYTES * burst + 8 * first
                    other = BURST_BYTES * (burst + 1) + 8 * second
                    bench.memory.errors = {word: SLVERR, other: SLVERR}
                    await bench.command(ctx, 0, 3)
                    await bench.wait(ctx)
                    assert ctx.get(bench.dut.error_address) == word
                    await bench.reset(ctx)
    bench.run(run)


@pytest.mark.parametrize("seed", range(6))
def test_of_errors_on_four_ports_the_first_in_memory_is_told(seed):
    """Whichever port's beat comes first, or last before all is drained."""
    rng = random.Random(seed)
    bench = Bench(4, 8, Timing(3, rng.choice([8, 32]), 0.5, seed))

    async def run(ctx):
        for _ in range(60):
            bursts = rng.sample(range(4), rng.randrange(1, 4))
            words = [BURST_BYTES * burst + 8 * rng.choice((0, 1, 14, 15)) for burst in bursts]
            bench.memory.errors = {word: SLVERR for word in words}
            await bench.command(ctx, 0, 4)
            address, = await ctx.tick().sample(bench.dut.error_address).until(bench.dut.error)
            assert address == min(words), "with `error`, not after it"
            await bench.wait(ctx)
            await bench.reset(ctx)
    bench.run(run)


@pytest.mark.parametrize("latency", [1, 40])
def test_latency_of_the_first_unit(latency):
    bench = Bench(timing=Timing(latency))
    taken, requested = [], []

    async def watch(ctx):
        await ctx.tick().until(bench.dut.axi0.arvalid)
        requested.append(bench.cycle - 1)

    async def run(ctx):
        await ctx.tick().repeat(3)
        taken.append(await bench.command(ctx, 0, 2))
        await bench.wait(ctx)
    bench.simulator.add_testbench(watch)
    bench.run(run)
    assert requested[0] - taken[0] == COMMAND_LATENCY
    assert bench.got[0][0] - taken[0] == COMMAND_LATENCY + latency + 1 + BEAT_LATENCY


@pytest.mark.parametrize("bursts", [0, 1, 5])
def test_busy_rises_at_once_and_falls_soon_after_the_last_unit(bursts):
    bench, busy = Bench(timing=Timing(9)), []

    async def watch(ctx):
        async for _, _, value in ctx.tick().sample(bench.dut.busy):
            busy.append(value)

    async def run(ctx):
        await ctx.tick().repeat(3)
        taken = await bench.command(ctx, 0, bursts)
        await bench.wait(ctx)
        await ctx.tick().repeat(5)
        end = bench.got[-1][0] + BUSY_LATENCY if bursts else taken + 2
        assert [n for n, value in enumerate(busy) if value] == list(range(taken + 1, end))
    bench.simulator.add_process(watch)
    bench.run(run)


def test_one_port_gives_a_unit_every_second_cycle():
    bench = Bench(ports=1, fifo_bursts=16)

    async def run(ctx):
        await bench.command(ctx, 0, 60)
        await bench.wait(ctx)
    bench.run(run)
    assert bench.got[-1][0] - bench.got[0][0] == 2 * (60 * BURST_UNITS - 1)


@pytest.mark.parametrize("seed", range(12))
def test_the_first_failing_word_is_told_and_nothing_from_there_on_leaves(seed):
    rng = random.Random(seed)
    start, bursts = BURST_BYTES * rng.randrange(1 << 24), rng.randrange(1, 40)
    words = [start + 8 * rng.randrange(16 * bursts) for _ in range(rng.randrange(1, 4))]
    timing = Timing(rng.choice([1, 15]), 16, rng.choice([0, 0.4]), seed)
    bench = Bench(rng.choice([1, 2, 4]), 8, timing,
                  {word: rng.choice([SLVERR, DECERR]) for word in words}, stall=0.3, seed=seed)
    good = (0x40, 0)

    async def run(ctx):
        nonlocal good
        await bench.command(ctx, start, bursts)
        await bench.wait(ctx)
        assert ctx.get(bench.dut.error)
        assert ctx.get(bench.dut.error_address) == min(words)
        await ctx.tick().repeat(20)
        assert ctx.get(bench.dut.error)
        assert not ctx.get(bench.dut.commands.ready)
        assert not any(ctx.get(units.valid) for units in bench.dut.units)
        seen = [unit for _, unit in bench.got]
        assert seen == bench.expected([(start, bursts)])[:len(seen)]
        assert len(seen) <= (min(words) - start) // 16
        bench.memory.errors.clear()
        bench.forget()
        await bench.reset(ctx)
        good = (start, 5)
        await bench.command(ctx, *good)
        await bench.wait(ctx)
    assert bench.run(run) == bench.expected([good])


@pytest.mark.parametrize("ports", [1, 2, 4])
def test_a_reset_at_any_time_leaves_the_reader_as_new(ports):
    bench = Bench(ports, 4, Timing(12, 16, 0.2), stall=0.3)
    bench.rng = random.Random(ports)

    async def run(ctx):
        for delay in [*range(0, 40, 3), 60, 100, 200]:
            await bench.command(ctx, 0x100_0000, 9)
            await ctx.tick().repeat(delay + 1)
            await bench.reset(ctx)
            bench.forget()
            await ctx.tick().repeat(bench.rng.randrange(1, 4))
            commands = random_commands(bench.rng, 2, 4)
            for command in commands:
                await bench.command(ctx, *command)
            await bench.wait(ctx)
            assert [unit for _, unit in bench.got] == bench.expected(commands)
    bench.run(run)


@pytest.mark.parametrize("errors", [{0x180: SLVERR}, {}])
def test_nothing_more_is_asked_for_after_an_error_or_reset(errors):
    bench = Bench(fifo_bursts=64, timing=Timing(10), errors=errors)

    async def run(ctx):
        await bench.command(ctx, 0, 300)
        await ctx.tick().repeat(30)
        if not errors:
            await bench.reset(ctx)
        await bench.wait(ctx)
        assert sum(checker.read_bursts for checker in bench.checkers) <= 20
    bench.run(run)


def test_a_reset_while_an_error_drains():
    bench = Bench(timing=Timing(30), errors={0: SLVERR})

    async def run(ctx):
        for delay in range(34, 60, 2):
            bench.memory.errors[0] = SLVERR
            await bench.command(ctx, 0, 9)
            await ctx.tick().repeat(delay)
            await bench.reset(ctx)
            bench.memory.errors.clear()
            bench.forget()
            await bench.command(ctx, 0x80, 2)
            await bench.wait(ctx)
            assert [unit for _, unit in bench.got] == bench.expected([(0x80, 2)])
    bench.run(run)


def test_wrong_parameters_are_named():
    with pytest.raises(ValueError, match="3 HP ports"):
        DmaReader(3)
    with pytest.raises(ValueError, match="12 bursts"):
        DmaReadPort(12)
