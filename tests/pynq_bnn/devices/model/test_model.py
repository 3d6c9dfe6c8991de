import pytest

from pynq_bnn import registers as r
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.errors import MemoryExhausted

DONE = {"BUSY": 0, "DONE": 1, "ERROR": 0, "LOADING": 0, "DRAINING": 0}
FC = {"source": r.FMAP_A, "target": r.FMAP_B, "shape": (1, 1, 64), "OUTPUTS": 64}
ONES = 2 ** 64 - 1


def fc_parameters(bits, threshold=1):
    """Words of an FC layer whose outputs all have the weight bits `bits`."""
    return [threshold | threshold << 32] * 32 + [bits, 0, 0, 0, 0, 0, 0, 0] * 64


def test_identification(rig):
    assert rig.read("MAGIC") == r.MAGIC
    assert rig.fields("VERSION") == {"MAJOR": 4, "MINOR": 1}
    assert rig.read("BUILD") == 0
    assert rig.fields("CAP_COMPUTE") == {"LANES": 0, "PORTS": 2, "COUNTERS": 0}
    assert rig.fields("CAP_LIMITS") == {"SIDE": 32, "CLASSES": 64, "CHANNELS": 512}
    assert rig.fields("CAP_FC") == {"INPUTS": 8192, "BATCH": 2}
    assert rig.read("CAP_FMAP_ROWS") == 2048
    assert rig.fields("CAP_PROGRAM") == {"STEPS": r.PROGRAM_STEPS_MAX, "LOG": 32}
    assert rig.fields("STATUS") == dict.fromkeys(DONE, 0)


def test_the_batch_and_other_versions_are_for_the_test_to_choose(make_rig):
    assert make_rig(batch=255).fields("CAP_FC")["BATCH"] == 255
    other = make_rig(overrides={"MAGIC": 1, "VERSION": 0x20000, "CAP_FMAP_ROWS": 1})
    assert (other.read("MAGIC"), other.fields("VERSION")["MAJOR"]) == (1, 2)
    other.load_parameters([0] * (288 + 576 * 8))
    other.stage(r.BIN_FC, source=r.FMAP_A, target=r.FMAP_B, shape=(1, 1, 64), OUTPUTS=576)
    assert other.error()[0] == "SIZE"
    for wrong in (0, 256):
        with pytest.raises(ValueError, match=r"at least 1|BATCH"):
            make_rig(batch=wrong)


def test_a_stage_in_stepped_mode(rig):
    assert rig.load_parameters(fc_parameters(0, threshold=0x8000)) == {**DONE, "LOADING": 1}
    assert rig.stage(r.BIN_FC, **FC) == DONE
    assert rig.stored(r.FMAP_B, 1) == [0]
    assert rig.read("STAGES") == 3
    assert [rig.read("LOG_KIND", i) for i in range(4)] == [r.LOAD, r.BIN_FC, r.STORE, 0]
    assert [rig.read(name, 1) for name in ("LOG_CYCLES", "LOG_BUSY", "LOG_WAIT")] == [0, 0, 0]
    assert (rig.read("CYCLES"), rig.read("STEP")) == (0, 0)


def test_parameters_come_back_through_the_ports(rig):
    rig.load_parameters(list(range(32)))
    rig.load_parameters([77] * 16)
    assert rig.stored(r.PARAMS, 16) == list(range(16))
    assert rig.fields("STATUS")["LOADING"] == 1
    assert rig.stored(r.PARAMS, 32) == [*range(16, 32), *[77] * 16]
    assert rig.fields("STATUS")["LOADING"] == 0


def test_what_a_stage_takes_off_the_stream_ends_with_its_burst(rig):
    rig.plus_ones(r.FMAP_A)
    rig.load_parameters([0] * 3 * 8 + [0] * 8 + [42])
    assert rig.stage(r.LAST, source=r.FMAP_A, target=r.SUMS, shape=(1, 1, 64),
                     OUTPUTS=3)["LOADING"] == 1
    assert rig.stored(r.PARAMS, 1) == [42]
    assert rig.stored(r.SUMS, 1)[0] & 0xFFFF_FFFF_FFFF == 64 | 64 << 16 | 64 << 32


def test_each_image_of_a_batch(rig):
    # pixels of 255 in image 0, of 0 in image 1, each 1 x 1: the sums are +765 and -765
    rig.load(r.INPUT, [0xFFFFFF, 0])
    rig.write(BATCH=2)
    rig.load_parameters([0] * 64)
    rig.stage(r.FP_CONV, source=r.INPUT, target=r.FMAP_B, shape=(1, 1, 3), OUTPUTS=64)
    # each image has a row of its own, 8 words
    assert rig.stored(r.FMAP_B, 16)[::8] == [0, ONES]
    rig.load_parameters(fc_parameters(0))
    rig.stage(r.BIN_FC, **{**FC, "source": r.FMAP_B, "target": r.FMAP_A})
    assert rig.stored(r.FMAP_A, 16)[::8] == [0, ONES]
    rig.load_parameters([0] * 16)
    rig.stage(r.LAST, source=r.FMAP_A, target=r.SUMS, shape=(1, 1, 64), OUTPUTS=2)
    assert [word & 0xFFFFFFFF for word in rig.stored(r.SUMS, 32)[::16]] == [
        64 | 64 << 16, 0xFFC0 | 0xFFC0 << 16]


def test_what_nobody_owns_is_stored_as_random_bits(rig):
    rig.plus_ones(r.FMAP_A, images=2)
    rig.load_parameters([0] * 32)
    rig.stage(r.LAST, source=r.FMAP_A, target=r.SUMS, shape=(1, 1, 64), OUTPUTS=4)
    for source, each in ((r.FMAP_A, 8), (r.SUMS, 16)):
        words = rig.stored(source, 2 * each)
        del words[::each]
        assert len(set(words)) == len(words)
        assert 0 not in words


def test_load_and_store_ignore_the_batch(rig):
    rig.plus_ones(r.FMAP_A, images=2)
    for batch in (0, 2, 99):
        rig.write(BATCH=batch)
        rig.load(r.INPUT, [7] * 16)
        assert rig.stored(r.FMAP_A, 16)[::8] == [0, 0]


def test_a_program(rig):
    rig.plus_ones(r.FMAP_A)
    parameters = fc_parameters(0)
    address = rig.place(parameters)
    out = rig.device.allocate(16, "<u8")
    out[:] = 5
    out.flush()
    assert rig.run(
        rig.stage_registers(r.LOAD, target=r.PARAMS, DMA_ADDRESS=address,
                            DMA_BYTES=8 * len(parameters)),
        rig.stage_registers(r.BIN_FC, **FC),
        rig.stage_registers(r.STORE, source=r.FMAP_B, DMA_ADDRESS=out.device_address,
                            DMA_BYTES=128)) == DONE
    out.invalidate()
    assert out[0] == 0
    assert rig.read("STEP") == 6 + 5 + 6
    assert rig.read("STAGES") == 3
    assert [rig.read("LOG_KIND", i) for i in range(3)] == [r.LOAD, r.BIN_FC, r.STORE]
    assert rig.read("DMA_ADDRESS") == out.device_address
    # a second run starts its log and its steps anew
    assert rig.run({"BATCH": 1}) == DONE
    assert (rig.read("STEP"), rig.read("STAGES"), rig.read("LOG_KIND")) == (1, 0, 0)


def test_a_full_log_keeps_its_first_entries(rig):
    address = rig.place([0])
    load = rig.stage_registers(r.LOAD, target=r.INPUT, DMA_ADDRESS=address, DMA_BYTES=128)
    out = rig.device.allocate(16, "<u8")
    store = rig.stage_registers(r.STORE, source=r.SUMS, DMA_ADDRESS=out.device_address,
                                DMA_BYTES=128)
    assert rig.run(load, *[store] * 40) == DONE
    assert rig.read("STAGES") == 32
    assert [rig.read("LOG_KIND", i) for i in (0, 1, 31)] == [r.LOAD, r.STORE, r.STORE]


def test_dma_bytes_and_accesses_are_counted(rig):
    reads, writes = rig.device.mmio.reads, rig.device.mmio.writes
    address = rig.place([1] * 32)
    rig.run(rig.stage_registers(r.LOAD, target=r.INPUT, DMA_ADDRESS=address, DMA_BYTES=256))
    assert (rig.dram.bytes_read, rig.dram.bytes_written) == (256 + 128, 0)  # and the program
    assert (rig.device.mmio.reads, rig.device.mmio.writes) == (reads + 1, writes + 3)
    assert rig.device.mmio.accesses == reads + writes + 4
    rig.stored(r.FMAP_A, 48)
    assert rig.dram.bytes_written == 384


def test_a_changed_bit_in_memory_shows_in_the_next_run(rig):
    # 63 weights of +1 and one of -1 give a sum of 62 on a map of +1
    rig.plus_ones(r.FMAP_A)
    parameters = fc_parameters(1, threshold=62)
    address = rig.place(parameters)
    load = rig.stage_registers(r.LOAD, target=r.PARAMS, DMA_ADDRESS=address,
                               DMA_BYTES=8 * len(parameters))
    rig.run(load, rig.stage_registers(r.BIN_FC, **FC))
    assert rig.stored(r.FMAP_B, 1) == [0]
    rig.dram.flip_bit(address + 8 * (32 + 5 * 8), 63)
    rig.run(load, rig.stage_registers(r.BIN_FC, **FC))
    assert rig.stored(r.FMAP_B, 1) == [1 << 5]


def test_a_stuck_bit_shows_until_it_is_mended(rig):
    rig.plus_ones(r.FMAP_A)
    rig.device.stick(r.FMAP_B, 0, 9, 1)
    for expected in (1 << 9, 0):
        rig.load_parameters(fc_parameters(0))
        rig.stage(r.BIN_FC, **FC)
        assert rig.stored(r.FMAP_B, 1) == [expected]
        rig.device.clear_faults()


def test_reset_gives_every_register_its_reset_and_keeps_the_capabilities(make_rig):
    fresh, rig = make_rig(), make_rig()
    rig.load_parameters([1, 2, 3])
    rig.run({"BATCH": 0}, rig.stage_registers(r.BIN_FC, **FC))
    rig.reset()
    for offset, register, _ in r.words():
        assert rig.device.mmio.read(offset) == fresh.device.mmio.read(offset), register.name


def test_memory(make_rig):
    rig = make_rig(dram=Dram(3 * 4096))
    buffer = rig.device.allocate((2, 4), "<u8")
    assert buffer.shape == (2, 4)
    assert rig.device.free_bytes() == 2 * 4096
    with pytest.raises(MemoryExhausted, match=r"12288 bytes.*8192 of 12288 free"):
        rig.device.allocate(12288, "u1")
    buffer.freebuffer()
    assert rig.device.free_bytes() == 3 * 4096


def test_it_describes_itself(rig):
    description = rig.device.describe()
    assert description["device"] == "model"
    assert description["clock_mhz"] is None
    assert description["batch"] == 2
    assert description["memory_bytes"] == description["memory_free_bytes"] == 1 << 20
