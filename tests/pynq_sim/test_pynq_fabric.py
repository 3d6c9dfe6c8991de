"""What is in the fabric, who may use it, and that the ports are wide, with the real PYNQ."""

import gc
import hashlib
import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from host_ref.integer import IntegerModel
from pynq_bnn import Classifier, registers
from pynq_bnn.errors import BusyError, ClosedError, DeviceError, OverlayError

pynq = pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")
pytestmark = pytest.mark.pynq


@pytest.fixture
def load(make_zynq, make_bitstream):
    from pynq_bnn.devices.board.overlay import BnnOverlay

    def load(**model):
        zynq = make_zynq("Pynq-Z1", **model)
        return zynq, BnnOverlay(make_bitstream())

    return load


@pytest.fixture
def foreign(make_bitstream):
    """Download a design that is not ours, over whatever is loaded."""
    def download():
        handoff = make_bitstream.handoff("Pynq-Z1").replace(registers.VLNV, "a.org:user:fir:2.0")
        return pynq.Overlay(str(make_bitstream("Pynq-Z1", file="foreign.bit", handoff=handoff)))

    return download


def test_nothing_is_said_to_a_foreign_design(load, foreign, parameters, pictures):
    zynq, overlay = load(batch=4)
    classifier = Classifier(parameters, overlay)
    path = Path(overlay.bitfile_name)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    # batch by batch, of which the third has not been started when the other design comes
    under_way = [classifier.stream(list(pictures)),
                 classifier.accelerator.step_through(pictures[:1])]
    for each in under_way:
        next(each)
    foreign()
    accesses, free = zynq.model.mmio.accesses, zynq.model.dram.free_bytes
    for use in (lambda: classifier.classify(pictures), lambda: classifier.scores(pictures),
                lambda: classifier.check(pictures), *(partial(list, each) for each in under_way),
                lambda: classifier.accelerator.load(parameters), overlay.as_device,
                lambda: overlay.classify(pictures[0])):
        with pytest.raises(OverlayError, match="no longer in the fabric: another bitstream"):
            use()
    assert not classifier.selftest().passed
    info = classifier.info()["device"]
    assert info["bitstream"] == str(path)
    assert info["bitstream_sha256"] == sha
    assert "not loaded: another bitstream was" in repr(overlay)
    del under_way, each
    classifier.close()
    overlay.free()
    gc.collect()
    assert zynq.model.mmio.accesses == accesses, "not one access to the foreign design"
    assert zynq.model.dram.free_bytes > free, "the memory came back all the same"


def test_loaded_again_it_works_again(load, foreign, make_bitstream, parameters, pictures):
    from pynq_bnn.devices.board.overlay import BnnOverlay

    _, overlay = load(batch=4)
    first = Classifier(parameters, overlay)
    foreign()
    again = BnnOverlay(make_bitstream())
    with Classifier(parameters, again) as classifier:
        assert np.array_equal(classifier.classify(pictures).indices,
                              IntegerModel(parameters).classify(pictures))
    with pytest.raises(OverlayError, match="no longer in the fabric"):
        first.classify(pictures[0])
    first.close()


# download=False

def test_an_empty_fabric_is_not_touched(make_zynq, make_bitstream):
    from pynq_bnn.devices.board.overlay import BnnOverlay

    zynq = make_zynq("Pynq-Z1")
    with pytest.raises(OverlayError, match="is not loaded.*hangs the chip.*download=False"):
        BnnOverlay(make_bitstream(), download=False)
    assert zynq.downloads == []


def test_download_false_takes_what_is_loaded(load, make_bitstream, parameters, pictures):
    from pynq_bnn.devices.board.overlay import BnnOverlay

    zynq, first = load(batch=4)
    again = BnnOverlay(first.bitfile_name, download=False)
    assert len(zynq.downloads) == 1
    with Classifier(parameters, again) as classifier:
        assert classifier.check(pictures[:2]).passed
    with pytest.raises(OverlayError, match="is not loaded"):
        BnnOverlay(make_bitstream(file="another.bit"), download=False)


def test_download_false_after_a_foreign_design(load, foreign):
    from pynq_bnn.devices.board.overlay import BnnOverlay

    _, overlay = load()
    foreign()
    with pytest.raises(OverlayError, match="is not loaded"):
        BnnOverlay(overlay.bitfile_name, download=False)


def test_what_another_process_loaded_counts_too(make_zynq, make_bitstream, monkeypatch, parameters,
                                                pictures):
    """PYNQ writes down what was downloaded; here as if by another process."""
    from pynq_bnn.devices.board import overlay as module

    zynq = make_zynq("Pynq-Z1", batch=4)
    path = make_bitstream()
    known = SimpleNamespace(bitfile_hash=hashlib.sha1(path.read_bytes()).hexdigest())
    monkeypatch.setattr(module, "_state", lambda: known)
    zynq.downloads.append("by another process")
    with Classifier(parameters, module.BnnOverlay(path, download=False)) as classifier:
        assert classifier.check(pictures[:1]).passed
    known.bitfile_hash = "of something else"
    with pytest.raises(OverlayError, match="is not loaded"):
        module.BnnOverlay(path, download=False)


def test_a_download_by_another_process_is_seen(load, monkeypatch, tmp_path, parameters, pictures):
    from pynq_bnn.devices.board import overlay as module

    state = tmp_path / "state.json"
    state.write_text("{}")
    monkeypatch.setattr(module, "_state_file", lambda: str(state))
    _, overlay = load(batch=4)
    with Classifier(parameters, overlay) as classifier:
        classifier.classify(pictures)
        os.utime(str(state), ns=(1, 1))
        with pytest.raises(OverlayError, match="no longer in the fabric"):
            classifier.classify(pictures)


# Before a download.

def test_a_running_accelerator_is_stopped_before_a_download(load, make_bitstream, parameters,
                                                            pictures):
    from pynq_bnn.devices.board.overlay import BnnOverlay

    zynq, overlay = load(batch=4)
    classifier = Classifier(parameters, overlay, timeout_s=0.2)
    zynq.model.hang()
    started = classifier.accelerator.start(pictures[:2])
    assert zynq.model.registers.fields("STATUS")["BUSY"] == 1
    BnnOverlay(make_bitstream())
    assert zynq.busy_at_download == [0, 0]
    with pytest.raises(DeviceError, match="did not finish"):
        classifier.accelerator.finish(started)
    classifier.close()


# Memory ports.

def test_ports_are_widened_before_the_first_transfer(load, parameters, pictures):
    zynq, overlay = load(batch=4)
    assert zynq.afi[0x0000] & 1, "the boot image left them narrow"
    with Classifier(parameters, overlay) as classifier:
        assert [zynq.afi[place] & 1 for place in (0x0000, 0x0014, 0x2000, 0x2014)] == [0] * 4
        assert zynq.afi[0x1000] & 1, "a port that we don't use is left alone"
        assert classifier.check(pictures).passed
        ports = classifier.info()["device"]["memory_ports"]
    assert ports["HP0"] == "64 bit (read was 32, write was 32 at boot)"
    assert set(ports) == {"HP0", "HP2"}


def test_a_port_that_stays_narrow_is_refused(load, parameters):
    zynq, overlay = load()
    zynq.stuck_narrow = True
    with pytest.raises(DeviceError, match="HP0 stays in 32-bit mode.*0xF8008000"):
        Classifier(parameters, overlay)


def test_narrow_ports_would_be_noticed_anyway(load, parameters):
    zynq, overlay = load()
    device = overlay.as_device()
    zynq.afi[0x0000] |= 1
    with pytest.raises(DeviceError, match="read back wrong.*memory ports: HP0 64 bit"):
        Classifier(parameters, device)


# Processes.

def test_a_second_process_is_refused(load, parameters, monkeypatch, tmp_path):
    import subprocess
    import sys

    from pynq_bnn.devices.board import ownership

    monkeypatch.setattr(ownership, "LOCK", tmp_path / "lock")
    code = ("import sys, pathlib; from pynq_bnn.devices.board import ownership as o; "
            "o.LOCK = pathlib.Path(sys.argv[1]); o.Claim(o)")

    def other():
        return subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock")], text=True,
                              stderr=subprocess.PIPE, timeout=60).stderr

    _, overlay = load()
    assert f"in use by process {os.getpid()}" in other()
    with Classifier(parameters, overlay) as classifier:
        assert "in use" in other()
    assert "in use" in other(), "the overlay still has it"
    overlay.free()
    assert other() == ""
    with pytest.raises(ClosedError):
        classifier.classify(np.zeros((8, 10, 3), np.uint8))


def test_a_fork_is_refused_and_leaves_its_parent_alone(load, parameters, pictures):
    zynq, overlay = load(batch=4)
    classifier = Classifier(parameters, overlay)
    child = os.fork()
    if not child:
        code = 1
        try:
            accesses = zynq.model.mmio.accesses
            free = zynq.model.dram.free_bytes
            try:
                classifier.classify(pictures[0])
            except BusyError as error:
                classifier.close()
                same = (zynq.model.mmio.accesses, zynq.model.dram.free_bytes) == (accesses, free)
                code = 0 if same and "is a fork" in str(error) else 3
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert classifier.check(pictures[:1]).passed
    classifier.close()
