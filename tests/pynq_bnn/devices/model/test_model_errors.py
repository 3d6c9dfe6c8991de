"""Every error code, with its step, its stage and its address; and that the device runs again."""

import pytest

from pynq_bnn import registers as r

STOPPED = {"BUSY": 0, "DONE": 0, "ERROR": 1, "LOADING": 0, "DRAINING": 0}
FC = {"source": r.FMAP_A, "target": r.FMAP_B, "shape": (1, 1, 64), "OUTPUTS": 64}
LAST = {"source": r.FMAP_A, "target": r.SUMS, "shape": (1, 1, 64), "OUTPUTS": 2}


def assert_runs(rig):
    """After a reset the device computes: a white pixel, then 64 products of +1 with +1."""
    rig.reset()
    rig.plus_ones(r.FMAP_A)
    rig.load_parameters([0] * 16)
    rig.stage(r.LAST, **LAST)
    assert rig.stored(r.SUMS, 1)[0] & 0xFFFFFFFF == 64 | 64 << 16


REFUSED = [
    ("STAGE", 0, {}), ("STAGE", 9, {}),
    ("BUFFER", r.BIN_FC, {**FC, "target": r.FMAP_A}),
    ("SHAPE", r.BIN_FC, {**FC, "OUTPUTS": 65}),
    ("SIZE", r.STORE, {"source": r.SUMS, "DMA_BYTES": 384, "DMA_ADDRESS": 4}),
    ("ADDRESS", r.STORE, {"source": r.SUMS, "DMA_BYTES": 128, "DMA_ADDRESS": 0x1040}),
    ("ADDRESS", r.LOAD, {"target": r.PARAMS, "DMA_BYTES": 0, "DMA_ADDRESS": 0x1000}),
    ("UNDERRUN", r.BIN_FC, FC), ("UNDERRUN", r.LAST, LAST),
    ("UNDERRUN", r.STORE, {"source": r.PARAMS, "DMA_BYTES": 128, "DMA_ADDRESS": 0x10000000}),
    ("READ", r.LOAD, {"target": r.INPUT, "DMA_BYTES": 128, "DMA_ADDRESS": 0x2000}),
    ("WRITE", r.STORE, {"source": r.SUMS, "DMA_BYTES": 128, "DMA_ADDRESS": 0x2000}),
]


@pytest.mark.parametrize("name, kind, values", REFUSED)
def test_in_stepped_mode(rig, name, kind, values):
    assert rig.stage(kind, **values) == STOPPED
    address = values["DMA_ADDRESS"] if name in ("ADDRESS", "READ", "WRITE") else 0
    assert rig.error() == (name, kind, r.NO_STEP, address)
    assert rig.read("STAGES") == 0
    assert_runs(rig)


@pytest.mark.parametrize("name, kind, values", REFUSED)
def test_in_a_program(rig, name, kind, values):
    stage = rig.stage_registers(kind, **values)
    assert rig.run({"BATCH": 1}, stage, {"BATCH": 2}) == STOPPED
    address = values["DMA_ADDRESS"] if name in ("ADDRESS", "READ", "WRITE") else 0
    assert rig.error() == (name, kind, len(stage), address)
    # what is refused stops the program; beside a stage that runs its writes go on
    runs = name in ("UNDERRUN", "READ", "WRITE")
    assert rig.read("STEP") == 1 + len(stage) + runs
    assert rig.read("BATCH") == 1 + runs
    assert_runs(rig)


def test_the_burst_at_which_the_memory_fails(rig):
    address = rig.place([0] * 112)
    rig.dram.fail(address + 8 * 42, response="DECERR")
    rig.stage(r.LOAD, target=r.INPUT, DMA_ADDRESS=address, DMA_BYTES=896)
    assert rig.error() == ("READ", r.LOAD, r.NO_STEP, address + 256)
    assert_runs(rig)
    rig.device.clear_faults()
    assert rig.stage(r.LOAD, target=r.INPUT, DMA_ADDRESS=address, DMA_BYTES=896)["ERROR"] == 0
    rig.dram.fail(address + 8 * 25, on="write")
    rig.stage(r.STORE, source=r.FMAP_A, DMA_ADDRESS=address, DMA_BYTES=384)
    assert rig.error() == ("WRITE", r.STORE, r.NO_STEP, address + 128)
    assert_runs(rig)


MISSES = [
    (r.STORE, {"source": r.PARAMS, "DMA_ADDRESS": 0x10000000, "DMA_BYTES": 128}),
    (r.LAST, LAST),
    (r.LOAD, {"target": r.INPUT, "DMA_ADDRESS": 0x10000000, "DMA_BYTES": 128}),
    (r.LOAD, {"target": r.PARAMS, "DMA_ADDRESS": 0x10000000, "DMA_BYTES": 128}),
]


@pytest.mark.parametrize("kind, values", MISSES)
def test_parameters_past_the_end_of_memory_are_missed_when_needed(rig, kind, values):
    end = rig.dram.base + rig.dram.size_bytes
    far = {"target": r.PARAMS, "DMA_ADDRESS": end - 256, "DMA_BYTES": 0xFFFFFF80}
    there = {**MISSES[0][1], "DMA_BYTES": 256}
    done = {**STOPPED, "DONE": 1, "ERROR": 0, "LOADING": 1}
    assert rig.stage(r.LOAD, **far) == done
    assert rig.stage(r.STORE, **there) == done
    assert rig.stage(kind, **values) == STOPPED
    assert rig.error() == ("READ", r.LOAD, r.NO_STEP, end)
    assert rig.read("STAGES") == 2
    assert_runs(rig)
    rig.reset()
    load, store, misses = (rig.stage_registers(*stage[:1], **stage[1]) for stage in (
        (r.LOAD, far), (r.STORE, there), (kind, values)))
    assert rig.run(load, store, misses, {"BATCH": 2}) == STOPPED
    assert rig.error() == ("READ", r.LOAD, len(load) - 1, end)
    assert [rig.read("LOG_KIND", entry) for entry in range(3)] == [r.LOAD, r.STORE, 0]
    assert rig.read("BATCH") == (1 if kind == r.LOAD else 2)
    assert_runs(rig)


def test_parameters_past_the_end_of_memory_that_nobody_needs(rig):
    end = rig.dram.base + rig.dram.size_bytes
    load = rig.stage_registers(r.LOAD, target=r.PARAMS, DMA_ADDRESS=end, DMA_BYTES=128)
    assert rig.run(load) == STOPPED
    assert rig.error() == ("LEFTOVER", 0, len(load) - 1, 0)
    assert rig.read("STAGES") == 1
    rig.reset()
    rig.stage(r.LOAD, target=r.PARAMS, DMA_ADDRESS=end, DMA_BYTES=128)
    assert rig.run(load) == STOPPED
    assert rig.error() == ("LEFTOVER", 0, 0, 0)
    assert_runs(rig)


def test_a_load_waits_for_parameters_that_may_not_fit(rig):
    for words, busy in ((512, 0), (528, 1)):
        rig.load_parameters([0] * words)
        status = {**STOPPED, "BUSY": busy, "DONE": 1 - busy, "ERROR": 0, "LOADING": 1}
        assert rig.load(r.INPUT, [0]) == status
        assert_runs(rig)


def test_a_store_moves_no_more_than_it_counts(rig):
    rig.load_parameters(range(32))
    store = {"source": r.PARAMS, "DMA_ADDRESS": rig.place([0] * 32)}
    assert rig.stage(r.STORE, DMA_BYTES=r.STORE_BYTES_MAX + 128, **store) == STOPPED
    assert rig.fields("ERROR")["CODE"] == r.ERROR_SIZE


@pytest.mark.parametrize("offset", [0x040, 0x050, 0x07C, 0x0A0, 0x082, 0x1080, 0xFFFFFFFF])
def test_a_program_writes_stage_registers_alone(rig, offset):
    batch = r.offset("BATCH") | 2 << 32
    assert rig.run_words([batch, batch, offset | 3 << 32, batch]) == STOPPED
    assert rig.error() == ("PROGRAM", 0, 2, offset)
    assert rig.read("STEP") == 2
    assert rig.read("PROGRAM_STEPS") == 4


@pytest.mark.parametrize("steps", [0, r.PROGRAM_STEPS_MAX + 1, 0xFFFFFFFF])
def test_a_program_of_no_or_too_many_steps(rig, steps):
    address = rig.place([r.offset("BATCH") | 2 << 32] * (r.PROGRAM_STEPS_MAX + 1))
    rig.write(PROGRAM_ADDRESS=address, PROGRAM_STEPS=steps, CONTROL=1)
    assert rig.fields("STATUS") == STOPPED
    assert rig.error() == ("PROGRAM", 0, 0, r.offset("PROGRAM_STEPS"))
    assert rig.read("BATCH") == 1
    rig.reset()
    rig.write(PROGRAM_ADDRESS=address, PROGRAM_STEPS=r.PROGRAM_STEPS_MAX, CONTROL=1)
    assert rig.fields("STATUS")["DONE"]
    assert (rig.read("BATCH"), rig.read("STEP")) == (2, r.PROGRAM_STEPS_MAX)


def test_a_program_that_cannot_be_fetched(rig):
    rig.write(PROGRAM_ADDRESS=0x10000040, PROGRAM_STEPS=1, CONTROL=1)
    assert rig.error() == ("ADDRESS", 0, 0, 0x10000040)
    rig.reset()
    address = rig.place([r.offset("BATCH") | 2 << 32] * 32)
    rig.dram.fail(address + 8 * 30)
    for steps, error in ((16, "NONE"), (17, "READ"), (32, "READ")):
        # all of it is fetched before the first step, in whole bursts
        rig.write(BATCH=1, PROGRAM_ADDRESS=address, PROGRAM_STEPS=steps, CONTROL=1)
        assert rig.error() == (error, 0, 0, 0 if error == "NONE" else address + 128)
        taken = 16 if error == "NONE" else 0
        assert (rig.read("STEP"), rig.read("BATCH")) == (taken, 2 if taken else 1)
        rig.reset()
    assert_runs(rig)


def test_a_program_that_starts_with_parameters_left_over(rig):
    rig.load_parameters([0] * 16)
    reads = rig.dram.bytes_read
    last = rig.stage_registers(r.LAST, **LAST)
    assert rig.run({"BATCH": 2}, last)["ERROR"] == 1
    assert rig.error() == ("LEFTOVER", 0, 0, 0)
    assert (rig.read("STEP"), rig.read("BATCH"), rig.dram.bytes_read) == (0, 1, reads)
    assert_runs(rig)


def test_a_program_that_ends_with_parameters_left_over(rig):
    address = rig.place([0] * 32)
    load = rig.stage_registers(r.LOAD, target=r.PARAMS, DMA_ADDRESS=address, DMA_BYTES=256)
    last = rig.stage_registers(r.LAST, **LAST)
    assert rig.run(load, last)["ERROR"] == 1
    assert rig.error() == ("LEFTOVER", 0, len(load) + len(last) - 1, 0)
    assert rig.read("STAGES") == 2
    assert_runs(rig)


def test_the_first_error_stays_and_nothing_starts_after_it(rig):
    rig.stage(9)
    reads = rig.dram.bytes_read
    rig.load_parameters([0])
    rig.run({"BATCH": 2})
    assert rig.error() == ("STAGE", 9, r.NO_STEP, 0)
    assert (rig.dram.bytes_read, rig.read("STAGE"), rig.read("STAGES")) == (reads, 9, 0)
    assert_runs(rig)


def test_done_falls_with_an_error_after_a_success(rig):
    assert rig.load_parameters([0])["DONE"] == 1
    assert rig.stage(9) == STOPPED


def test_a_hung_stage_stays_busy_until_reset(rig):
    rig.load_parameters([0] * 16)
    rig.device.hang()
    busy = {"BUSY": 1, "DONE": 0, "ERROR": 0, "LOADING": 1, "DRAINING": 0}
    assert rig.stage(r.LAST, **LAST) == busy
    rig.write(OUTPUTS=3, CONTROL=0, PROGRAM_STEPS=7)
    assert rig.fields("STATUS") == busy
    assert (rig.read("OUTPUTS"), rig.read("PROGRAM_STEPS")) == (2, 7)
    rig.reset()
    assert rig.fields("STATUS") == {**busy, "BUSY": 0, "LOADING": 0}
    assert_runs(rig)


def test_a_hung_program_shows_how_far_it_came(rig):
    rig.device.hang()
    stage = rig.stage_registers(r.LAST, **LAST)
    assert rig.run({"BATCH": 1}, stage, {"BATCH": 2})["BUSY"] == 1
    assert (rig.read("STEP"), rig.read("STAGES")) == (1 + len(stage), 0)
    assert_runs(rig)


def test_a_start_while_busy(rig):
    for write, stage in (({"CONTROL": 1}, 0), ({"STAGE": r.STORE}, r.STORE)):
        rig.device.hang()
        rig.stage(r.LAST, **LAST)
        rig.write(**write)
        assert rig.fields("STATUS") == STOPPED
        assert rig.error() == ("BUSY", stage, r.NO_STEP, 0)
        assert rig.read("STAGE") == r.LAST
        assert_runs(rig)


def test_reset_goes_before_run(rig):
    rig.write(PROGRAM_ADDRESS=rig.place([0]), PROGRAM_STEPS=1, CONTROL=3)
    assert rig.fields("STATUS") == dict.fromkeys(STOPPED, 0)
    assert rig.read("PROGRAM_STEPS") == 0
