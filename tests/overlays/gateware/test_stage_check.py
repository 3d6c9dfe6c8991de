"""The hardware's stage check against the model device's, which was written apart from it."""

import random
from collections import Counter

import pytest

pytest.importorskip("amaranth")
from amaranth.sim import Simulator

from overlays.gateware.config import FULL, SMALL, Config
from overlays.gateware.stage_check import StageCheck
from pynq_bnn import registers as r
from pynq_bnn.devices.model.layout import map_rows
from pynq_bnn.devices.model.stages import Limits, Stage, check
from pynq_bnn.registers import MAX_CHANNELS, MAX_CLASSES, MAX_FC_INPUTS, MAX_SIDE

CASES = 5000
TINY = Config(fmap_rows=34, batch=4)
"""So few rows that FC maps can be too large too."""
AWKWARD = (0, 1, 2, 3, 63, 64, 127, 128, 129, 255, 256, 511, 512, 576, 8192, 8256, 16384 + 64)


def limits(config):
    return Limits(side=MAX_SIDE, classes=MAX_CLASSES, channels=MAX_CHANNELS, inputs=MAX_FC_INPUTS,
                  batch=config.batch, fmap_rows=config.fmap_rows)


def wild(rng, bits):
    """Any number of so many bits, awkward ones more often."""
    return rng.choice([*AWKWARD, rng.getrandbits(bits), rng.getrandbits(rng.randint(1, bits)),
                       (1 << bits) - 1, 1 << bits - 1]) % (1 << bits)


def plausible(rng, kind, config):
    """Registers of a stage that is nearly right."""
    a, b = rng.sample((r.FMAP_A, r.FMAP_B), 2)
    if kind in (r.BIN_CONV, r.BIN_FC, r.LAST) and rng.random() < 0.5:
        a, b = rng.choice((r.FMAP_B, *r.QUARTERS)), rng.choice(r.QUARTERS)
    source, target = {
        r.LOAD: (rng.randrange(16), rng.choice((r.INPUT, r.PARAMS))),
        r.STORE: (rng.choice((r.FMAP_A, r.FMAP_B, *r.QUARTERS, r.SUMS, r.PARAMS)),
                  rng.randrange(16)),
        r.FP_CONV: (r.INPUT, a), r.LAST: (a, r.SUMS)}.get(kind, (a, b))
    conv = kind in (r.FP_CONV, r.BIN_CONV)
    side = rng.choice((1, 4, 8, MAX_SIDE, MAX_SIDE))
    height, width = rng.randint(1, side), rng.randint(side // 2 + 1, side)
    if rng.random() < 0.7:
        height, width = (height + 1) // 2 * 2, (width + 1) // 2 * 2
    most = MAX_CHANNELS if conv or height * width > 1 else MAX_FC_INPUTS
    outputs = 64 * rng.randint(1, (MAX_CHANNELS if conv else MAX_FC_INPUTS) // 64)
    room = {r.INPUT: config.batch * 4096, r.SUMS: config.batch * 128,
            r.PARAMS: r.STORE_BYTES_MAX,
            **{buffer: config.fmap_rows // 4 * 64 for buffer in r.QUARTERS}}.get(
        target if kind == r.LOAD else source, config.fmap_rows * 64)
    return {
        "dma_address": 128 * rng.getrandbits(25),
        "dma_bytes": 128 * rng.choice((1, rng.randint(1, room // 128), room // 128,
                                       room // 128 + 1)),
        "source": source, "target": target, "height": height, "width": width,
        "channels": 3 if kind == r.FP_CONV else 64 * rng.randint(
            1, max(1, min(most, MAX_FC_INPUTS // (1 if conv else height * width)) // 64)),
        "outputs": rng.randint(2, MAX_CLASSES) if kind == r.LAST else outputs,
        "padding": rng.choice((r.PAD_ZERO, r.PAD_NONE, r.PAD_ONE)), "pool": rng.randrange(2),
        "batch": rng.choice((rng.randint(1, config.batch), config.batch))}


WIDTHS = {"dma_address": 32, "dma_bytes": 32, "source": 4, "target": 4, "height": 8, "width": 8,
          "channels": 16, "outputs": 32, "padding": 2, "pool": 1, "batch": 32}


def draw(rng, config):
    """A kind and register contents, with none to three registers spoilt."""
    kind = rng.randrange(16) if rng.random() < 0.1 else rng.randint(r.LOAD, r.STORE)
    values = plausible(rng, kind, config)
    for name in rng.sample(sorted(values), rng.choice((0, 0, 0, 1, 1, 2, 3))):
        near = values[name] + rng.choice((-64, -1, 1, 64))
        values[name] = rng.choice((wild(rng, WIDTHS[name]), near % (1 << WIDTHS[name])))
    return kind, values


def expected(kind, values, config):
    """The model's verdict; as its registers decode, an FC stage has neither padding nor pool."""
    conv = kind in (r.FP_CONV, r.BIN_CONV)
    values = {**values, "padding": values["padding"] if conv else r.PAD_ZERO,
              "pool": bool(conv and values["pool"])}
    return check(Stage(kind, **values), limits(config))


def codes(cases, config, cycles=StageCheck.LATENCY):
    """What the hardware says of each case so many cycles after it came."""
    dut, got = StageCheck(config), []

    async def bench(ctx):
        for kind, values in cases:
            ctx.set(dut.kind, kind)
            ctx.set(dut.registers, values)
            await ctx.tick().repeat(cycles)
            got.append((ctx.get(dut.code), ctx.get(dut.target_in_quarter)))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return got


def in_quarter(kind, values, config):
    """Whether the model's target takes a quarter of a buffer at most."""
    stage = Stage(kind, **{**values, "pool": bool(values["pool"])})
    rows = values["batch"] * map_rows(stage.out_pixels, stage.outputs)
    return rows <= config.fmap_rows // 4


def at_the_edge(rng, kind, config):
    """Convolutions whose maps just fit or just don't, as source or as target."""
    while True:
        height, width = rng.randint(1, MAX_SIDE), rng.randint(1, MAX_SIDE)
        channels = 64 * rng.randint(1, MAX_CHANNELS // 64)
        batch = rng.randint(1, config.batch)
        if abs(batch * map_rows(height * width, channels) - config.fmap_rows) <= batch:
            fp = kind == r.FP_CONV
            inputs, outputs = (3, channels) if fp else rng.sample((64, channels), 2)
            return kind, {
                "dma_address": 0, "dma_bytes": 0, "pool": 0, "padding": r.PAD_ZERO,
                "source": r.INPUT if fp else r.FMAP_A, "target": r.FMAP_B, "height": height,
                "width": width, "channels": inputs, "outputs": outputs, "batch": batch}


def assert_agree(cases, config):
    """Judge all cases both ways; the verdicts."""
    wanted = [expected(kind, values, config) for kind, values in cases]
    names = {code: name for name, code in r.ERRORS}
    got = codes(cases, config)
    wrong = [f"{kind} {values}: {names.get(code, code)}, not {names[right]}" for
             (kind, values), (code, _), right in zip(cases, got, wanted) if code != right]
    assert not wrong, f"{len(wrong)} differ, as {wrong[:5]}"
    fitting = [(fits, in_quarter(*case, config)) for case, (code, fits) in zip(cases, got)
               if code == r.ERROR_NONE and case[0] == r.BIN_CONV]
    assert all(fits == right for fits, right in fitting)
    assert {right for _, right in fitting} == {False, True}
    return wanted


@pytest.mark.parametrize("config", [FULL, SMALL, TINY], ids=["full", "small", "tiny"])
def test_hardware_and_model_agree(config):
    rng = random.Random(config.fmap_rows)
    cases = [draw(rng, config) for _ in range(CASES)]
    seen = Counter(zip((kind for kind, _ in cases), assert_agree(cases, config)))
    # every verdict on every kind that can get it
    for kind in range(r.LOAD, r.STORE + 1):
        errors = [r.ERROR_NONE, r.ERROR_BUFFER]
        errors += [r.ERROR_ADDRESS] if kind in (r.LOAD, r.STORE) else [r.ERROR_SHAPE]
        if kind not in (r.BIN_FC, r.LAST) or config is TINY:
            errors += [r.ERROR_SIZE]
        for error in errors:
            assert seen[kind, error] >= 10, (kind, error)
    assert sum(seen[kind, r.ERROR_STAGE] for kind in range(16)) >= 100


@pytest.mark.parametrize("config", [FULL, SMALL], ids=["full", "small"])
def test_they_agree_on_maps_at_the_edge_of_a_buffer(config):
    rng = random.Random(config.fmap_rows)
    cases = [at_the_edge(rng, rng.choice((r.FP_CONV, r.BIN_CONV)), config) for _ in range(1000)]
    seen = Counter(assert_agree(cases, config))
    assert set(seen) == {r.ERROR_NONE, r.ERROR_SIZE}
    assert min(seen.values()) > 200


def test_the_verdict_takes_its_latency():
    rng = random.Random(1)
    cases = [at_the_edge(rng, r.FP_CONV, SMALL) for _ in range(300)]
    wanted = [expected(kind, values, SMALL) for kind, values in cases]
    assert [code for code, _ in codes(cases, SMALL)] == wanted
    assert [code for code, _ in codes(cases, SMALL, StageCheck.LATENCY - 1)] != wanted
