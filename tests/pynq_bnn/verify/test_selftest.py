import json
from dataclasses import replace

import numpy as np
import pytest

from host_ref.integer import IntegerModel, known_answer
from host_ref.parameters import known_answer_picture
from pynq_bnn import registers
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.driver import packing
from pynq_bnn.driver.accelerator import Accelerator
from pynq_bnn.driver.chain import BATCHES_MAX
from pynq_bnn.errors import DeviceError
from pynq_bnn.verify import selftest

NAMES = ["picture files", "registers", "known answer", "same picture twice", "largest batch",
         "batches in one run", "error and recovery", "every layer"]
STAGE = registers.offset("STAGE")


class Odd:
    """An mmio with a fault between driver and device; each test overrides what is odd."""

    def __init__(self, device):
        self.device, self.mmio = device, device.mmio

    def read(self, offset):
        return self.mmio.read(offset)

    def write(self, offset, value):
        self.mmio.write(offset, value)


def run(device, parameters, break_it=lambda: None):
    """The self-test's findings by name, on a device that breaks after loading."""
    with Accelerator(device, 0.05) as accelerator:
        accelerator.load(parameters)
        break_it()
        report = selftest.self_test(accelerator)
    assert [finding.name for finding in report.findings] == NAMES
    return report, {finding.name: finding for finding in report.findings}


def failing(report):
    return [finding.name for finding in report.findings if not finding.passed]


@pytest.mark.parametrize("batch", [1, 4, 20])
def test_a_good_device_passes(parameters, batch):
    report, found = run(ModelDevice(batch=batch, dram=Dram(8 << 20)), parameters)
    assert report.passed, str(report)
    assert found["largest batch"].detail == f"{batch} pictures equal the reference"
    assert found["batches in one run"].detail == (
        f"{BATCHES_MAX * batch} pictures equal the reference")
    assert found["every layer"].detail.startswith("PASS")


def test_the_known_answer_of_the_file_is_what_counts(device, parameters):
    right = known_answer(parameters)
    report, _ = run(device, replace(parameters, known_answer=right))
    assert report.passed
    report, found = run(device, replace(parameters, known_answer=[*right[:-1], right[-1] - 2]))
    assert failing(report) == ["known answer", "same picture twice", "error and recovery"]
    assert str(right) in found["known answer"].detail
    assert found["same picture twice"].detail == "both runs give the same wrong sums"


def test_a_stuck_register_bit(device, parameters):
    class Stuck(Odd):
        def read(self, offset):
            value = self.mmio.read(offset)
            return value & ~0x10 if offset == registers.offset("DMA_ADDRESS") else value

    device.mmio = Stuck(device)
    report, found = run(device, parameters)
    assert failing(report) == ["registers"]
    assert found["registers"].detail == "DMA_ADDRESS: wrote 0xFFFFFFFF, read 0xFFFFFFEF"


def test_a_flipped_weight(device, parameters, flip_weight):
    report, found = run(device, parameters, lambda: flip_weight(device, parameters, 4, (2, 5)))
    assert failing(report) == NAMES[2:]
    assert found["largest batch"].detail == (
        "pictures [0, 1, 2, 3] of 4 differ from the reference")
    assert "FAIL: last differs first, at image 0, class 2" in found["every layer"].detail


def test_a_device_that_changes_its_mind(device, parameters, in_dram):
    """A weight flips to and fro, run after run: from the third run on it is wrong every second."""
    words = packing.pack_parameters(parameters).words
    address = []

    class Fickle(Odd):
        runs = 0

        def write(self, offset, value):
            if offset == registers.offset("CONTROL") and value == 1:
                self.runs += 1
                if self.runs > 3:
                    self.device.dram.flip_bit(address[0], 0)
            self.mmio.write(offset, value)

    device.mmio = Fickle(device)
    spans = packing.pack_parameters(parameters).spans
    report, found = run(device, parameters, lambda: address.append(
        in_dram(device, words) + 8 * spans[4].start))
    assert "same picture twice" in failing(report)
    assert "known answer" not in failing(report)
    assert found["same picture twice"].detail == "the second run of the same picture differs"


def test_pictures_that_never_reach_the_device(device, parameters, monkeypatch):
    """The known answer's picture lies there since loading, but every other one is seen too late."""
    with Accelerator(device) as accelerator:
        accelerator.load(parameters)
        selftest.require_known_answer(accelerator)
        monkeypatch.setattr("pynq_bnn.devices.simulated.buffer.Buffer.flush", lambda buffer: None)
        report = selftest.self_test(accelerator)
    found = {finding.name: finding for finding in report.findings}
    assert found["known answer"].passed
    assert found["same picture twice"].detail == "the picture between gives wrong sums"
    assert not found["largest batch"].passed


def test_a_fault_that_only_a_batch_meets(device, parameters):
    picture = (known_answer_picture(8, 10) + np.uint8(3 * 17))[np.newaxis]
    model = IntegerModel(parameters)
    maps = model.run(picture)

    def moves_a_sum(bit):
        output = maps[1].copy()
        output[0, 0, 0, bit] ^= 1
        for layer in (2, 3, 4):
            output = model.layer_output(layer, output)
        return (output != maps[4]).any()

    bit = next(bit for bit in range(128) if moves_a_sum(bit))
    right = int(maps[1][0, 0, 0, bit])
    # conv2's map, 4 x 5 pixels of 128 bits, has 5 rows, and no single picture needs more of B
    report, found = run(device, parameters, lambda: device.stick(
        registers.FMAP_B, 3 * 5, bit, 1 - right))
    assert failing(report) == ["largest batch", "batches in one run"]
    assert found["largest batch"].detail == "pictures [3] of 4 differ from the reference"


def test_an_unknown_stage_that_is_not_refused(device, parameters):
    class Lenient(Odd):
        def write(self, offset, value):
            if offset != STAGE or 1 <= value <= 6:
                self.mmio.write(offset, value)

    device.mmio = Lenient(device)
    report, found = run(device, parameters)
    assert failing(report) == ["error and recovery"]
    assert found["error and recovery"].detail == "an unknown stage (15) was not refused"


def test_an_unknown_stage_that_hangs_the_device_is_not_refused(device, parameters):
    class Hanging(Odd):
        def write(self, offset, value):
            if offset == STAGE and value == 15:
                self.device.hang()
            self.mmio.write(offset, value)

    device.mmio = Hanging(device)
    report, found = run(device, parameters)
    assert failing(report) == ["error and recovery"]
    assert "an unknown stage (15): the accelerator did not finish" in (
        found["error and recovery"].detail)


def test_a_device_that_does_not_recover(device, parameters):
    class Wedged(Odd):
        wedged = False

        def write(self, offset, value):
            self.wedged |= offset == STAGE and value == 15
            if not self.wedged:
                self.mmio.write(offset, value)

        def read(self, offset):
            if self.wedged and offset == registers.offset("STATUS"):
                return 1
            return self.mmio.read(offset)

    device.mmio = Wedged(device)
    report, _ = run(device, parameters)
    assert failing(report) == ["error and recovery", "every layer"]


def test_a_stuck_bit_of_a_map(device, parameters):
    maps = IntegerModel(parameters).run(known_answer_picture(8, 10)[np.newaxis])
    right = int(maps[0][0, 0, 1, 9])
    report, found = run(device, parameters, lambda: device.stick(
        registers.FMAP_A, 0, 128 + 9, 1 - right))
    assert "every layer" in failing(report)
    assert "conv1 differs first, at image 0, row 0, column 1, channel 9" in (
        found["every layer"].detail)


def test_a_memory_that_fails_leaves_no_test_out(device, parameters):
    report, found = run(device, parameters, lambda: device.dram.fail(
        device.dram.base, device.dram.size_bytes // 8))
    assert failing(report) == NAMES[2:]
    assert "error READ" in found["known answer"].detail


def test_a_bus_that_fails_leaves_no_test_out(device, parameters):
    class Gone(Odd):
        gone = False

        def read(self, offset):
            if self.gone:
                raise OSError("bus error")
            return self.mmio.read(offset)

    device.mmio = Gone(device)
    report, found = run(device, parameters, lambda: setattr(device.mmio, "gone", True))
    assert failing(report) == NAMES[1:]
    assert {finding.detail for finding in report.findings[1:]} == {"bus error"}


def test_require_known_answer_shows_both_sums(device, parameters):
    right = known_answer(parameters)
    wrong = [right[0] + 2, *right[1:]]
    with Accelerator(device) as accelerator:
        accelerator.load(replace(parameters, known_answer=right))
        selftest.require_known_answer(accelerator)
        accelerator.load(replace(parameters, known_answer=wrong))
        with pytest.raises(DeviceError, match="known-answer test failed") as caught:
            selftest.require_known_answer(accelerator)
    assert str(right) in str(caught.value)
    assert str(wrong) in str(caught.value)


def test_a_report_for_people_and_for_programs(device, parameters):
    report, _ = run(device, parameters)
    lines = str(report).splitlines()
    assert lines[0] == "ok   picture files: 8 x 10 pixels come out as they went in"
    assert lines[1] == "ok   registers: DMA_ADDRESS holds 4 patterns"
    assert lines[-1] == "self-test passed on device model"
    again = json.loads(json.dumps(report.to_dict()))
    assert again["passed"] is True
    assert [finding["name"] for finding in again["findings"]] == NAMES
    bad = replace(report, findings=(*report.findings, selftest.Finding("x", False, "why")))
    assert str(bad).splitlines()[-2:] == ["FAIL x: why", "self-test FAILED on device model"]
