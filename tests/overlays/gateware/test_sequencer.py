"""Programs, stages, log and errors of the sequencer, with pretended stages around it."""

import pytest
from amaranth.sim import Simulator

from overlays.gateware.config import SMALL
from overlays.gateware.sequencer import UNDERRUN_CYCLES, Sequencer
from overlays.gateware.unit_memory import READ_LATENCY
from pynq_bnn import registers as r

STAGE_CYCLES = 20
LOADED, CONV_CYCLES = 8, 150
"""A convolution has its parameters, and ends, so many cycles after it began."""
LOAD = {"dma_address": 0x1000, "dma_bytes": 128, "target": r.INPUT}
LAST = {"height": 1, "width": 1, "channels": 64, "outputs": 10, "batch": 1, "source": r.FMAP_A,
        "target": r.SUMS}


def run(bench, program=(), registers=LAST, ends=True, moments=None):
    """`bench` beside a program memory and, if `ends`, stages that take STAGE_CYCLES each.

    A convolution takes CONV_CYCLES; `moments` gets each stage begun and whether one, of either
    kind, went on then.
    """
    dut = Sequencer(SMALL)
    writes, begun = [], []
    moments = [] if moments is None else moments

    async def memory(ctx):
        words = list(program) + [0] * 4
        pipe = [0] * (READ_LATENCY - 1)
        while True:
            *_, address = await ctx.tick().sample(dut.program_read)
            pipe.append(words[min(address, len(words) - 1)])
            ctx.set(dut.program_word, pipe.pop(0))

    async def stages(ctx):
        left, sides = 0, {r.FP_CONV: 0, r.BIN_CONV: 0}
        while True:
            _, _, begin, kind, fetch = await ctx.tick().sample(dut.begin, dut.kind, dut.fetch)
            if begin:
                begun.append(kind)
                moments.append((kind, any(sides.values())))
                if kind in sides:
                    sides[kind] = CONV_CYCLES
                else:
                    left = STAGE_CYCLES
            ctx.set(dut.ended, ends and left == 1)
            ctx.set(dut.stage_busy, left > 5)
            for side, port in ((r.FP_CONV, dut.fp), (r.BIN_CONV, dut.conv)):
                ctx.set(port.loaded, ends and 0 < sides[side] <= CONV_CYCLES - LOADED)
                ctx.set(port.done, ends and sides[side] == 1)
                ctx.set(port.busy, sides[side] > 10)
                sides[side] = max(sides[side] - 1, 0)
            left = max(left - 1, 0)
            ctx.set(dut.fetched, fetch)

    async def watch(ctx):
        async for *_, write, offset, value in ctx.tick().sample(dut.step_write, dut.step_offset,
                                                                dut.step_value):
            if write:
                writes.append((offset, value))

    async def testbench(ctx):
        for name, value in registers.items():
            ctx.set(dut.registers[name], value)
        ctx.set(dut.loader_ready, 1)
        ctx.set(dut.program_address, 0x80)
        ctx.set(dut.program_steps, len(program))
        await bench(ctx, dut)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_process(memory)
    simulator.add_process(stages)
    simulator.add_process(watch)
    simulator.add_testbench(testbench)
    simulator.run()
    return writes, begun


async def pulse(ctx, signal):
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)


async def settle(ctx, dut, cycles=400):
    await ctx.tick()
    for _ in range(cycles):
        if not ctx.get(dut.busy):
            return
        await ctx.tick()
    raise AssertionError("still busy")


async def watch_log(ctx, dut, entries, each_cycle=lambda: None):
    """Until the run ends: each entry's index, kind, cycles and busy ones, as they are written."""
    for _ in range(1000):
        each_cycle()
        if ctx.get(dut.log_write):
            entry = dut.log_entry
            entries.append([ctx.get(value) for value in (
                dut.log_index, entry.kind, entry.cycles, entry.busy)])
        if not ctx.get(dut.busy):
            break
        await ctx.tick()


def error(ctx, dut):
    return (ctx.get(dut.error_code), ctx.get(dut.error_stage), ctx.get(dut.error_step),
            ctx.get(dut.error_address))


def step(name, value):
    return r.offset(name) | value << 32


def test_a_program_makes_its_writes_and_runs_its_stages_in_turn():
    program = [step("OUTPUTS", 10), step("STAGE", r.LAST), step("BATCH", 1), step("STAGE", r.LAST)]
    entries = []

    async def bench(ctx, dut):
        await pulse(ctx, dut.run)
        await ctx.tick()
        await watch_log(ctx, dut, entries)
        assert ctx.get(dut.done)
        assert error(ctx, dut) == (0, 0, 0, 0)
        assert (ctx.get(dut.step), ctx.get(dut.stages)) == (4, 2)

    writes, begun = run(bench, program)
    assert writes == [(word & 0xFFF, word >> 32) for word in program]
    assert begun == [r.LAST, r.LAST]
    assert [entry[:2] for entry in entries] == [[0, r.LAST], [1, r.LAST]]
    assert entries[0][2] == entries[1][2] == STAGE_CYCLES - 1  # the last cycle is the end itself


@pytest.mark.parametrize("steps", (1, 2, 200))
def test_the_next_programs_length_changes_nothing_of_this_run(steps):
    """docs/contract.md: PROGRAM_STEPS may be written while BUSY, and counts for the next RUN."""
    program = [step("OUTPUTS", 10), step("BATCH", 1), step("STAGE", r.LAST)]

    async def bench(ctx, dut):
        await pulse(ctx, dut.run)
        await ctx.tick().repeat(10)
        ctx.set(dut.program_steps, steps)
        await settle(ctx, dut)
        assert ctx.get(dut.done)
        assert ctx.get(dut.step) == 3

    assert run(bench, program)[1] == [r.LAST]


def test_a_stage_by_hand():
    async def bench(ctx, dut):
        ctx.set(dut.host_kind, r.LAST)
        await pulse(ctx, dut.stage_written)
        await settle(ctx, dut)
        assert ctx.get(dut.done)

    assert run(bench)[1] == [r.LAST]


def test_a_refused_step_waits_for_the_stage_before_it():
    program = [step("STAGE", r.LAST), step("PROGRAM_STEPS", 1)]

    async def bench(ctx, dut):
        await pulse(ctx, dut.run)
        await settle(ctx, dut)
        assert not ctx.get(dut.done)
        assert error(ctx, dut) == (r.ERROR_PROGRAM, 0, 1, r.offset("PROGRAM_STEPS"))
        assert ctx.get(dut.stages) == 1

    run(bench, program)


def test_a_bad_stage_names_its_step():
    program = [step("OUTPUTS", 10), step("STAGE", 15)]

    async def bench(ctx, dut):
        await pulse(ctx, dut.run)
        await settle(ctx, dut)
        assert error(ctx, dut) == (r.ERROR_STAGE, 15, 1, 0)

    assert run(bench, program)[1] == []


def test_bad_programs():
    async def bench(ctx, dut):
        for address, steps, expected in (
                (0x40, 1, (r.ERROR_ADDRESS, 0, 0, 0x40)),
                (0x80, 0, (r.ERROR_PROGRAM, 0, 0, r.offset("PROGRAM_STEPS"))),
                (0x80, r.PROGRAM_STEPS_MAX + 1,
                 (r.ERROR_PROGRAM, 0, 0, r.offset("PROGRAM_STEPS")))):
            ctx.set(dut.program_address, address)
            ctx.set(dut.program_steps, steps)
            await pulse(ctx, dut.run)
            await settle(ctx, dut)
            assert error(ctx, dut) == expected
            await pulse(ctx, dut.reset)
            await settle(ctx, dut)
            assert error(ctx, dut) == (0, 0, 0, 0)

    run(bench)


def test_leftover_before_and_after():
    program = [step("STAGE", r.LAST)]

    async def bench(ctx, dut):
        ctx.set(dut.parameters_left, 1)
        await pulse(ctx, dut.run)
        await settle(ctx, dut)
        assert error(ctx, dut) == (r.ERROR_LEFTOVER, 0, 0, 0)
        await pulse(ctx, dut.reset)
        ctx.set(dut.parameters_left, 0)
        await ctx.tick().repeat(3)
        await pulse(ctx, dut.run)
        await ctx.tick().repeat(10)
        ctx.set(dut.parameters_left, 1)
        await settle(ctx, dut)
        assert error(ctx, dut) == (r.ERROR_LEFTOVER, 0, 0, 0)

    run(bench, program)


def test_a_stage_that_starves_is_an_underrun():
    async def bench(ctx, dut):
        ctx.set(dut.host_kind, r.LAST)
        ctx.set(dut.stage_waiting, 1)
        ctx.set(dut.parameters_coming, 1)
        await pulse(ctx, dut.stage_written)
        await ctx.tick().repeat(3 * UNDERRUN_CYCLES)
        assert ctx.get(dut.busy)
        ctx.set(dut.parameters_coming, 0)
        await ctx.tick().repeat(UNDERRUN_CYCLES - 1)
        assert ctx.get(dut.busy)
        await ctx.tick().repeat(4)
        assert error(ctx, dut) == (r.ERROR_UNDERRUN, r.LAST, r.NO_STEP, 0)

    run(bench, ends=False)


def test_faults_of_the_memory():
    async def bench(ctx, dut):
        ctx.set(dut.host_kind, r.LAST)
        ctx.set(dut.fault_address, 0x1280)
        for fault, expected in ((dut.read_fault, r.ERROR_READ), (dut.write_fault, r.ERROR_WRITE)):
            await pulse(ctx, dut.stage_written)
            await ctx.tick().repeat(15)
            ctx.set(fault, 1)
            await ctx.tick().until(dut.clear)
            ctx.set(fault, 0)
            await settle(ctx, dut)
            assert error(ctx, dut) == (expected, r.LAST, r.NO_STEP, 0x1280)
            await pulse(ctx, dut.reset)
            await ctx.tick().repeat(3)

    run(bench, ends=False)


def test_a_start_while_busy():
    async def bench(ctx, dut):
        ctx.set(dut.host_kind, r.LAST)
        await pulse(ctx, dut.stage_written)
        await ctx.tick().repeat(15)
        await pulse(ctx, dut.run)
        await settle(ctx, dut)
        assert error(ctx, dut) == (r.ERROR_BUSY, 0, r.NO_STEP, 0)
        await pulse(ctx, dut.stage_written)  # ignored while there is an error
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.busy)

    run(bench, ends=False)
