import numpy as np
import pytest

from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_network, random_parameters
from pynq_bnn import registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver import packing
from pynq_bnn.driver.accelerator import Accelerator
from pynq_bnn.driver.memory import READ_BACK_WORDS
from pynq_bnn.errors import (
    BnnError,
    ClosedError,
    DeviceError,
    IdentificationError,
    MemoryExhausted,
    NetworkError,
    PictureError,
)


class Wrapped:
    """An mmio with something between driver and device."""

    def __init__(self, mmio):
        self.mmio = mmio

    def read(self, offset):
        return self.mmio.read(offset)

    def write(self, offset, value):
        self.mmio.write(offset, value)


def network(layers, outputs=64):
    middle = [{"name": f"fc{n}", "kind": net.BIN_FC, "outputs": 64} for n in range(1, layers - 1)]
    return net.Network.from_description({"height": 4, "width": 4, "layers": [
        {"name": "conv", "kind": net.FP_CONV, "outputs": outputs, "pool": True}, *middle,
        {"name": "last", "kind": net.LAST, "outputs": 10}]})


# Running.

def test_sums_are_the_references(right):
    for count in (1, 2, 4):
        right(count=count)


def test_the_same_picture_again_and_others_between(right):
    for first in (0, 3, 0, 0, 5, 3):
        right(first, 1)


def test_batches_of_changing_size(right):
    for first, count in ((0, 4), (5, 1), (1, 3), (8, 1), (4, 4), (0, 2)):
        right(first, count)


def test_a_run_takes_few_register_accesses_whatever_the_network():
    counts = []
    for layers in (2, 9, 40):
        device = ModelDevice(batch=2, dram=Dram(1 << 20))
        parameters = random_parameters(network(layers), np.random.default_rng(layers))
        with Accelerator(device) as accelerator:
            accelerator.load(parameters)
            before = device.mmio.accesses
            accelerator.run(np.zeros((2, 4, 4, 3), np.uint8))
            counts.append(device.mmio.accesses - before)
    assert max(counts) <= 12
    assert len(set(counts)) == 1


def test_cycles_come_from_the_device_if_it_counts_them(parameters, pictures, monkeypatch):
    class Counting(Wrapped):
        def read(self, offset):
            value = self.mmio.read(offset)
            return 600_000_000 if offset == registers.offset("CYCLES") else value

    device = ModelDevice(batch=4, dram=Dram(4 << 20), overrides={
        "CAP_COMPUTE": registers.encode("CAP_COMPUTE", LANES=64, PORTS=1, COUNTERS=1)})
    device.mmio, device.clock_mhz = Counting(device.mmio), 100.0
    slept = []
    monkeypatch.setattr("pynq_bnn.driver.control.time.sleep", slept.append)
    with Accelerator(device) as accelerator:
        accelerator.load(parameters)
        assert accelerator.run(pictures[:2]).cycles == 600_000_000
        del slept[:]
        accelerator.run(pictures[:2])
        assert len(slept) == 1, "the second run knows how long it takes"
        assert 0 < slept[0] <= 6, "from its start on"
        del slept[:]
        accelerator.run(pictures[:1])
        assert slept == [], "of another batch nothing is known yet"


def test_a_device_that_does_not_count_gives_no_cycles(accelerator, pictures):
    assert accelerator.run(pictures[:1]).cycles is None


def test_step_through_gives_every_layer(accelerator, parameters, pictures):
    expected = IntegerModel(parameters).run(pictures[:3])
    seen = list(accelerator.step_through(pictures[:3]))
    assert [layer for layer, _ in seen] == list(parameters.network.layers)
    for (layer, output), wanted in zip(seen, expected):
        assert np.array_equal(output, wanted), layer.name
    assert [output.dtype for _, output in seen] == [np.uint8] * 4 + [np.int16]


def test_step_through_may_be_left_half_way(accelerator, pictures, right):
    next(accelerator.step_through(pictures[:2]))
    right()


def test_no_device_buffer_leaves_the_driver(device, parameters, pictures):
    expected = IntegerModel(parameters).run(pictures[:2])
    with Accelerator(device) as accelerator:
        accelerator.load(parameters)
        sums = accelerator.run(pictures[:2]).sums
        maps = [output for _, output in accelerator.step_through(pictures[:2])]
        accelerator.run(pictures[2:4])
    device.dram.memory[:] = 0xA5
    for array, wanted in zip([sums, *maps], [expected[-1], *expected]):
        assert type(array) is np.ndarray
        assert np.array_equal(array, wanted)


@pytest.mark.parametrize("bad", [
    np.zeros((1, 8, 10, 3), np.float32), np.zeros((1, 10, 8, 3), np.uint8),
    np.zeros((8, 10, 3), np.uint8), np.zeros((0, 8, 10, 3), np.uint8),
    np.zeros((5, 8, 10, 3), np.uint8), [[1, 2], [3, 4]], None])
def test_unprepared_pictures_are_refused(accelerator, right, bad):
    with pytest.raises(PictureError, match="pictures"):
        accelerator.run(bad)
    with pytest.raises(PictureError, match="pictures"):
        next(accelerator.step_through(bad))
    right()


def test_the_batch_is_what_the_feature_map_buffers_hold(parameters, pictures):
    # conv1's map, 8 x 10 pixels of 128 bits, takes 20 rows
    device = ModelDevice(batch=4, dram=Dram(4 << 20), overrides={"CAP_FMAP_ROWS": 70})
    with Accelerator(device) as accelerator:
        with pytest.raises(BnnError, match="no network is loaded"):
            accelerator.batch  # noqa: B018
        accelerator.load(parameters)
        assert accelerator.batch == 3
        with pytest.raises(PictureError, match="4 pictures in a run: .* takes 1 to 3"):
            accelerator.run(pictures[:4])
        assert np.array_equal(accelerator.run(pictures[:3]).sums,
                              IntegerModel(parameters).sums(pictures[:3]))


def test_all_dma_is_whole_bursts(device, parameters, pictures):
    class Watching(Wrapped):
        def write(self, offset, value):
            if offset in (registers.offset("DMA_ADDRESS"), registers.offset("DMA_BYTES"),
                          registers.offset("PROGRAM_ADDRESS")):
                assert value % 128 == 0
            self.mmio.write(offset, value)

    device.mmio = Watching(device.mmio)
    with Accelerator(device) as accelerator:
        accelerator.load(parameters)
        for count in (1, 3):
            accelerator.run(pictures[:count])
            assert device.registers.get("DMA_BYTES") == 128 * count
            list(accelerator.step_through(pictures[:count]))


# Loading.

def test_another_network_takes_the_place_of_the_first(accelerator, parameters, device, right, rng):
    free = device.free_bytes()
    other = random_parameters(network(3), rng)
    picture = rng.integers(0, 256, (1, 4, 4, 3)).astype(np.uint8)
    right(count=1)
    accelerator.load(other)
    assert np.array_equal(accelerator.run(picture).sums, IntegerModel(other).sums(picture))
    accelerator.load(parameters)
    right(count=1)
    assert device.free_bytes() == free


def test_all_is_read_back_through_the_accelerator(device, parameters):
    parameter_bytes = packing.pack_parameters(parameters).words.nbytes
    with Accelerator(device) as accelerator:
        accelerator.load(parameters)
        assert device.dram.bytes_read == device.dram.bytes_written == parameter_bytes


def corrupting(mmio, device, word, bit):
    """Flip a bit of the parameters when the accelerator first loads them."""
    class Corrupting(Wrapped):
        done = False

        def write(self, offset, value):
            starts = offset == registers.offset("STAGE") and value == registers.LOAD
            if starts and not self.done:
                self.done = True
                device.dram.flip_bit(device.registers.get("DMA_ADDRESS") + 8 * word, bit)
            self.mmio.write(offset, value)

    return Corrupting(mmio)


@pytest.mark.parametrize("index,end", [(0, 0), (2, -1), (4, -1)])
def test_parameters_damaged_in_memory_name_the_layer(device, parameters, pictures, index, end):
    stream = packing.pack_parameters(parameters)
    span = stream.spans[index]
    word = span.start + end % span.count
    device.mmio = corrupting(device.mmio, device, word, 7)
    wrote = int(stream.words[word])
    with Accelerator(device) as accelerator:
        with pytest.raises(DeviceError) as caught:
            accelerator.load(parameters)
        for part in (f"layer '{parameters.network.layers[index].name}'", f"word {word}",
                     f"0x{wrote:016X}", f"0x{wrote ^ 0x80:016X}", "1 words differ"):
            assert part in str(caught.value)
        assert device.free_bytes() == device.dram.size_bytes
        with pytest.raises(BnnError, match="no network is loaded"):
            accelerator.run(pictures[:1])
        accelerator.load(parameters)
        assert np.array_equal(accelerator.run(pictures[:1]).sums,
                              IntegerModel(parameters).sums(pictures[:1]))


def test_a_damaged_word_far_into_the_parameters_is_found(rng):
    network = net.Network.from_description({"height": 8, "width": 16, "layers": [
        {"name": "conv", "kind": net.FP_CONV, "outputs": 64},
        {"name": "fc", "kind": net.BIN_FC, "outputs": 128},
        {"name": "last", "kind": net.LAST, "outputs": 2}]})
    parameters = random_parameters(network, rng)
    word = packing.pack_parameters(parameters).spans[2].start - 1
    assert word > READ_BACK_WORDS, "in the second piece"
    device = ModelDevice(batch=1, dram=Dram(4 << 20))
    device.mmio = corrupting(device.mmio, device, word, 0)
    with Accelerator(device) as accelerator, \
            pytest.raises(DeviceError, match=f"layer 'fc', word {word}:"):
        accelerator.load(parameters)


def test_an_interrupted_load_can_be_repeated(device, parameters, pictures):
    class Interrupting(Wrapped):
        stores = 0

        def write(self, offset, value):
            self.mmio.write(offset, value)
            if offset == registers.offset("STAGE") and value == registers.LOAD:
                self.stores += 1
                if self.stores == 1:
                    raise KeyboardInterrupt

    device.mmio = Interrupting(device.mmio)
    with Accelerator(device) as accelerator:
        with pytest.raises(KeyboardInterrupt):
            accelerator.load(parameters)
        assert device.free_bytes() == device.dram.size_bytes
        accelerator.load(parameters)
        assert np.array_equal(accelerator.run(pictures[:1]).sums,
                              IntegerModel(parameters).sums(pictures[:1]))


@pytest.mark.parametrize("limits", [
    {"CAP_LIMITS": registers.encode("CAP_LIMITS", SIDE=9, CLASSES=64, CHANNELS=512)},
    {"CAP_FMAP_ROWS": 18},
    {"CAP_PROGRAM": registers.encode("CAP_PROGRAM", STEPS=41, LOG=32)}])
def test_a_network_beyond_the_device_is_refused_before_anything_is_written(parameters, limits):
    device = ModelDevice(batch=2, dram=Dram(1 << 20), overrides=limits)
    with Accelerator(device) as accelerator:
        writes = device.mmio.writes
        with pytest.raises(NetworkError, match="this device"):
            accelerator.load(parameters)
        assert device.mmio.writes == writes
        assert device.free_bytes() == device.dram.size_bytes
        assert not device.dram.memory.any()


def test_a_refused_network_leaves_the_loaded_one(parameters, pictures, rng):
    device = ModelDevice(batch=4, dram=Dram(4 << 20), overrides={
        "CAP_LIMITS": registers.encode("CAP_LIMITS", SIDE=32, CLASSES=64, CHANNELS=128)})
    with Accelerator(device) as accelerator:
        accelerator.load(parameters)
        with pytest.raises(NetworkError, match="'conv': 192 channels"):
            accelerator.load(random_parameters(network(3, outputs=192), rng))
        assert np.array_equal(accelerator.run(pictures[:4]).sums,
                              IntegerModel(parameters).sums(pictures[:4]))


@pytest.mark.parametrize("pages", [1, 4, 24])
def test_memory_exhausted_says_asked_and_free_and_keeps_nothing(parameters, pages):
    device = ModelDevice(batch=4, dram=Dram(pages * 4096))
    with Accelerator(device) as accelerator:
        with pytest.raises(MemoryExhausted, match=r"\d+ bytes .* asked for, \d+ of \d+ free"):
            accelerator.load(parameters)
        assert device.free_bytes() == device.dram.size_bytes


# Opening and closing.

@pytest.mark.parametrize("register,value,complaint", [
    ("MAGIC", 0, "MAGIC reads 0x00000000"), ("VERSION", 0x10001, r"version 1\.1, this driver 4\.")])
def test_another_device_is_refused_untouched(register, value, complaint):
    device = ModelDevice(overrides={register: value})
    with pytest.raises(IdentificationError, match=complaint):
        Accelerator(device)
    assert device.mmio.writes == 0


def test_nothing_runs_before_a_network_is_loaded(device, pictures):
    with Accelerator(device) as accelerator, pytest.raises(BnnError, match="call load"):
        accelerator.run(pictures[:1])


def test_closed(device, parameters, pictures):
    accelerator = Accelerator(device)
    accelerator.load(parameters)
    accelerator.close()
    accelerator.close()
    assert device.free_bytes() == device.dram.size_bytes
    for use in (lambda: accelerator.run(pictures[:1]), lambda: accelerator.load(parameters),
                lambda: next(accelerator.step_through(pictures[:1])),
                lambda: accelerator.parameters):
        with pytest.raises(ClosedError, match="closed"):
            use()


def test_memory_is_freed_even_if_the_device_is_gone(device, parameters):
    accelerator = Accelerator(device)
    accelerator.load(parameters)

    def gone(*_):
        raise OSError("bus")

    device.mmio.write = gone
    with pytest.raises(OSError, match="bus"):
        accelerator.close()
    assert device.free_bytes() == device.dram.size_bytes


def test_two_accelerators_share_a_device(device, parameters, pictures, rng):
    other = random_parameters(random_network(rng), rng)
    expected = IntegerModel(parameters).sums(pictures[:1])
    with Accelerator(device) as first:
        first.load(parameters)
        with Accelerator(device) as second:
            second.load(other)
            assert np.array_equal(first.run(pictures[:1]).sums, expected)
        assert np.array_equal(first.run(pictures[:1]).sums, expected)
