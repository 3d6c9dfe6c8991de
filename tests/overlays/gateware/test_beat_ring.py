import random

import pytest
from amaranth.sim import Simulator

from overlays.gateware.beat_ring import BeatRing


def run(beats, offered, accepted, cycles):
    """Push `beats`, offering and accepting as the two say cycle by cycle; what came out, when."""
    ring, out, pending = BeatRing(), [], list(beats)

    async def bench(ctx):
        taken, waits = 0, False
        held = None
        for cycle in range(cycles):
            waits = waits or (offered(cycle) and taken < len(pending))
            if waits:
                value, last = pending[taken]
                ctx.set(ring.beats.payload, {"data": value, "strobes": 0xFF, "last": last})
            ctx.set(ring.beats.valid, waits)
            ctx.set(ring.ready, accepted(cycle))
            valid, beat = ctx.get(ring.valid), ctx.get(ring.beat)
            if held is not None:  # AXI: a beat that was shown stays until it is taken
                assert valid
                assert (beat.data, beat.last) == held
            held = (beat.data, beat.last) if valid and not accepted(cycle) else None
            if valid and accepted(cycle):
                out.append((cycle, beat.data, beat.last))
            if waits and ctx.get(ring.beats.ready):
                taken, waits = taken + 1, False
            await ctx.tick()

    simulator = Simulator(ring)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return out


BEATS = [(n * 0x1234_5678_9ABC + 1, n % 16 == 15) for n in range(48)]


def test_a_beat_a_cycle():
    out = run(BEATS, lambda cycle: True, lambda cycle: True, 60)
    assert [beat[1:] for beat in out] == BEATS
    assert [beat[0] for beat in out] == list(range(1, 49))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gap, stall", [(0.5, 0.0), (0.0, 0.5), (0.4, 0.4), (0.1, 0.9)])
def test_none_is_lost_or_doubled(gap, stall, seed):
    rng = random.Random(seed)
    accepts = [rng.random() >= stall for _ in range(2000)]
    out = run(BEATS, lambda cycle: rng.random() >= gap, accepts.__getitem__, 2000)
    assert [beat[1:] for beat in out] == BEATS


@pytest.mark.parametrize("filled", range(3))
def test_what_it_takes_does_not_depend_on_ready(filled):
    ring = BeatRing()

    async def bench(ctx):
        ctx.set(ring.beats.valid, 1)
        for _ in range(filled):
            await ctx.tick()
        for ready in (0, 1, 0, 1):
            ctx.set(ring.ready, ready)
            assert ctx.get(ring.beats.ready) == (filled < 2)

    simulator = Simulator(ring)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
