import random
from collections import deque

import pytest
from amaranth.sim import Simulator

from overlays.gateware.axi import Burst
from overlays.gateware.axi_slave import READ_CYCLES, WRITE_CYCLES, AxiSlave
from overlays.gateware.register_bus import READ_LATENCY
from pynq_bnn import registers
from tests.overlays.gateware.axi_models import OKAY, SLVERR, Checker, Processor

BASE = registers.BASE_ADDRESS
KNOWN = set(range(0, 0x200, 4))


class Registers:
    """The bus's other side: registers at KNOWN, answers exactly READ_LATENCY later."""

    def __init__(self, dut):
        self.dut = dut
        self.values = dict.fromkeys(KNOWN, 0)
        self.accesses = 0

    async def process(self, ctx):
        bus = self.dut.bus
        answers = deque([None] * (READ_LATENCY - 1))
        busy = None
        async for _, _, address, read, write, data in ctx.tick().sample(
                bus.address, bus.read, bus.write, bus.write_data):
            if busy is not None:
                assert (address, data) == busy[:2], "the access changed before its answer"
                assert not read
                assert not write
                busy = (*busy[:2], busy[2] - 1) if busy[2] > 1 else None
            if read or write:
                assert not (read and write)
                busy = (address, data, READ_LATENCY)
                self.accesses += 1
                if write and address in KNOWN:
                    self.values[address] = data
                answers.append(self.values.get(address, 0))
            else:
                answers.append(None)
            answer = answers.popleft()
            # without an answer due the bus says nonsense
            ctx.set(bus.read_data, 0xDEAD if answer is None else answer)


def simulate(*benches, gap=0.0, seed=0):
    dut = AxiSlave(BASE)
    registers, checker = Registers(dut), Checker(dut.axi)
    processor = Processor(dut.axi, gap, seed)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_process(checker.process)
    simulator.add_process(registers.process)
    for bench in benches:
        async def run(ctx, bench=bench):
            await bench(ctx, processor, registers)
        simulator.add_testbench(run)
    simulator.run()
    checker.finish()
    return registers


@pytest.mark.parametrize("gap", [0.0, 0.6])
def test_random_bursts_read_what_they_wrote(gap):
    rng = random.Random(int(gap * 10))
    model = dict.fromkeys(KNOWN, 0)

    async def bench(ctx, processor, registers):
        for _ in range(60):
            beats, identity = rng.randrange(1, 17), rng.randrange(1 << 12)
            offset = 4 * rng.randrange(0x100 // 4)
            burst = rng.choice([Burst.INCR, Burst.FIXED])
            places = [offset + 4 * n * (burst == Burst.INCR) for n in range(beats)]
            if rng.randrange(2):
                values = [rng.getrandbits(32) for _ in places]
                assert await processor.write(
                    ctx, BASE + offset, values, burst, identity=identity) == OKAY
                model.update(zip(places, values))
                assert registers.values == model
            else:
                assert await processor.read(
                    ctx, BASE + offset, beats, burst, identity=identity) == [
                        (model[place], OKAY) for place in places]
    simulate(bench, gap=gap, seed=3)


def test_reads_and_writes_side_by_side_both_come_through():
    done = []

    async def reads(ctx, processor, registers):
        for n in range(20):
            assert (await processor.read(ctx, BASE + 4 * n, identity=n))[0][1] == OKAY
        done.append("reads")

    async def writes(ctx, processor, registers):
        for n in range(20):
            assert await processor.write(ctx, BASE + 4 * n, [n], identity=100 + n) == OKAY
        done.append("writes")
    registers = simulate(reads, writes)
    assert len(done) == 2
    assert [registers.values[4 * n] for n in range(20)] == list(range(20))


def test_neither_reads_nor_writes_starve_the_other():
    order = []

    async def bench(ctx, processor, registers):
        axi = processor.axi
        for name, value in {"awaddr": BASE, "awsize": 2, "awburst": 1, "awvalid": 1, "wstrb": 0xF,
                            "wlast": 1, "wvalid": 1, "bready": 1, "araddr": BASE, "arsize": 2,
                            "arburst": 1, "arvalid": 1, "rready": 1}.items():
            ctx.set(getattr(axi, name), value)
        for _ in range(200):
            taken = [name for name in ("aw", "w", "ar") if ctx.get(getattr(axi, name + "ready"))]
            order.extend(name for name in "rb" if ctx.get(getattr(axi, name + "valid")))
            await ctx.tick()
            if len(order) >= 6:
                for name in taken:
                    ctx.set(getattr(axi, name + "valid"), 0)
    simulate(bench)
    assert "".join(order[:6]) in ("rbrbrb", "brbrbr")


@pytest.mark.parametrize("address, arguments", [
    (BASE + 0x81, {}), (BASE + 0x82, {"size": 1}), (BASE + 0x80, {"size": 1}),
    (BASE + 0x80, {"size": 0}), (BASE + 0x1000, {}), (BASE - 8, {}), (0, {}), (0x80, {}),
    (BASE + 0x80, {"burst": Burst.WRAP}),
])
def test_bad_accesses_are_refused_and_touch_nothing(address, arguments):
    async def bench(ctx, processor, registers):
        assert await processor.write(ctx, address, [5, 6], **arguments) == SLVERR
        assert [response for _, response in
                await processor.read(ctx, address, 2, **arguments)] == [SLVERR] * 2
        assert registers.accesses == 0
        assert await processor.write(ctx, BASE + 0x80, [7]) == OKAY
        assert await processor.read(ctx, BASE + 0x80) == [(7, OKAY)]
    simulate(bench)


def test_a_burst_over_offsets_without_a_register_is_answered():
    """A notebook that looks at ``mmio.array`` reads every word of the window."""
    async def bench(ctx, processor, registers):
        assert await processor.write(ctx, BASE + 0x1FC, [1, 2]) == OKAY
        assert registers.values[0x1FC] == 1
        assert await processor.read(ctx, BASE + 0x1F8, 4) == [
            (0, OKAY), (1, OKAY), (0, OKAY), (0, OKAY)]
    simulate(bench)


def test_a_write_without_all_its_strobes_is_ignored():
    async def bench(ctx, processor, registers):
        assert await processor.write(
            ctx, BASE, [1, 2, 3], strobes=[0xF, 0x3, 0xF]) == SLVERR
        assert [registers.values[offset] for offset in (0, 4, 8)] == [1, 0, 3]
    simulate(bench)


def test_latency():
    async def bench(ctx, processor, registers):
        axi = processor.axi
        for channel, cycles in (("ar", READ_CYCLES), ("aw", WRITE_CYCLES)):
            valid = axi.rvalid if channel == "ar" else axi.bvalid
            ctx.set(getattr(axi, channel + "addr"), BASE)
            ctx.set(getattr(axi, channel + "size"), 2)
            ctx.set(getattr(axi, channel + "burst"), Burst.INCR)
            ctx.set(axi.wstrb, 0xF)
            ctx.set(axi.wlast, 1)
            ctx.set(axi.wvalid, channel == "aw")
            ctx.set(axi.rready, 1)
            ctx.set(axi.bready, 1)
            ctx.set(getattr(axi, channel + "valid"), 1)
            for _ in range(cycles):
                assert not ctx.get(valid)
                request = ctx.get(getattr(axi, channel + "ready"))
                data = ctx.get(axi.wready)
                await ctx.tick()
                if request:
                    ctx.set(getattr(axi, channel + "valid"), 0)
                if data:
                    ctx.set(axi.wvalid, 0)
            assert ctx.get(valid)
            await ctx.tick().repeat(2)
    simulate(bench)


def test_the_base_must_be_a_whole_window():
    with pytest.raises(ValueError, match="4 KiB"):
        AxiSlave(BASE + 0x800)
