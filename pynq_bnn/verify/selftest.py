"""Is the accelerator alive and right?  A known answer, the same again, full batches, recovery.

Where a file has no known answer, and for every other picture, the judge is host_ref's float model.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from PIL import Image

from host_ref.floating import FloatModel
from host_ref.parameters import Parameters, known_answer_picture
from pynq_bnn import registers
from pynq_bnn.driver.accelerator import Accelerator
from pynq_bnn.driver.program import Step
from pynq_bnn.errors import DeviceError
from pynq_bnn.images import to_pictures
from pynq_bnn.verify.check import check


@dataclass(frozen=True)
class Finding:
    """One test of the self-test."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class SelfTestReport:
    """All findings; prints as a list with a verdict."""

    device: str
    findings: Tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.passed for finding in self.findings)

    def __str__(self) -> str:
        lines = [f"{'ok  ' if finding.passed else 'FAIL'} {finding.name}: {finding.detail}"
                 for finding in self.findings]
        verdict = "passed" if self.passed else "FAILED"
        return "\n".join([*lines, f"self-test {verdict} on device {self.device}"])

    __repr__ = __str__

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return {"passed": self.passed, **asdict(self)}


def known_answer(parameters: Parameters) -> Tuple[np.ndarray, np.ndarray]:
    """The known-answer picture uint8 (1, H, W, 3) and the sums (1, classes) it must give.

    The sums come with the parameter file, or from host_ref where the file has none.
    """
    network = parameters.network
    picture = known_answer_picture(network.height, network.width)[np.newaxis]
    if parameters.known_answer is not None:
        return picture, np.asarray([parameters.known_answer])
    return picture, FloatModel(parameters).sums(picture)


def require_known_answer(accelerator: Accelerator) -> None:
    """Run the known-answer picture; raise DeviceError if the sums are wrong."""
    picture, expected = known_answer(accelerator.parameters)
    got = accelerator.run(picture).sums
    if not np.array_equal(got, expected):
        raise DeviceError(f"known-answer test failed: sums {got[0].tolist()}, should be "
                          f"{expected[0].tolist()}; python -m pynq_bnn check names the layer. "
                          f"{accelerator.device.hint()}".rstrip())


def self_test(accelerator: Accelerator,
              classify: Optional[Callable[[np.ndarray], Any]] = None) -> SelfTestReport:
    """Run every test; one that fails or raises does not keep the others from running.

    Parameters
    ----------
    classify : callable, optional
        What makes Results of pictures: they are judged too.
    """
    def layers(accelerator: Accelerator) -> str:
        report = check(accelerator, known_answer(accelerator.parameters)[0], classify)
        _expect(report.passed, report.verdict)
        return report.verdict

    findings: List[Finding] = []
    for name, test in (("picture files", _picture_files), ("registers", _registers),
                       ("known answer", _known_answer), ("same picture twice", _twice),
                       ("largest batch", _largest_batch), ("batches in one run", _chain),
                       ("error and recovery", _recovery), ("every layer", layers)):
        if test is _chain and accelerator.run_size == accelerator.batch:
            continue
        if test in (_registers, _recovery) and not hasattr(accelerator, "control"):
            continue  # the processor has neither registers nor programs
        findings.append(_try(name, test, accelerator))
    return SelfTestReport(accelerator.device.name, tuple(findings))


def _try(name: str, test: Callable[[Accelerator], str], accelerator: Accelerator) -> Finding:
    try:
        return Finding(name, True, test(accelerator))
    except Exception as error:
        return Finding(name, False, str(error))


def _expect(right: bool, complaint: str) -> None:
    if not right:
        raise DeviceError(complaint)


def _picture_files(accelerator: Accelerator) -> str:
    """A picture of the network's size comes out of a file and of PIL as it went in."""
    picture = known_answer(accelerator.parameters)[0][0]
    height, width, _ = picture.shape
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    for source in (Image.open(file), picture):
        got = to_pictures(source, height, width)
        _expect(np.array_equal(got, picture[np.newaxis]),
                "a picture's colours or pixels are not what its file holds")
    return f"{height} x {width} pixels come out as they went in"


def _registers(accelerator: Accelerator) -> str:
    """Every bit of a writable register can be 0 and 1."""
    patterns = (0x00000000, 0xFFFFFFFF, 0x55555555, 0xAAAAAAAA)
    with accelerator.device.turn.lock:
        accelerator.take()
        for pattern in patterns:
            accelerator.control.write("DMA_ADDRESS", pattern)
            got = accelerator.control.read("DMA_ADDRESS")
            _expect(got == pattern, f"DMA_ADDRESS: wrote 0x{pattern:08X}, read 0x{got:08X}")
    return f"DMA_ADDRESS holds {len(patterns)} patterns"


def _known_answer(accelerator: Accelerator) -> str:
    require_known_answer(accelerator)
    return "sums as they should be"


def _twice(accelerator: Accelerator) -> str:
    picture, expected = known_answer(accelerator.parameters)
    other = 255 - picture
    first, between, again = (accelerator.run(each).sums for each in (picture, other, picture))
    _expect(np.array_equal(first, again), "the second run of the same picture differs")
    _expect(np.array_equal(again, expected), "both runs give the same wrong sums")
    _expect(np.array_equal(between, FloatModel(accelerator.parameters).sums(other)),
            "the picture between gives wrong sums")
    return "equal, with another picture between"


def _largest_batch(accelerator: Accelerator) -> str:
    return _equal(accelerator, np.arange(accelerator.batch))


def _chain(accelerator: Accelerator) -> str:
    size = accelerator.batch
    # each batch is the one before, one picture on: the reference need not judge them all
    numbers = np.arange(accelerator.run_size)
    return _equal(accelerator, (numbers % size + numbers // size) % max(size, 2))


def _equal(accelerator: Accelerator, shades: np.ndarray) -> str:
    """Run the known answer's picture in so many shades; the same number is the same picture."""
    picture, _ = known_answer(accelerator.parameters)
    each = np.concatenate([picture + np.uint8(17 * n % 256) for n in range(shades.max() + 1)])
    pictures, size = each[shades], len(shades)
    expected = FloatModel(accelerator.parameters).sums(each)[shades]
    got = accelerator.run(pictures).sums
    wrong = np.flatnonzero((got != expected).any(axis=1))
    _expect(not len(wrong), f"pictures {wrong.tolist()} of {size} differ from the reference")
    return f"{size} pictures equal the reference"


def _recovery(accelerator: Accelerator) -> str:
    unknown = (1 << registers.BY_NAME["STAGE"].field("KIND").width) - 1
    try:
        with accelerator.device.turn.lock:
            accelerator.take()
            accelerator.control.run_stage([Step("STAGE", unknown, "self-test")])
    except DeviceError as error:
        _expect("error STAGE" in str(error), f"an unknown stage ({unknown}): {error}")
        require_known_answer(accelerator)
        return "an unknown stage is refused, and the next run is right"
    raise DeviceError(f"an unknown stage ({unknown}) was not refused")
