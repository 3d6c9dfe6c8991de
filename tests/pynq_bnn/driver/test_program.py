import numpy as np

from host_ref import network as net
from host_ref.random_networks import random_parameters
from pynq_bnn import registers
from pynq_bnn.driver import packing, program

ADDRESSES = program.Addresses(0x1000, 0x2000, 0x3000)


def stages(steps):
    """What each stage start would see: the registers as they stand then."""
    held, seen = {}, []
    for step in steps:
        held[step.register] = step.value
        if step.register == "STAGE":
            seen.append(dict(held))
    return seen


def whole(network, batch):
    stream = packing.pack_parameters(random_parameters(network, np.random.default_rng(0)))
    return program.network_program(network, stream, ADDRESSES, batch), stream


def test_the_papers_network_stage_by_stage():
    steps, stream = whole(net.CIFAR10, 3)
    seen = stages(steps)
    kinds = [stage["STAGE"] for stage in seen]
    assert kinds == [registers.LOAD] * 2 + [registers.FP_CONV] + 5 * [registers.BIN_CONV] + [
        registers.BIN_FC] * 2 + [registers.LAST, registers.STORE]
    pictures, parameters, conv1, conv2 = seen[:4]
    assert (pictures["DMA_ADDRESS"], pictures["DMA_BYTES"]) == (0x1000, 3 * 4096)
    assert (parameters["DMA_ADDRESS"], parameters["DMA_BYTES"]) == (0x2000, 8 * len(stream.words))
    assert registers.decode("SHAPE", conv1["SHAPE"]) == {"HEIGHT": 32, "WIDTH": 32, "CHANNELS": 3}
    assert registers.decode("MODE", conv1["MODE"]) == {"PADDING": registers.PAD_ZERO, "POOL": 0}
    assert registers.decode("MODE", conv2["MODE"])["POOL"] == 1
    assert conv2["OUTPUTS"] == 128
    assert [registers.decode("SHAPE", fc["SHAPE"]) for fc in seen[8:11]] == [
        {"HEIGHT": 4, "WIDTH": 4, "CHANNELS": 512}, *2 * [
            {"HEIGHT": 1, "WIDTH": 1, "CHANNELS": 1024}]]
    assert (seen[-1]["DMA_ADDRESS"], seen[-1]["DMA_BYTES"]) == (0x3000, 3 * 128)
    assert all(stage["BATCH"] == 3 for stage in seen[2:])


def test_pictures_fill_their_last_burst():
    for batch, words in ((1, 16), (3, 16), (4, 32)):
        network = net.Network.from_description({"height": 3, "width": 3, "layers": [
            {"name": "conv", "kind": net.FP_CONV, "outputs": 64},
            {"name": "last", "kind": net.LAST, "outputs": 2}]})
        assert stages(program.load_pictures(network, 0, batch))[0]["DMA_BYTES"] == 8 * words


def test_every_stage_reads_what_the_one_before_wrote():
    for network in (net.CIFAR10, net.CNV):
        written = registers.INPUT
        for stage in stages(whole(network, 1)[0])[2:-1]:
            buffers = registers.decode("BUFFERS", stage["BUFFERS"])
            assert buffers["SOURCE"] == written
            assert buffers["TARGET"] != written
            written = buffers["TARGET"]
        assert written == registers.SUMS


def test_only_programmable_registers_are_written():
    steps, _ = whole(net.CNV, 1)
    assert {step.register for step in steps} <= set(registers.PROGRAMMABLE)
    assert len(steps) <= registers.PROGRAM_STEPS_MAX


def test_words_hold_offset_and_value():
    words = program.encode([program.Step("DMA_ADDRESS", 0xFFFFFFF8, ""),
                            program.Step("STAGE", registers.LAST, "")])
    assert words.dtype == np.uint64
    assert words.tolist() == [0xFFFFFFF8 << 32 | 0x084, registers.LAST << 32 | 0x080] + [0] * 14
