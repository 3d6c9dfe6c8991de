from dataclasses import replace

import pytest

from pynq_bnn import registers as r
from pynq_bnn.devices.register_file import RegisterFile
from pynq_bnn.devices.stages import Limits, Stage, check

LIMITS = Limits(side=32, classes=64, channels=512, inputs=8192, batch=8, fmap_bits=128 * 1024)

LOAD_INPUT = Stage(r.LOAD, target=r.INPUT, batch=8, dma_address=0x1000, dma_bytes=4096)
LOAD_PARAMS = Stage(r.LOAD, target=r.PARAMS, dma_address=0x1000, dma_bytes=8)
STORE_MAP = Stage(r.STORE, source=r.FMAP_B, dma_address=0x1000, dma_bytes=16384)
STORE_SUMS = Stage(r.STORE, source=r.SUMS, dma_address=0x1000, dma_bytes=128)
STORE_PARAMS = Stage(r.STORE, source=r.PARAMS, dma_address=0x1000, dma_bytes=1 << 31)
FP = Stage(r.FP_CONV, r.INPUT, r.FMAP_A, 32, 32, 3, 128)
BIN = Stage(r.BIN_CONV, r.FMAP_A, r.FMAP_B, 16, 16, 512, 512)
FC = Stage(r.BIN_FC, r.FMAP_B, r.FMAP_A, 1, 1, 8192, 8192)
LAST = Stage(r.LAST, r.FMAP_A, r.SUMS, 1, 1, 8192, 64)

TAKEN = [
    (LOAD_INPUT, {}), (LOAD_INPUT, {"batch": 1, "dma_bytes": 8 * 4096}),
    (LOAD_INPUT, {"source": 9}), (STORE_MAP, {"target": 9}), (STORE_MAP, {"source": r.FMAP_A}),
    (LOAD_PARAMS, {"batch": 0, "dma_bytes": 0xFFFFFFF8}), (STORE_PARAMS, {"batch": 99}),
    (STORE_SUMS, {}), (FP, {}), (FP, {"target": r.FMAP_B, "batch": 8}),
    (FP, {"height": 1, "width": 31}), (FP, {"padding": r.PAD_NONE, "height": 3, "width": 3}),
    (FP, {"outputs": 512, "pool": True}), (BIN, {}), (BIN, {"padding": r.PAD_ONE}),
    (BIN, {"height": 1, "width": 1, "channels": 64, "outputs": 64}), (BIN, {"pool": True}),
    (BIN, {"height": 6, "width": 8, "padding": r.PAD_NONE, "pool": True}),
    (FC, {}), (FC, {"channels": 64, "outputs": 64}), (FC, {"padding": 3, "pool": True}),
    (LAST, {}), (LAST, {"outputs": 2, "source": r.FMAP_B})]

REFUSED = {
    r.ERROR_STAGE: [(Stage(0), {}), (Stage(7), {}), (Stage(15), {})],
    r.ERROR_BUFFER: [
        (LOAD_INPUT, {"target": r.FMAP_A}), (LOAD_INPUT, {"target": r.SUMS}),
        (LOAD_INPUT, {"target": 5}), (STORE_MAP, {"source": r.INPUT}), (STORE_MAP, {"source": 5}),
        (FP, {"source": r.FMAP_B}), (FP, {"target": r.SUMS}), (BIN, {"source": r.INPUT}),
        (BIN, {"target": r.FMAP_A}), (BIN, {"target": r.SUMS}), (FC, {"source": r.FMAP_A}),
        (LAST, {"target": r.FMAP_B}), (LAST, {"source": r.PARAMS})],
    r.ERROR_SHAPE: [
        (LOAD_INPUT, {"batch": 0}), (LOAD_INPUT, {"batch": 9}), (STORE_MAP, {"batch": 9}),
        (STORE_SUMS, {"batch": 0}), (FP, {"channels": 64}), (FP, {"padding": r.PAD_ONE}),
        (FP, {"padding": 3}), (FP, {"height": 33}), (FP, {"width": 0}), (FP, {"outputs": 96}),
        (FP, {"outputs": 576}), (FP, {"batch": 9}), (BIN, {"channels": 3}),
        (BIN, {"channels": 576}), (BIN, {"channels": 0}), (BIN, {"outputs": 0}),
        (BIN, {"padding": 3}), (BIN, {"padding": r.PAD_NONE, "height": 2}),
        (BIN, {"pool": True, "height": 15}), (BIN, {"pool": True, "width": 15}),
        (FC, {"height": 2}), (FC, {"width": 0}), (FC, {"channels": 100}),
        (FC, {"channels": 8256}), (FC, {"outputs": 8256}), (FC, {"outputs": 10}),
        (FC, {"batch": 9}), (LAST, {"outputs": 1}), (LAST, {"outputs": 65}),
        (LAST, {"channels": 32})],
    r.ERROR_SIZE: [
        (LOAD_INPUT, {"dma_bytes": 4104}), (LOAD_INPUT, {"batch": 1, "dma_bytes": 8 * 4096 + 8}),
        (STORE_MAP, {"dma_bytes": 16392}), (STORE_SUMS, {"dma_bytes": 136}),
        (FP, {"outputs": 192}), (FP, {"outputs": 512}),
        (BIN, {"height": 17}), (BIN, {"height": 32, "channels": 64}),
        (BIN, {"height": 32, "outputs": 64})],
    r.ERROR_ADDRESS: [
        (LOAD_INPUT, {"dma_address": 0x1004}), (LOAD_PARAMS, {"dma_bytes": 0}),
        (LOAD_PARAMS, {"dma_bytes": 12}), (STORE_MAP, {"dma_bytes": 0}),
        (STORE_SUMS, {"dma_bytes": 12}), (STORE_PARAMS, {"dma_address": 1})],
}


@pytest.mark.parametrize("stage, changes", TAKEN)
def test_within_the_limits(stage, changes):
    assert check(replace(stage, **changes), LIMITS) == r.ERROR_NONE


@pytest.mark.parametrize("error, stage, changes", [
    (error, stage, changes) for error, cases in REFUSED.items() for stage, changes in cases])
def test_outside_the_limits(error, stage, changes):
    assert check(replace(stage, **changes), LIMITS) == error


def test_the_first_error_in_order_is_told():
    wrong = {"source": 7, "batch": 0, "dma_bytes": 1 << 20 | 4, "dma_address": 4}
    stage = replace(STORE_MAP, **wrong)
    for error, mended in ((r.ERROR_BUFFER, {"source": r.FMAP_A}), (r.ERROR_SHAPE, {"batch": 1}),
                          (r.ERROR_SIZE, {"dma_bytes": 4}), (r.ERROR_ADDRESS, {"dma_bytes": 8}),
                          (r.ERROR_ADDRESS, {"dma_address": 8})):
        assert check(replace(stage, kind=9), LIMITS) == r.ERROR_STAGE
        assert check(stage, LIMITS) == error
        stage = replace(stage, **mended)
    assert check(stage, LIMITS) == r.ERROR_NONE


@pytest.mark.parametrize("stage, words", [
    (replace(FP, outputs=128), 64 + 64), (replace(BIN, channels=128, outputs=64), 32 + 64 * 18),
    (replace(FC, channels=1024, outputs=64), 32 + 64 * 16),
    (replace(LAST, channels=1024, outputs=10), 160), (replace(LAST, channels=64, outputs=10), 16)])
def test_parameters_fill_blocks_of_64_bytes(stage, words):
    assert stage.parameter_words == words


def test_an_odd_picture_fills_its_last_word():
    assert replace(FP, height=3, width=3).in_words == 5
    assert replace(FP, height=4, width=3).in_words == 6


def test_decoded_from_registers():
    file = RegisterFile({"CAP_LIMITS": 0x0200_40_20, "CAP_FC": 0x08_2000,
                         "CAP_FMAP_BITS": 128 * 1024}, lambda name, value: None)
    assert Limits.from_registers(file) == LIMITS
    assert LIMITS.picture_bytes == 4096
    for name, value in {"STAGE": 0xF3, "DMA_ADDRESS": 16, "DMA_BYTES": 24, "BUFFERS": 0xF32,
                        "SHAPE": 0x0040_05_04, "OUTPUTS": 128, "MODE": 0xFFFFFF12,
                        "BATCH": 3}.items():
        file.set(name, value)
    assert Stage.from_registers(file) == Stage(
        r.BIN_CONV, r.FMAP_A, r.FMAP_B, 4, 5, 64, 128, r.PAD_NONE, True, 3, 16, 24)
    file.set("STAGE", r.BIN_FC)
    assert Stage.from_registers(file).padding == r.PAD_ZERO
    assert not Stage.from_registers(file).pool
