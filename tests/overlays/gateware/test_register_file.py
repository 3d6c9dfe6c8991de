import random

import pytest
from amaranth import Value
from amaranth.sim import Simulator

from overlays.gateware.register_bus import READ_LATENCY
from overlays.gateware.register_file import WRITE_LATENCY, RegisterFile
from pynq_bnn import registers
from pynq_bnn.registers import READ_ONLY, READ_WRITE, TABLE, offset

SINGLE = [register for register in TABLE if register.count == 1]
READ_ONLY_ONES = [register.name for register in SINGLE if register.access == READ_ONLY]
READ_WRITE_ONES = [register.name for register in SINGLE if register.access == READ_WRITE]
LOG = sorted(place for place, register, _ in registers.words() if register.count > 1)


def port(dut, name):
    return Value.cast(getattr(dut, name.lower()))


def simulate(bench):
    dut = RegisterFile()

    async def log(ctx):
        while True:
            *_, address = await ctx.tick().sample(dut.log_address)
            ctx.set(dut.log_data, 0x1000 + address)

    async def run(ctx):
        await bench(ctx, dut)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_process(log)
    simulator.add_testbench(run)
    simulator.run()


async def read(ctx, dut, place):
    """The data, sampled exactly READ_LATENCY after the pulse."""
    ctx.set(dut.bus.address, place)
    ctx.set(dut.bus.read, 1)
    await ctx.tick()
    ctx.set(dut.bus.read, 0)
    await ctx.tick().repeat(READ_LATENCY - 1)
    return ctx.get(dut.bus.read_data)


async def write(ctx, dut, place, value):
    """Returns when the new value holds."""
    ctx.set(dut.bus.address, place)
    ctx.set(dut.bus.write_data, value)
    ctx.set(dut.bus.write, 1)
    await ctx.tick()
    ctx.set(dut.bus.write, 0)
    await ctx.tick().repeat(WRITE_LATENCY - 1)


async def program(ctx, dut, place, value):
    """Returns when the new value holds."""
    ctx.set(dut.program.offset, place)
    ctx.set(dut.program.value, value)
    ctx.set(dut.program.write, 1)
    await ctx.tick()
    ctx.set(dut.program.write, 0)
    await ctx.tick().repeat(WRITE_LATENCY - 1)


def test_every_offset_of_the_window_reads_as_the_table_says():
    rng = random.Random(1)
    expected = {place: 0x1000 + n for n, place in enumerate(LOG)}

    async def bench(ctx, dut):
        for register in SINGLE:
            expected[register.offset] = 0
            if register.access == READ_ONLY:
                expected[register.offset] = rng.getrandbits(32)
                ctx.set(port(dut, register.name), expected[register.offset])
            elif register.access == READ_WRITE:
                assert ctx.get(port(dut, register.name)) == register.reset
                expected[register.offset] = rng.getrandbits(32)
                await write(ctx, dut, register.offset, expected[register.offset])
        for place in rng.sample(range(0, registers.WINDOW_BYTES, 4), 1024):
            assert await read(ctx, dut, place) == expected.get(place, 0), hex(place)
    simulate(bench)


def test_a_write_changes_its_register_alone():
    rng = random.Random(2)

    async def bench(ctx, dut):
        model = {name: registers.BY_NAME[name].reset for name in READ_WRITE_ONES}
        places = [place for place, _, _ in registers.words()] + [0x3C, 0x0A0, 0xFFC]
        for place in rng.sample(places, len(places)):
            value = rng.getrandbits(32)
            if place == offset("CONTROL"):
                continue
            await write(ctx, dut, place, value)
            model.update({name: value for name in model if offset(name) == place})
            assert {name: ctx.get(port(dut, name)) for name in model} == model
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        for name in model:
            assert ctx.get(port(dut, name)) == registers.BY_NAME[name].reset
    simulate(bench)


@pytest.mark.parametrize("name, pulse, value_port", [
    ("CONTROL", "control_written", "control"), ("STAGE", "stage_written", "stage_value")])
def test_a_write_that_acts_is_told_in_one_pulse(name, pulse, value_port):
    async def bench(ctx, dut):
        for value in (1, 0xABCD0003):
            await write(ctx, dut, offset(name), value)
            assert ctx.get(getattr(dut, pulse)) == 1
            assert ctx.get(port(dut, value_port)) == value
            await ctx.tick()
            assert ctx.get(getattr(dut, pulse)) == 0
        for other in READ_WRITE_ONES:
            if other != name:
                await write(ctx, dut, offset(other), 3)
                assert ctx.get(getattr(dut, pulse)) == 0
        if name == "STAGE":
            await program(ctx, dut, offset(name), 2)
            assert ctx.get(dut.stage_written) == 0
    simulate(bench)


def test_holds_keep_the_host_out_but_not_the_program():
    async def bench(ctx, dut):
        ctx.set(dut.hold, 1)
        ctx.set(dut.hold_stage, 1)
        for n, name in enumerate(registers.PROGRAMMABLE):
            await write(ctx, dut, offset(name), 70 + n)
            assert ctx.get(dut.stage_written) == (name == "STAGE")
            assert ctx.get(port(dut, name)) == registers.BY_NAME[name].reset
            await program(ctx, dut, offset(name), 80 + n)
            assert ctx.get(port(dut, name)) == 80 + n
        await write(ctx, dut, offset("PROGRAM_ADDRESS"), 0x80)
        assert ctx.get(dut.program_address) == 0x80
        ctx.set(dut.hold, 0)
        await write(ctx, dut, offset("BATCH"), 9)
        assert ctx.get(dut.batch) == 9
        await write(ctx, dut, offset("STAGE"), 9)
        assert ctx.get(port(dut, "STAGE")) == 80
    simulate(bench)


def test_what_a_program_may_not_write_stays():
    allowed = {offset(name) for name in registers.PROGRAMMABLE}

    async def bench(ctx, dut):
        places = [*range(0, 0x100, 4), 0x081, 0x200, 0x1080, 0x8000_0080]
        for place in places:
            before = {name: ctx.get(port(dut, name)) for name in READ_WRITE_ONES}
            await program(ctx, dut, place, 0x5A5A + place)
            before.update({name: 0x5A5A + place for name in before
                           if offset(name) == place and place in allowed})
            assert {name: ctx.get(port(dut, name)) for name in before} == before
    simulate(bench)


@pytest.mark.parametrize("name", ["CONTROL", "STAGE", "PROGRAM_STEPS"])
def test_a_write_of_the_host_in_the_cycle_of_a_programs_comes_a_cycle_later(name):
    async def bench(ctx, dut):
        told = {"CONTROL": dut.control_written, "STAGE": dut.stage_written}.get(name)
        ctx.set(dut.program.offset, offset("OUTPUTS"))
        ctx.set(dut.program.value, 64)
        ctx.set(dut.program.write, 1)
        ctx.set(dut.bus.address, offset(name))
        ctx.set(dut.bus.write_data, 2)
        ctx.set(dut.bus.write, 1)
        await ctx.tick()
        ctx.set(dut.program.write, 0)
        ctx.set(dut.bus.write, 0)
        await ctx.tick().repeat(WRITE_LATENCY - 1)
        assert ctx.get(dut.outputs) == 64
        assert told is None or not ctx.get(told)
        await ctx.tick()
        assert ctx.get(port(dut, name)) == 2
        assert told is None or ctx.get(told)
        await ctx.tick()
        assert told is None or not ctx.get(told)
        assert ctx.get(dut.outputs) == 64
    simulate(bench)
