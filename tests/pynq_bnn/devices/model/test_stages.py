from dataclasses import replace

import pytest

from pynq_bnn import registers as r
from pynq_bnn.devices.model.register_file import RegisterFile
from pynq_bnn.devices.model.stages import Limits, Stage, check

LIMITS = Limits(side=32, classes=64, channels=512, inputs=8192, batch=8, fmap_rows=2048)

LOAD_INPUT = Stage(r.LOAD, target=r.INPUT, dma_address=0x1000, dma_bytes=8 * 4096)
LOAD_PARAMS = Stage(r.LOAD, target=r.PARAMS, dma_address=0x1000, dma_bytes=128)
STORE_MAP = Stage(r.STORE, source=r.FMAP_B, dma_address=0x1000, dma_bytes=2048 * 64)
STORE_SUMS = Stage(r.STORE, source=r.SUMS, dma_address=0x1000, dma_bytes=8 * 128)
STORE_PARAMS = Stage(r.STORE, source=r.PARAMS, dma_address=0x1000, dma_bytes=r.STORE_BYTES_MAX)
FP = Stage(r.FP_CONV, r.INPUT, r.FMAP_A, 32, 32, 3, 128)
BIN = Stage(r.BIN_CONV, r.FMAP_A, r.FMAP_B, 16, 16, 512, 512)
QUARTER = Stage(r.BIN_CONV, r.FMAP_B, r.FMAP_C, 8, 8, 512, 512)
FC = Stage(r.BIN_FC, r.FMAP_B, r.FMAP_A, 1, 1, 8192, 8192)
LAST = Stage(r.LAST, r.FMAP_A, r.SUMS, 1, 1, 8192, 64)

TAKEN = [
    (LOAD_INPUT, {}), (LOAD_INPUT, {"dma_bytes": 128}), (LOAD_INPUT, {"batch": 99}),
    (LOAD_INPUT, {"source": 9}), (STORE_MAP, {"target": 9}), (STORE_MAP, {"source": r.FMAP_A}),
    (STORE_MAP, {"batch": 0}), (STORE_SUMS, {"batch": 1 << 20}),
    (LOAD_PARAMS, {"batch": 0, "dma_bytes": 0xFFFFFF80}), (STORE_PARAMS, {"batch": 99}),
    (STORE_SUMS, {}), (FP, {}), (FP, {"target": r.FMAP_B, "batch": 8}),
    (FP, {"height": 1, "width": 31}), (FP, {"padding": r.PAD_NONE, "height": 3, "width": 3}),
    (FP, {"outputs": 512, "pool": True, "batch": 8}), (FP, {"outputs": 512, "batch": 2}),
    (BIN, {}), (BIN, {"padding": r.PAD_ONE}), (BIN, {"batch": 8}),
    (BIN, {"height": 1, "width": 1, "channels": 64, "outputs": 64}), (BIN, {"pool": True}),
    (BIN, {"height": 6, "width": 8, "padding": r.PAD_NONE, "pool": True}),
    (BIN, {"height": 17, "width": 24, "channels": 320, "batch": 5}),
    (FC, {"batch": 8}), (FC, {"channels": 64, "outputs": 64}), (FC, {"padding": 3, "pool": True}),
    (FC, {"height": 4, "width": 4, "channels": 512}),
    (FC, {"height": 1, "width": 3, "channels": 64}),
    (FC, {"height": 4, "width": 32, "channels": 64}),
    (FC, {"source": r.FMAP_B, "target": r.FMAP_C, "batch": 8}),
    (FC, {"source": r.FMAP_C, "target": r.FMAP_D}), (FC, {"source": r.FMAP_D, "target": r.FMAP_C}),
    (QUARTER, {}), (QUARTER, {"source": r.FMAP_D}), (QUARTER, {"batch": 8}),
    (QUARTER, {"source": r.FMAP_C, "target": r.FMAP_D}),
    (QUARTER, {"target": r.FMAP_D, "padding": r.PAD_ONE}),
    (QUARTER, {"height": 16, "batch": 4, "pool": True}),
    (LAST, {}), (LAST, {"outputs": 2, "source": r.FMAP_B}), (LAST, {"source": r.FMAP_D}),
    (STORE_MAP, {"source": r.FMAP_C, "dma_bytes": 512 * 64}),
    (LAST, {"height": 2, "width": 8, "channels": 512, "padding": r.PAD_NONE})]

REFUSED = {
    r.ERROR_STAGE: [(Stage(0), {}), (Stage(7), {}), (Stage(15), {})],
    r.ERROR_BUFFER: [
        (LOAD_INPUT, {"target": r.FMAP_A}), (LOAD_INPUT, {"target": r.SUMS}),
        (LOAD_INPUT, {"target": r.FMAP_C}), (LOAD_INPUT, {"target": 7}),
        (STORE_MAP, {"source": r.INPUT}), (STORE_MAP, {"source": 7}),
        (FP, {"source": r.FMAP_B}), (FP, {"target": r.SUMS}), (BIN, {"source": r.INPUT}),
        (FP, {"target": r.FMAP_C}), (BIN, {"target": r.FMAP_D}), (BIN, {"source": r.FMAP_C}),
        (BIN, {"source": r.FMAP_D, "target": r.FMAP_A}), (QUARTER, {"source": r.FMAP_A}),
        (QUARTER, {"source": r.FMAP_C}), (QUARTER, {"source": r.INPUT}), (QUARTER, {"target": 7}),
        (BIN, {"target": r.FMAP_A}), (BIN, {"target": r.SUMS}), (FC, {"source": r.FMAP_A}),
        (FC, {"source": r.FMAP_A, "target": r.FMAP_C}),
        (FC, {"source": r.FMAP_C, "target": r.FMAP_C}),
        (FC, {"source": r.FMAP_C, "target": r.FMAP_A}),
        (FC, {"source": r.FMAP_D, "target": r.FMAP_B}),
        (LAST, {"target": r.FMAP_B}), (LAST, {"source": r.PARAMS})],
    r.ERROR_SHAPE: [
        (FP, {"channels": 64}), (FP, {"padding": r.PAD_ONE}), (FP, {"batch": 0}),
        (FP, {"padding": 3}), (FP, {"height": 33}), (FP, {"width": 0}), (FP, {"outputs": 96}),
        (FP, {"outputs": 576}), (FP, {"batch": 9}), (BIN, {"channels": 3}),
        (BIN, {"channels": 576}), (BIN, {"channels": 0}), (BIN, {"outputs": 0}),
        (BIN, {"height": 1, "width": 1, "channels": 1024}), (BIN, {"batch": 1 << 8}),
        (BIN, {"padding": 3}), (BIN, {"padding": r.PAD_NONE, "height": 2}),
        (BIN, {"pool": True, "height": 15}), (BIN, {"pool": True, "width": 15}),
        (FC, {"height": 2}), (FC, {"width": 0}), (FC, {"channels": 100}),
        (FC, {"channels": 8256}), (FC, {"outputs": 8256}), (FC, {"outputs": 10}),
        (FC, {"height": 1, "width": 2, "channels": 576}),
        (FC, {"height": 4, "width": 5, "channels": 448}),
        (FC, {"height": 1, "width": 33, "channels": 64}),
        (FC, {"batch": 9}), (LAST, {"outputs": 1}), (LAST, {"outputs": 65}),
        (LAST, {"channels": 32})],
    r.ERROR_SIZE: [
        (QUARTER, {"height": 16, "batch": 5, "pool": True}), (QUARTER, {"batch": 8, "height": 9}),
        (QUARTER, {"source": r.FMAP_C, "target": r.FMAP_D, "batch": 8, "height": 9}),
        (QUARTER, {"channels": 64, "width": 16, "batch": 5}),
        (STORE_MAP, {"source": r.FMAP_C, "dma_bytes": 512 * 64 + 128}),
        (LOAD_INPUT, {"dma_bytes": 8 * 4096 + 128}), (LOAD_INPUT, {"dma_bytes": 8 * 4096 + 1}),
        (STORE_MAP, {"dma_bytes": 2048 * 64 + 128}), (STORE_SUMS, {"dma_bytes": 8 * 128 + 128}),
        (STORE_PARAMS, {"dma_bytes": 0x10000 * 128}), (STORE_PARAMS, {"dma_bytes": 1 << 31}),
        (FP, {"outputs": 192, "batch": 5}), (FP, {"outputs": 512, "batch": 3}),
        (BIN, {"height": 17, "batch": 8}), (BIN, {"height": 32, "width": 32, "batch": 3}),
        (BIN, {"height": 17, "width": 24, "channels": 320, "batch": 6}),
        (BIN, {"height": 32, "width": 32, "outputs": 64, "batch": 3})],
    r.ERROR_ADDRESS: [
        (LOAD_INPUT, {"dma_address": 0x1040}), (LOAD_PARAMS, {"dma_bytes": 0}),
        (LOAD_PARAMS, {"dma_bytes": 64}), (STORE_MAP, {"dma_bytes": 0}),
        (STORE_SUMS, {"dma_bytes": 127}), (STORE_PARAMS, {"dma_address": 1})],
}


@pytest.mark.parametrize("stage, changes", TAKEN)
def test_within_the_limits(stage, changes):
    assert check(replace(stage, **changes), LIMITS) == r.ERROR_NONE


@pytest.mark.parametrize("error, stage, changes", [
    (error, stage, changes) for error, cases in REFUSED.items() for stage, changes in cases])
def test_outside_the_limits(error, stage, changes):
    assert check(replace(stage, **changes), LIMITS) == error


def test_the_size_limit_is_the_devices_own():
    small = replace(LIMITS, batch=2, fmap_rows=408)
    assert check(replace(BIN, batch=1), small) == r.ERROR_NONE
    assert check(replace(BIN, batch=2), small) == r.ERROR_SIZE
    assert check(replace(STORE_MAP, dma_bytes=408 * 64), small) == r.ERROR_NONE
    assert check(replace(STORE_MAP, dma_bytes=410 * 64), small) == r.ERROR_SIZE
    assert check(replace(STORE_SUMS, dma_bytes=384), small) == r.ERROR_SIZE
    assert check(replace(LOAD_INPUT, dma_bytes=2 * 4096 + 128), small) == r.ERROR_SIZE


def test_the_first_error_in_order_is_told():
    wrong = {"source": 7, "batch": 0, "outputs": 1, "height": 32, "width": 32}
    stage = replace(BIN, **wrong)
    for error, mended in ((r.ERROR_BUFFER, {"source": r.FMAP_A}), (r.ERROR_SHAPE, {"batch": 8}),
                          (r.ERROR_SHAPE, {"outputs": 64}), (r.ERROR_SIZE, {"height": 8})):
        assert check(replace(stage, kind=9), LIMITS) == r.ERROR_STAGE
        assert check(stage, LIMITS) == error
        stage = replace(stage, **mended)
    assert check(stage, LIMITS) == r.ERROR_NONE
    stage = replace(STORE_MAP, source=7, dma_bytes=1 << 20 | 4, dma_address=4)
    for error, mended in ((r.ERROR_BUFFER, {"source": r.FMAP_A}), (r.ERROR_SIZE, {"dma_bytes": 4}),
                          (r.ERROR_ADDRESS, {"dma_bytes": 128}),
                          (r.ERROR_ADDRESS, {"dma_address": 128})):
        assert check(stage, LIMITS) == error
        stage = replace(stage, **mended)
    assert check(stage, LIMITS) == r.ERROR_NONE


@pytest.mark.parametrize("stage, words", [
    (replace(FP, outputs=128), 64 + 64), (replace(BIN, channels=128, outputs=64), 32 + 64 * 18),
    (replace(BIN, channels=64, outputs=64), 32 + 64 * 18),
    (replace(BIN, channels=192, outputs=64), 32 + 64 * 36),
    (replace(FC, channels=1024, outputs=64), 32 + 64 * 16),
    (replace(FC, channels=576, outputs=64), 32 + 64 * 16),
    (replace(FC, channels=64, outputs=64), 32 + 64 * 8),
    (replace(FC, height=1, width=3, channels=192, outputs=64), 32 + 64 * 16),
    (replace(LAST, channels=1024, outputs=10), 160), (replace(LAST, channels=64, outputs=10), 80),
    (replace(LAST, channels=64, outputs=5), 48),
    (replace(LAST, channels=1024, outputs=5), 96)])
def test_parameters_fill_whole_bursts(stage, words):
    assert stage.parameter_words == words


def test_an_odd_picture_fills_its_last_word():
    assert replace(FP, height=3, width=3).picture_words == 5
    assert replace(FP, height=4, width=3).picture_words == 6


def test_decoded_from_registers():
    file = RegisterFile({"CAP_LIMITS": 0x0200_40_20, "CAP_FC": 0x08_2000,
                         "CAP_FMAP_ROWS": 2048}, lambda name, value: None)
    assert Limits.from_registers(file) == LIMITS
    for name, value in {"STAGE": 0xF3, "DMA_ADDRESS": 16, "DMA_BYTES": 24, "BUFFERS": 0xF32,
                        "SHAPE": 0x0040_05_04, "OUTPUTS": 128, "MODE": 0xFFFFFF12,
                        "BATCH": 3}.items():
        file.set(name, value)
    assert Stage.from_registers(file) == Stage(
        r.BIN_CONV, r.FMAP_A, r.FMAP_B, 4, 5, 64, 128, r.PAD_NONE, True, 3, 16, 24)
    file.set("STAGE", r.BIN_FC)
    assert Stage.from_registers(file).padding == r.PAD_ZERO
    assert not Stage.from_registers(file).pool
