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


FP = {"height": 1, "width": 1, "channels": 3, "outputs": 64, "batch": 1, "source": r.INPUT,
      "target": r.FMAP_A, "pool": 0}
FC = {"height": 1, "width": 1, "channels": 64, "outputs": 64, "batch": 1, "source": r.FMAP_B,
      "target": r.FMAP_C}


def beside(*stages, first=FP):
    """Run FP_CONV, or `first`, and then these stages, (kind, registers) each: begun while a
    convolution went on, or not.
    """
    moments, entries = [], []
    stages = [(r.FP_CONV if first["source"] == r.INPUT else r.BIN_CONV, first), *stages]

    async def bench(ctx, dut):
        await pulse(ctx, dut.run)
        await ctx.tick()

        def write_registers():
            begun = min(len(moments), len(stages) - 1)
            for name, value in stages[begun][1].items():  # of the stage that comes next
                ctx.set(dut.registers[name], value)

        await watch_log(ctx, dut, entries, write_registers)
        assert ctx.get(dut.done), error(ctx, dut)
        assert ctx.get(dut.stages) == len(stages)

    run(bench, [step("STAGE", kind) for kind, _ in stages], first, moments=moments)
    assert [kind for kind, _ in moments] == [kind for kind, _ in stages]
    return [went_on for _, went_on in moments[1:]], entries


STORE = {"dma_address": 0x1000, "dma_bytes": 128, "source": r.SUMS}


@pytest.mark.parametrize("kind, registers, waits", [
    (r.BIN_FC, FC, False),
    (r.BIN_FC, {**FC, "source": r.FMAP_D}, False),
    (r.BIN_FC, {**FC, "target": r.FMAP_A}, True),
    (r.BIN_FC, {**FC, "source": r.FMAP_A, "target": r.FMAP_B}, True),
    (r.LAST, {**LAST, "source": r.FMAP_C}, False),
    (r.LAST, {**LAST, "source": r.FMAP_B}, False),
    (r.LAST, LAST, True),
    (r.STORE, STORE, False),
    (r.STORE, {**STORE, "source": r.FMAP_D}, False),
    (r.STORE, {**STORE, "source": r.FMAP_A}, True),
    (r.LOAD, {**LOAD, "target": r.PARAMS}, False),
    (r.LOAD, LOAD, True),
    (r.FP_CONV, FP, True),
    (r.FP_CONV, {**FP, "target": r.FMAP_B}, True),
    (r.BIN_CONV, {**FP, "channels": 64, "source": r.FMAP_A, "target": r.FMAP_B}, True),
    (r.BIN_CONV, {**FP, "channels": 64, "source": r.FMAP_B, "target": r.FMAP_A}, True),
    (r.BIN_CONV, {**FP, "channels": 64, "source": r.FMAP_B, "target": r.FMAP_C}, False),
    (r.BIN_CONV, {**FP, "channels": 64, "source": r.FMAP_C, "target": r.FMAP_D}, False),
])
def test_what_runs_beside_fp_conv(kind, registers, waits):
    went_on, entries = beside((kind, registers))
    assert went_on == [not waits]
    fp = [entry for entry in entries if entry[:2] == [0, r.FP_CONV]]
    assert fp[-1] == [0, r.FP_CONV, CONV_CYCLES - 1, CONV_CYCLES - 10], "all of its cycles"
    assert entries[0][:2] == [0, r.FP_CONV], "in its turn"
    if kind not in (r.FP_CONV, r.BIN_CONV, r.LOAD):
        assert [entry for entry in entries if entry[0] == 1] == [[1, kind, STAGE_CYCLES - 1, 15]]


def test_nothing_but_parameters_moves_while_fp_conv_writes_b():
    for registers in (FC, {**FC, "source": r.FMAP_D}):
        assert beside((r.BIN_FC, registers), first={**FP, "target": r.FMAP_B})[0] == [False]
    assert beside((r.STORE, STORE), first={**FP, "target": r.FMAP_B})[0] == [False]
    assert beside((r.LOAD, {**LOAD, "target": r.PARAMS}),
                  first={**FP, "target": r.FMAP_B})[0] == [True]


def test_several_stages_beside_fp_conv_and_the_end_waits_for_it():
    went_on, entries = beside((r.BIN_FC, FC), (r.LAST, {**LAST, "source": r.FMAP_C}),
                              (r.BIN_CONV, {**FP, "channels": 64, "source": r.FMAP_B}))
    assert went_on == [True, True, False]
    assert [entry[:2] for entry in entries] == [
        [0, r.FP_CONV], [1, r.BIN_FC], [2, r.LAST], [0, r.FP_CONV], [3, r.BIN_CONV],
        [3, r.BIN_CONV]]
    assert beside((r.BIN_FC, FC))[1][-1][:2] == [0, r.FP_CONV]


CONV = {"height": 4, "width": 4, "channels": 64, "outputs": 64, "batch": 1, "source": r.FMAP_A,
        "target": r.FMAP_B, "padding": r.PAD_ZERO, "pool": 1}
IN_B = {**CONV, "source": r.FMAP_B, "target": r.FMAP_C}
FC_ASIDE = {**FC, "source": r.FMAP_D, "padding": 0, "pool": 0}
LARGE = {**CONV, "height": 32, "width": 32, "outputs": 256}
"""Its target takes 128 of SMALL's 512 rows."""


@pytest.mark.parametrize("conv, kind, registers, waits", [
    (CONV, r.BIN_FC, FC_ASIDE, False),
    (CONV, r.BIN_FC, {**FC_ASIDE, "source": r.FMAP_C, "target": r.FMAP_D}, False),
    (CONV, r.BIN_FC, {**FC_ASIDE, "source": r.FMAP_B}, True),
    (CONV, r.BIN_FC, {**FC_ASIDE, "source": r.FMAP_B, "target": r.FMAP_A}, True),
    (CONV, r.LAST, {**LAST, "source": r.FMAP_C}, False),
    (CONV, r.LAST, {**LAST, "source": r.FMAP_B}, True),
    (CONV, r.LAST, LAST, True),
    (CONV, r.STORE, STORE, False),
    (CONV, r.STORE, {**STORE, "source": r.FMAP_D}, True),
    (CONV, r.STORE, {**STORE, "source": r.PARAMS}, True),
    (CONV, r.LOAD, LOAD, False),
    (CONV, r.LOAD, {**LOAD, "target": r.PARAMS}, False),
    (CONV, r.FP_CONV, FP, True),
    (CONV, r.FP_CONV, {**FP, "target": r.FMAP_B}, True),
    (CONV, r.BIN_CONV, CONV, True),
    ({**CONV, "pool": 0}, r.BIN_FC, FC_ASIDE, True),
    ({**CONV, "pool": 0}, r.STORE, STORE, True),
    (LARGE, r.BIN_FC, FC_ASIDE, False),
    ({**LARGE, "batch": 2}, r.BIN_FC, FC_ASIDE, True),
    ({**CONV, "source": r.FMAP_B, "target": r.FMAP_A}, r.BIN_FC, FC_ASIDE, True),
    ({**CONV, "source": r.FMAP_B, "target": r.FMAP_A}, r.FP_CONV, FP, True),
    (IN_B, r.FP_CONV, FP, False),
    (IN_B, r.FP_CONV, {**FP, "target": r.FMAP_B}, True),
    ({**IN_B, "source": r.FMAP_C, "target": r.FMAP_D}, r.FP_CONV, FP, False),
    (IN_B, r.BIN_FC, FC_ASIDE, True),
    (IN_B, r.LAST, {**LAST, "source": r.FMAP_D}, True),
    (IN_B, r.STORE, STORE, True),
    (IN_B, r.BIN_CONV, {**IN_B, "source": r.FMAP_C, "target": r.FMAP_D}, True),
    (IN_B, r.LOAD, LOAD, False),
])
def test_what_runs_beside_bin_conv(conv, kind, registers, waits):
    went_on, entries = beside((kind, registers), first=conv)
    assert went_on == [not waits]
    own = [entry for entry in entries if entry[:2] == [0, r.BIN_CONV]]
    assert own[-1] == [0, r.BIN_CONV, CONV_CYCLES - 1, CONV_CYCLES - 10], "all of its cycles"
    assert entries[0][:2] == [0, r.BIN_CONV], "in its turn"


@pytest.mark.parametrize("name", ["fp", "conv"])
def test_what_has_its_parameters_does_not_starve(name):
    """It may wait for them, on their way through its queue, while another stage runs."""
    kind, first = {"fp": (r.FP_CONV, FP), "conv": (r.BIN_CONV, CONV)}[name]

    async def bench(ctx, dut):
        port = getattr(dut, name)
        await pulse(ctx, dut.run)
        for cycle in range(400):
            ctx.set(port.loaded, cycle > 60)
            ctx.set(port.waiting, 1)
            ctx.set(dut.stage_waiting, 0)
            if cycle == 60:
                for register, value in {**first, **STORE}.items():
                    ctx.set(dut.registers[register], value)
            await ctx.tick()
        assert ctx.get(dut.busy)
        assert error(ctx, dut) == (0, 0, 0, 0)

    assert run(bench, [step("STAGE", kind), step("STAGE", r.STORE)], first,
               ends=False)[1] == [kind, r.STORE]


@pytest.mark.parametrize("name", ["fp", "conv"])
def test_a_convolution_that_starves_is_an_underrun(name):
    kind, first = {"fp": (r.FP_CONV, FP), "conv": (r.BIN_CONV, CONV)}[name]

    async def bench(ctx, dut):
        ctx.set(getattr(dut, name).waiting, 1)
        await pulse(ctx, dut.run)
        await settle(ctx, dut)
        assert error(ctx, dut) == (r.ERROR_UNDERRUN, kind, 0, 0)

    run(bench, [step("STAGE", kind)], first, ends=False)


def test_both_convolutions_at_once_and_each_has_its_entry():
    """FP_CONV and one within B, and another one after that."""
    went_on, entries = beside((r.BIN_CONV, IN_B), (r.BIN_CONV, IN_B), (r.LAST, LAST))
    assert went_on == [True, False, False]
    final = {tuple(entry[:2]): entry[2:] for entry in entries}
    assert final[0, r.FP_CONV] == final[1, r.BIN_CONV] == final[2, r.BIN_CONV] == [
        CONV_CYCLES - 1, CONV_CYCLES - 10]
    assert len(entries) == 2 + 2 + 2 + 1


@pytest.mark.parametrize("apart", range(-3, 4))
def test_convolutions_that_end_together(apart):
    """The log takes one entry a cycle."""
    program, entries = [step("STAGE", r.FP_CONV), step("STAGE", r.BIN_CONV)], []

    async def bench(ctx, dut):
        await pulse(ctx, dut.run)
        begun = 0
        for _ in range(200):
            ctx.set(dut.fp.loaded, begun > 0)
            ctx.set(dut.conv.loaded, begun > 1)
            if begun == 1:
                for name, value in IN_B.items():
                    ctx.set(dut.registers[name], value)
            begun += ctx.get(dut.begin)
            await ctx.tick()
        for cycle in range(-4, 12):
            ctx.set(dut.fp.done, cycle == 0)
            ctx.set(dut.conv.done, cycle == apart)
            if ctx.get(dut.log_write):
                entries.append((ctx.get(dut.log_index), ctx.get(dut.log_entry.kind)))
            await ctx.tick()
        assert ctx.get(dut.done)
        assert not ctx.get(dut.busy)

    run(bench, program, FP, ends=False)
    assert sorted(entries) == [(0, r.FP_CONV), (1, r.BIN_CONV)]


def test_fp_conv_by_hand_is_done_when_it_has_ended():
    async def bench(ctx, dut):
        ctx.set(dut.host_kind, r.FP_CONV)
        await pulse(ctx, dut.stage_written)
        await ctx.tick().repeat(CONV_CYCLES)
        assert ctx.get(dut.busy)
        await settle(ctx, dut, 40)
        assert ctx.get(dut.done)

    run(bench, registers=FP)


def test_a_reset_and_an_error_forget_fp_conv():
    async def bench(ctx, dut):
        await pulse(ctx, dut.run)
        await ctx.tick().repeat(60)  # FP_CONV goes on
        assert ctx.get(dut.busy)
        await pulse(ctx, dut.reset)
        await settle(ctx, dut, 5)
        ctx.set(dut.program_steps, 1)
        for name, value in {**FP, **LAST}.items():
            ctx.set(dut.registers[name], value)
        ctx.set(dut.host_kind, r.BIN_CONV)
        await ctx.tick().repeat(3)
        for name, value in {**FP, "channels": 64, "source": r.FMAP_B}.items():
            ctx.set(dut.registers[name], value)
        await pulse(ctx, dut.stage_written)
        await settle(ctx, dut, CONV_CYCLES + 60)  # and nobody waits for it
        assert ctx.get(dut.done)
        assert ctx.get(dut.log_index) == 0

    run(bench, [step("STAGE", r.FP_CONV)], FP)
