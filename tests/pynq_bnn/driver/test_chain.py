"""Several batches in one program: its order, and that every picture's sums are the reference's."""

import gc
import sys

import numpy as np
import pytest

from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_parameters
from pynq_bnn import registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver import chain, packing, program
from pynq_bnn.driver.accelerator import Accelerator
from pynq_bnn.driver.chain import Chain
from pynq_bnn.driver.loaded import PROGRAMS
from pynq_bnn.driver.program import Addresses, Step
from pynq_bnn.errors import DeviceError, PictureError
from tests.pynq_bnn.driver.test_program import stages
from tests.pynq_bnn.driver.test_sharing import at_once, interrupt_at

BATCH = 2
ADDRESSES = Addresses(0x1000000, 0x2000000, 0x3000000, 0x4000000)
NAMES = {number: name for name, number in registers.BUFFERS}
KINDS = {number: name for name, number in registers.STAGES}

SMALL = net.Network.from_description({"height": 6, "width": 6, "layers": [
    {"name": "conv1", "kind": net.FP_CONV, "outputs": 128},
    {"name": "conv2", "kind": net.BIN_CONV, "outputs": 64, "pool": True},
    {"name": "conv3", "kind": net.BIN_CONV, "outputs": 192},
    {"name": "conv4", "kind": net.BIN_CONV, "outputs": 64, "padding": net.NONE},
    {"name": "fc1", "kind": net.BIN_FC, "outputs": 576},
    {"name": "fc2", "kind": net.BIN_FC, "outputs": 64},
    {"name": "last", "kind": net.LAST, "outputs": 5}]})


def plan(network, batch=8, fmap_rows=2048, program_steps=512):
    stream = packing.pack_parameters(random_parameters(network, np.random.default_rng(0)))
    return chain.plan(network, stream, batch, fmap_rows, program_steps)


def shown(steps):
    """Each stage as a person reads it."""
    lines = []
    for stage in stages(steps):
        kind, buffers = KINDS[stage["STAGE"]], registers.decode("BUFFERS", stage["BUFFERS"])
        source, target = NAMES[buffers["SOURCE"]], NAMES[buffers["TARGET"]]
        lines.append(f"LOAD {target}" if kind == "LOAD" else f"STORE {source}" if kind == "STORE"
                     else f"{kind} {source} {target}")
    return lines


# The order.

FIRST = ["LOAD INPUT", "LOAD PARAMS", "FP_CONV INPUT FMAP_A"]
CONV2, CONV34 = ["BIN_CONV FMAP_A FMAP_B"], ["BIN_CONV FMAP_B FMAP_A", "BIN_CONV FMAP_A FMAP_B"]
CONV56 = ["LOAD PARAMS", "BIN_CONV FMAP_B FMAP_C", "BIN_CONV FMAP_C FMAP_D"]
FC1 = ["BIN_FC FMAP_D FMAP_C"]
REST = ["BIN_FC FMAP_C FMAP_D", "LAST FMAP_D SUMS", "STORE SUMS"]
BESIDE = ["LOAD PARAMS", *CONV2, "LOAD PARAMS", *FC1, "LOAD PARAMS", *CONV34, "LOAD PARAMS", *REST]


def test_the_papers_network_stage_by_stage():
    found = plan(net.CIFAR10)
    following = Addresses(0x1000000, 0x2000000, 0x3000000)
    middle = [*CONV2, *CONV34, *FIRST, *CONV56, *BESIDE, *FIRST, *CONV56, *BESIDE]
    assert shown(found.steps(following, 3, False)) == [
        *FIRST, *middle, "LOAD PARAMS", *CONV56[1:], *FC1, *REST]
    assert shown(found.steps(following, 3, True)) == [
        "LOAD PARAMS", *middle, "LOAD PARAMS", *CONV56[1:], *FC1, *REST]
    assert shown(found.steps(ADDRESSES, 3, True)) == [
        "LOAD PARAMS", *middle, *CONV56, *FIRST, "LOAD PARAMS", *FC1, *REST]


def test_where_pictures_come_from_and_sums_go():
    found = plan(net.CIFAR10)
    held = stages(found.steps(ADDRESSES, 3, False))
    pictures = [stage["DMA_ADDRESS"] for stage, line in zip(held, shown(found.steps(
        ADDRESSES, 3, False))) if line == "LOAD INPUT"]
    sums = [stage["DMA_ADDRESS"] for stage in held if stage["STAGE"] == registers.STORE]
    assert pictures == [0x1000000, 0x1008000, 0x1010000, 0x4000000]
    assert sums == [0x3000000, 0x3000400, 0x3000800]


def test_the_papers_chain_fills_a_program():
    found = plan(net.CIFAR10)
    lengths = [len(found.steps(ADDRESSES, batches, False)) for batches in range(1, 9)]
    assert found.longest == 7
    assert lengths[6] <= 512 < lengths[7]
    assert plan(net.CIFAR10, program_steps=lengths[2]).longest == 3
    assert plan(net.CIFAR10, program_steps=lengths[2] - 1).longest == 2
    assert plan(net.CIFAR10, program_steps=lengths[0]) is None
    assert plan(net.CIFAR10, program_steps=1 << 15).longest == chain.BATCHES_MAX


@pytest.mark.parametrize("network", [net.CIFAR10, net.CNV, SMALL])
def test_the_longest_chain_just_fits(network):
    steps = [len(plan(network).steps(ADDRESSES, batches, False)) for batches in range(1, 13)]
    for room in range(steps[1], steps[-1]):
        assert steps[plan(network, program_steps=room).longest - 1] <= room
        assert steps[plan(network, program_steps=room).longest] > room


def test_what_a_register_holds_is_not_written_again():
    held = {}
    for step in plan(net.CNV).steps(ADDRESSES, 4, True):
        assert step.register == "STAGE" or held.get(step.register) != step.value
        held[step.register] = step.value
    full = [Step("BATCH", 1, ""), Step("STAGE", 2, ""), Step("BATCH", 1, ""), Step("STAGE", 2, "")]
    assert chain._thinned(full) == [*full[:2], full[3]]


def network(convs, fcs=(64,), side=8, **more):
    """Convolutions (outputs, pool) and FC layers; `more` of a convolution by its name."""
    layers = [{"name": f"conv{n}", "kind": net.BIN_CONV if n > 1 else net.FP_CONV,
               "outputs": outputs, "pool": pool, **more.get(f"conv{n}", {})}
              for n, (outputs, pool) in enumerate(convs, 1)]
    layers += [{"name": f"fc{n}", "kind": net.BIN_FC, "outputs": each}
               for n, each in enumerate(fcs, 1)]
    return net.Network.from_description({"height": side, "width": side, "layers": [
        *layers, {"name": "last", "kind": net.LAST, "outputs": 3}]})


@pytest.mark.parametrize("why, none", [
    ("no convolution after the one that writes B", network([(64, False), (64, True)])),
    ("no convolution at all but the first", network([(64, True)])),
    ("none pools", network([(64, False), (64, False), (64, False)])),
    ("FC maps take more than a quarter", network(
        [(64, False), (64, True), (64, False)], [8192, 64])),
    ("the last map lies in B", network([(64, False), (64, True), (512, False), (512, True)])),
])
def test_networks_without_a_chain(why, none):
    assert plan(none, 8, 408) is None, why


def test_a_large_map_in_b_stands_after_the_fc_layers():
    """It would lie over C and D."""
    over = network([(64, False), (64, True), (128, False), (512, False), (256, False), (64, True),
                    (64, False)], [8192, 64], 16)
    rows = [8 * packing.fmap_rows(layer) for layer in over.layers]
    assert rows[3] > max(rows) / 2
    found = plan(over, 8, max(rows))
    assert found.turn == 5
    assert found.behind == {1: (7, 8, 9)}


def test_fc_layers_go_where_there_is_time_for_them():
    convs = [(64, False), (64, True), (256, False), (64, True), (512, False), (64, False)]
    for fcs, behind in (([64, 64], {1: (6, 7, 8)}), ([8192, 64], {1: (6,), 3: (7, 8)})):
        found = plan(network(convs, fcs, 16), 2, 160)
        assert found.turn == 3
        assert found.behind == behind


# On the model.

@pytest.fixture
def device():
    return ModelDevice(batch=BATCH, dram=Dram(8 << 20))


@pytest.fixture
def parameters():
    return random_parameters(SMALL, np.random.default_rng(1))


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (30, 6, 6, 3)).astype(np.uint8)


@pytest.fixture
def expect(accelerator, parameters, pictures):
    """A function that starts pictures of a range and checks whether prepared, and their sums."""
    expected = IntegerModel(parameters).sums(pictures)

    def expect(some, following, prepared, follows=True):
        started = accelerator.start(pictures[slice(*some)],
                                    None if following is None else pictures[slice(*following)])
        assert started.program.prepared == prepared
        assert (started.program.following is not None) == (following is not None and follows)
        assert np.array_equal(accelerator.finish(started).sums, expected[slice(*some)])

    return expect


def random_chained(rng):
    """A network with a chain: small, of any shape that has one."""
    while True:
        height, width = (2 * int(side) for side in rng.integers(2, 5, 2))
        convs = int(rng.integers(3, 7))
        layers = [{"name": "conv1", "kind": net.FP_CONV, "outputs": 64 * int(rng.integers(1, 5))}]
        for number in range(2, convs + 1):
            layers.append({
                "name": f"conv{number}", "kind": net.BIN_CONV,
                "outputs": 64 * int(rng.integers(1, 7)), "pool": bool(rng.random() < 0.4),
                "padding": str(rng.choice([net.ZERO, net.ONE, net.NONE]))})
        layers += [{"name": f"fc{n}", "kind": net.BIN_FC, "outputs": 64 * int(rng.integers(1, 20))}
                   for n in range(int(rng.integers(0, 4)))]
        layers.append({"name": "last", "kind": net.LAST, "outputs": int(rng.integers(2, 20))})
        try:
            found = net.Network.from_description(
                {"height": height, "width": width, "layers": layers})
        except net.NetworkError:
            continue
        rows = int(rng.choice([408, 412, 512, 800]))
        batch = int(rng.integers(1, 7))
        device = ModelDevice(batch=batch, dram=Dram(16 << 20), overrides={"CAP_FMAP_ROWS": rows})
        largest = min(batch, rows // max(packing.fmap_rows(layer) for layer in found.layers))
        if plan(found, largest, rows) is not None:
            return found, device


@pytest.mark.parametrize("seed", range(25))
def test_random_networks_give_the_references_sums(seed):
    rng = np.random.default_rng(seed)
    network, device = random_chained(rng)
    parameters = random_parameters(network, rng)
    with Accelerator(device, 1.0) as accelerator:
        accelerator.load(parameters)
        batch, most = accelerator.batch, accelerator.run_size
        assert most % batch == 0
        assert most > batch
        counts = [batch * int(n) for n in rng.integers(1, most // batch + 1, 4)] + [most, batch]
        counts += [int(rng.integers(1, batch + 1))]
        images = rng.integers(0, 256, (sum(counts), network.height, network.width, 3)).astype(
            np.uint8)
        expected = IntegerModel(parameters).sums(images)
        parts = np.split(np.arange(len(images)), np.cumsum(counts)[:-1])
        prepared = False
        for part, after in zip(parts, [*parts[1:], None]):
            following = after if after is not None and rng.random() < 0.7 else None
            started = accelerator.start(images[part], None if following is None
                                        else images[following])
            assert started.program.prepared == prepared
            prepared = started.program.following is not None
            if len(part) > batch and following is not None:
                assert prepared == (len(following) >= batch)
            assert np.array_equal(accelerator.finish(started).sums, expected[part])


def test_any_number_of_full_batches_and_what_follows(expect):
    expect((0, 6), (6, 16), prepared=False)
    expect((6, 16), (16, 18), prepared=True)
    expect((16, 18), (18, 22), prepared=True)
    expect((18, 22), (22, 23), prepared=True, follows=False)
    expect((22, 23), (23, 27), prepared=False, follows=False)
    expect((23, 27), None, prepared=False)
    expect((0, 16), (16, 30), prepared=False)
    expect((16, 30), None, prepared=True)


def test_a_run_takes_as_few_register_accesses(accelerator, device, pictures):
    before = device.mmio.accesses
    accelerator.run(pictures[:16])
    assert device.mmio.accesses - before <= 12


def test_what_no_run_takes_is_refused_before_anything_starts(expect, accelerator, pictures):
    size = accelerator.run_size
    assert (accelerator.batch, size % BATCH) == (BATCH, 0)
    many = np.concatenate([pictures] * 3)
    for count in (0, 3, size - 1, size + BATCH):
        with pytest.raises(PictureError, match=rf"{count} pictures in a run.*1 to 2, or full "
                                               rf"batches of 2, up to {size}"):
            accelerator.start(many[:count])
        with pytest.raises(PictureError, match=f"{count} pictures"):
            accelerator.start(many[:2], many[:count])
    with pytest.raises(PictureError, match="takes 1 to 2$"):
        next(accelerator.step_through(many[:4]))
    expect((0, 4), None, prepared=False)


def test_a_profile_is_of_a_batch(parameters, pictures):
    device = ModelDevice(batch=BATCH, dram=Dram(8 << 20), overrides={
        "CAP_COMPUTE": registers.encode("CAP_COMPUTE", LANES=64, PORTS=1, COUNTERS=1)})
    with Accelerator(device, 1.0) as accelerator:
        accelerator.load(parameters)
        with pytest.raises(PictureError, match="4 pictures"):
            accelerator.profile(pictures[:4])
        assert [stage.name for stage in accelerator.profile(pictures[:2])[1]][2:-1] == [
            layer.name for layer in SMALL.layers]


@pytest.mark.parametrize("overrides", [
    {"VERSION": registers.encode("VERSION", MAJOR=4, MINOR=0)},
    {"CAP_PROGRAM": registers.encode("CAP_PROGRAM", STEPS=90, LOG=32)}])
def test_a_device_without_chains_is_driven_as_before(parameters, pictures, overrides):
    device = ModelDevice(batch=BATCH, dram=Dram(4 << 20), overrides=overrides)
    with Accelerator(device, 1.0) as accelerator:
        accelerator.load(parameters)
        assert accelerator.run_size == accelerator.batch == BATCH
        with pytest.raises(PictureError, match="4 pictures in a run: .* takes 1 to 2$"):
            accelerator.start(pictures[:4])
        started = accelerator.start(pictures[:2], pictures[2:4])
        assert started.program.following is not None
        for some in (started, accelerator.start(pictures[2:4])):
            accelerator.finish(some)
        for _, steps in accelerator._loaded.programs.values():
            assert not any("BIN_CONV" in line and ("FMAP_C" in line or "FMAP_D" in line)
                           for line in shown(steps))


def test_others_in_between_cost_only_time(expect, accelerator, device, parameters, pictures):
    def run():
        accelerator.run(pictures[20:26])

    def walk():
        walk = accelerator.step_through(pictures[:2])
        next(walk)
        walk.close()

    def forget():
        accelerator.start(pictures[4:10], pictures[10:14])
        gc.collect()

    def another():
        with Accelerator(device, timeout_s=1.0) as other:
            other.load(parameters)
            other.run(pictures[3:13])

    def load():
        accelerator.load(parameters)

    for between in (run, walk, forget, another, load):
        expect((0, 6), (6, 12), prepared=False)
        between()
        expect((6, 12), (12, 16), prepared=False)
        expect((12, 16), None, prepared=True)


def test_any_picture_of_what_was_prepared_may_have_changed(expect, accelerator, pictures,
                                                           parameters):
    expect((0, 4), (4, 10), prepared=False)
    pictures[9, 5, 5, 2] ^= 1  # of the last batch
    started = accelerator.start(pictures[4:10])
    assert not started.program.prepared
    assert np.array_equal(accelerator.finish(started).sums,
                          IntegerModel(parameters).sums(pictures[4:10]))
    accelerator.finish(accelerator.start(pictures[:4], pictures[4:10]))
    assert not accelerator.start(pictures[4:8]).program.prepared, "fewer than were announced"


def test_a_chain_that_fails_leaves_nothing_prepared(expect, accelerator, device, pictures):
    device.hang()
    first = accelerator.start(pictures[:4], pictures[4:8])
    expect((4, 8), (8, 12), prepared=False)
    expect((8, 12), None, prepared=True)
    with pytest.raises(DeviceError):
        accelerator.finish(first)


def test_a_chain_that_hangs_is_given_up_after_two_timeouts(parameters, pictures):
    device = ModelDevice(batch=BATCH, dram=Dram(8 << 20))
    with Accelerator(device, 0.02) as accelerator:
        accelerator.load(parameters)
        for count, seconds in ((1, "0.02"), (2, "0.02"), (6, "0.04")):
            device.hang()
            with pytest.raises(DeviceError, match=f"within {seconds} s"):
                accelerator.run(pictures[:count])


def test_a_chain_that_makes_steps_may_take_so_many_times_the_timeout(parameters, pictures):
    device = ModelDevice(batch=BATCH, dram=Dram(8 << 20))
    with Accelerator(device, 0.02) as accelerator:
        accelerator.load(parameters)
        device.hang()
        made = iter(range(1, 100))
        steps = {registers.offset("STEP"): lambda: next(made)}
        read = device.mmio.read
        device.mmio.read = lambda offset: steps[offset]() if offset in steps else read(offset)
        with pytest.raises(DeviceError, match="within 0.06 s"):
            accelerator.run(pictures[:6])


def test_sums_of_runs_under_way_and_of_those_not_yet_read(accelerator, parameters, pictures):
    expected = IntegerModel(parameters).sums(pictures)
    places = [slice(0, 8), slice(8, 10), slice(10, 20), slice(20, 24), slice(24, 30)]
    started = [accelerator.start(pictures[place], *(pictures[after] for after in places[n:n + 1]))
               for n, place in enumerate(places, 1)]
    for place, each in reversed(list(zip(places, started))):
        assert np.array_equal(accelerator.finish(each).sums, expected[place])


def test_any_program_may_take_the_place_of_another(parameters, pictures):
    """More than there are places for, from whichever slots: each picture gets its own sums."""
    device = ModelDevice(batch=BATCH, dram=Dram(4 << 20), overrides={
        "CAP_PROGRAM": registers.encode("CAP_PROGRAM", STEPS=210, LOG=32)})
    rng, kept, kinds = np.random.default_rng(3), [], set()
    expected = IntegerModel(parameters).sums(pictures)
    with Accelerator(device, 1.0) as accelerator:
        accelerator.load(parameters)
        loaded = accelerator._loaded
        sizes = [1, *range(BATCH, accelerator.run_size + 1, BATCH)]
        after = np.arange(2)
        for _ in range(1200):
            some, after = after, np.arange(int(rng.choice(sizes)))
            if rng.random() < 0.2:
                some = np.arange(1, 1 + int(rng.choice(sizes)))
            started = accelerator.start(pictures[some],
                                        pictures[after] if rng.random() < 0.7 else None)
            kinds.add(started.program)
            kept.append((started, some))
            for each, places in kept[:-int(rng.integers(1, 4))]:
                assert np.array_equal(accelerator.finish(each).sums, expected[places])
                kept.remove((each, places))
        assert len(kinds) > len(loaded.programs) == PROGRAMS
        used = sorted((address, address + 8 * packing.whole_bursts(len(steps)))
                      for address, steps in loaded.programs.values())
        assert all(end <= start for (_, end), (start, _) in zip(used, used[1:]))
        begin, words = loaded.memory.address("programs"), loaded.memory.read("programs", 1 << 30)
        assert begin <= used[0][0]
        assert used[-1][1] <= begin + 8 * len(words)
        del kept


def test_the_programs_used_last_are_kept(accelerator, pictures, monkeypatch):
    monkeypatch.setattr("pynq_bnn.driver.loaded.PROGRAMS", 3)
    loaded, made = accelerator._loaded, []
    monkeypatch.setattr("pynq_bnn.driver.chain.Chain.steps", lambda *given, steps=Chain.steps: (
        made.append(given[2]), steps(*given))[1])
    for count, new in ((4, True), (6, True), (8, True), (4, False), (10, True),  # not in 6's
                       (4, False), (8, False), (6, True), (10, True)):
        del made[:]
        accelerator.finish(accelerator.start(pictures[:count]))
        assert made == [count // BATCH] * new
        assert len(loaded.programs) <= 3


def test_after_an_interrupt_anywhere_in_a_start_all_is_right(accelerator, parameters, pictures):
    expected = IntegerModel(parameters).sums(pictures)

    def right(begin, end, *following):
        run = accelerator.finish(accelerator.start(pictures[begin:end], *following))
        assert np.array_equal(run.sums, expected[begin:end]), line

    line = 0
    for following in ((), (pictures[4:10],)):  # the programs are written
        right(0, 4, *following)
    accelerator.finish(accelerator.start(pictures[4:10], pictures[10:14]))
    while True:
        right(0, 4, pictures[4:10])
        interrupted = interrupt_at(
            line + 1, lambda: accelerator.start(pictures[4:10], pictures[10:14]))
        right(4, 10, pictures[10:14])
        right(10, 14)
        if not interrupted:
            break
        line += 3 if line < 120 else 97  # most are the model's
    assert line > 120


@pytest.mark.parametrize("quick", [False, True], ids=["made", "written"])
def test_after_an_interrupt_while_a_program_is(quick, accelerator, parameters, pictures,
                                               monkeypatch):
    """Made or written: in memory that has no place left without writing over another."""
    expected = IntegerModel(parameters).sums(pictures)
    places = (slice(0, 8), slice(4, 10), slice(10, 14))
    monkeypatch.setattr("pynq_bnn.driver.loaded.PROGRAMS", 1)
    if quick:  # made here, where nothing interrupts: the lines that are left write it
        monkeypatch.setattr("pynq_bnn.driver.chain.Chain.steps", known(Chain.steps))
        monkeypatch.setattr("pynq_bnn.driver.program.encode", known(program.encode))
    for line in range(1, 260) if quick else range(40, 4000, 131):
        accelerator.run(pictures[:8])
        interrupt_at(line, lambda: accelerator.start(pictures[4:10], pictures[10:14]))
        for place in places:
            assert np.array_equal(accelerator.run(pictures[place]).sums, expected[place]), line


def known(function):
    """The same, but its lines are not traced when it is asked again."""
    answers = {}

    def ask(*given):
        key = str(given)
        if key not in answers:
            tracer = sys.gettrace()
            sys.settrace(None)
            answers[key] = function(*given)
            sys.settrace(tracer)
        return answers[key]
    return ask


@pytest.mark.parametrize("programs", [PROGRAMS, 1])
def test_two_threads_run_chains_beside_each_other(programs, accelerator, parameters, pictures,
                                                  monkeypatch):
    """With a place for one program, each run's is written over the other thread's."""
    monkeypatch.setattr("pynq_bnn.driver.loaded.PROGRAMS", programs)
    expected = IntegerModel(parameters).sums(pictures)

    def stream(*places):
        for _ in range(8):
            for place, after in zip(places, places[1:]):
                run = accelerator.finish(accelerator.start(pictures[place], pictures[after]))
                assert np.array_equal(run.sums, expected[place])

    assert at_once(lambda: stream(slice(0, 6), slice(6, 10), slice(10, 12), slice(12, 22)),
                   lambda: stream(slice(20, 30), slice(2, 6), slice(0, 6), slice(9, 11))) == []
