import random

from amaranth.sim import Simulator

from overlays.gateware.interfaces import FMAP_READ_LATENCY
from overlays.gateware.pixels import Pixels
from overlays.gateware.reducer import Reducer
from overlays.gateware.schedule import Schedule
from overlays.gateware.weight_cells import SLOTS

EDGES = ("above", "below", "left", "right")


def random_step(rng):
    step = {"pixel": rng.getrandbits(1), "quarter": rng.getrandbits(2), "begin": rng.random() < 0.2,
            "centre": {"valid": rng.getrandbits(1), "row_end": rng.getrandbits(1),
                       "pass_end": rng.random() < 0.4},
            "edges": {name: rng.getrandbits(1) for name in EDGES},
            "place": {"write": rng.getrandbits(1), "column": rng.getrandbits(5),
                      "joined": rng.getrandbits(1)}}
    return step


def test_each_is_told_in_time():
    rng, dut = random.Random(1), Schedule()
    steps = [random_step(rng) for _ in range(80)]
    leads = {"pixel": Schedule.LATENCY - FMAP_READ_LATENCY + Pixels.LEAD,
             "slot": Reducer.LEAD, "slot_above": Reducer.LEAD, "edges_early": Reducer.LEAD,
             "centre": 0, "edges": 0, "place": -Reducer.PLACE_LAG}
    told = {name: [] for name in leads}

    def value(view, names):
        return {name: int(view[name]) for name in names}

    async def bench(ctx):
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for cycle in range(len(steps) + Schedule.LATENCY + Reducer.PLACE_LAG):
            ctx.set(dut.step, steps[cycle] if cycle < len(steps) else {})
            for name, lead in leads.items():
                if 0 <= cycle - (Schedule.LATENCY - lead) < len(steps):
                    told[name].append(ctx.get(getattr(dut, name)))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()

    slot, slot_above, slots, slots_above = SLOTS - 1, 0, [], []
    for step in steps:
        slot = (slot + step["begin"]) % SLOTS
        slots.append(slot)
        slots_above.append(slot_above)
        slot_above = (slot_above + (step["centre"]["valid"] & step["centre"]["pass_end"])) % SLOTS
    names = "pixel", "quarter"
    assert [value(view, names) for view in told["pixel"]] == [
        {name: step[name] for name in names} for step in steps]
    assert told["slot"] == slots
    assert told["slot_above"] == slots_above
    for name in ("edges_early", "edges"):
        assert [value(view, EDGES) for view in told[name]] == [step["edges"] for step in steps]
    assert [value(view, ("valid", "row_end", "pass_end")) for view in told["centre"]] == [
        step["centre"] for step in steps]
    assert [value(view, ("write", "column", "joined")) for view in told["place"]] == [
        step["place"] for step in steps]


def test_the_pixel_is_in_the_middle_then():
    """The reducers' registers for the right and the middle pixel follow the pixel."""
    assert Schedule.LATENCY == Pixels.LATENCY + 2 == FMAP_READ_LATENCY + 3
