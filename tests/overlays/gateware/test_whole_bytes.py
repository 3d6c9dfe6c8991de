import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.interfaces import MERGE_CYCLES, MapBytes
from overlays.gateware.whole_bytes import WholeBytes

ROWS = 8


def written(dut, writes, apart=1):
    """What comes out when these (address, size, bits) go in, so many cycles apart: cycle first."""
    got = []

    async def bench(ctx):
        cycle = 0

        def look():
            if ctx.get(dut.bytes.enable):
                got.append((cycle, *(ctx.get(getattr(dut.bytes, name))
                                     for name in MapBytes.members if name != "enable")))

        for address, size, bits in writes:
            ctx.set(dut.bits.enable, 1)
            ctx.set(dut.bits.address, address)
            ctx.set(dut.bits.size, size)
            ctx.set(dut.bits.bits, bits)
            for _ in range(apart):
                look()
                await ctx.tick()
                cycle += 1
                ctx.set(dut.bits.enable, 0)
        for _ in range(dut.LATENCY + 3):
            look()
            await ctx.tick()
            cycle += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return got


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("quarters", [1, 2, 4])
def test_bytes_of_every_size_against_a_list_of_bits(size, quarters):
    """Passes over pixels of so many quarters, with other bits above those that count."""
    rng = random.Random(10 * size + quarters)
    width, pixels = 1 << size, range(0, ROWS * 512, 128 * quarters)
    for _ in range(2):  # what the memory kept from before doesn't matter
        model, writes = {}, []
        for channel in range(0, 128 * quarters, width):
            for pixel in pixels:
                bits = rng.getrandbits(16)
                writes.append((pixel + channel, size, bits))
                for n in range(width):
                    model[pixel + channel + n] = bits >> n & 1
        got = {}
        for _, row, place, wide, both in written(WholeBytes(min(width, 8), ROWS), writes):
            assert wide == (size == 4)
            for byte in range(2 if wide else 1):
                at = 512 * row + 8 * (place + byte)
                assert at not in got, "each byte once"
                got[at] = both >> 8 * byte & 0xFF
        assert got == {at: sum(model[at + n] << n for n in range(8))
                       for at in range(0, ROWS * 512, 8)}


def test_a_byte_comes_its_latency_after_its_last_bits():
    writes = [(1024 + n, 1, 3 if n == 4 else 0) for n in range(0, 8, 2)]
    got = written(WholeBytes(2, ROWS), writes, MERGE_CYCLES)
    assert got == [(3 * MERGE_CYCLES + WholeBytes.LATENCY, 2, 0, 0, 0x3030)]


def test_parts_of_a_byte_may_come_merge_cycles_apart():
    """Of one pixel, as a map of a single one brings them."""
    bits = random.Random(3).choices(range(4), k=64)
    got = written(WholeBytes(2, ROWS), [(2 * n, 1, value) for n, value in enumerate(bits)],
                  MERGE_CYCLES)
    assert [both & 0xFF for *_, both in got] == [
        sum(value << 2 * n for n, value in enumerate(bits[first:first + 4]))
        for first in range(0, 64, 4)]
