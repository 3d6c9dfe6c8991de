"""What runs beside a convolution, in the sequencer with pretended stages around it."""

import pytest

from pynq_bnn import registers as r
from tests.overlays.gateware.test_sequencer import (
    CONV_CYCLES,
    LAST,
    LOAD,
    STAGE_CYCLES,
    error,
    pulse,
    run,
    settle,
    step,
    watch_log,
)

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
