"""The proof's bookkeeping, with devices of other kinds in the circuits' place."""

import json

import pytest

pytest.importorskip("amaranth", reason="the proof's modules name the gateware: pip install .[rtl]")
from overlays.bitstream import proof
from overlays.bitstream.proof import (
    PICTURE,
    ProofError,
    chain,
    one_picture,
    prove,
    random_work,
    run,
    stream,
)
from overlays.simulation.circuit import Circuit
from pynq_bnn import Accelerator
from pynq_bnn.devices.model import ModelDevice, sequencer
from pynq_bnn.networks import load_parameters
from pynq_bnn.registers import BIN_FC, FP_CONV


def test_random_networks_are_compared_bit_by_bit():
    result = run(ModelDevice(), lambda accelerator: random_work(accelerator, range(2)))
    assert result["networks"] == 2
    assert result["bits_differing"] == 0
    assert result["pictures"] > 2
    assert result["bits_compared"] > 10_000


def test_a_real_picture_goes_through_all_layers():
    parameters = load_parameters()
    result = run(ModelDevice(), lambda accelerator: one_picture(accelerator, parameters, PICTURE))
    assert (result["networks"], result["pictures"]) == (1, 1)
    assert result["bits_compared"] > 289_000
    assert result["stream"] == {"batches": 4, "sums_compared": 4 * 8 * 10, "sums_differing": 0}
    assert result["chain"] == {"batches": 4, "runs": 2, "sums_compared": 2 * 4 * 8 * 10,
                               "sums_differing": 0}


def spoil(monkeypatch, kind, number):
    """Let the model's stage of this kind and number, from 0, give wrong bits."""
    compute, seen = sequencer.compute, []

    def wrong(stage, source, parameters):
        result = compute(stage, source, parameters)
        if stage.kind == kind:
            seen.append(stage)
            if len(seen) == number + 1:
                return result ^ 1
        return result

    monkeypatch.setattr(sequencer, "compute", wrong)


def test_a_wrong_sum_in_a_chain_ends_it(monkeypatch):
    spoil(monkeypatch, BIN_FC, 2)  # beside the second batch's conv2
    with Accelerator(ModelDevice(batch=2)) as accelerator, pytest.raises(
            ProofError, match=r"run 0 of a chain: \d+ of 80 sums differ"):
        chain(accelerator)


def test_batches_one_by_one_prove_no_chain(monkeypatch):
    monkeypatch.setattr("pynq_bnn.driver.chain.BATCHES_MAX", 1)
    with Accelerator(ModelDevice(batch=2)) as accelerator, pytest.raises(
            ProofError, match="one batch at a time"):
        chain(accelerator)


def test_a_wrong_sum_in_a_stream_ends_it(monkeypatch):
    spoil(monkeypatch, FP_CONV, 2)  # a first layer beside the one before
    with Accelerator(ModelDevice(batch=2)) as accelerator, pytest.raises(
            ProofError, match=r"batch 2 of a stream: \d+ of 20 sums differ"):
        stream(accelerator)


def test_a_stream_that_does_not_overlap_proves_nothing(monkeypatch):
    monkeypatch.setattr("pynq_bnn.driver.program.can_follow", lambda *_: False)
    with Accelerator(ModelDevice(batch=2)) as accelerator, pytest.raises(
            ProofError, match="batch 1 of a stream: its first layer was not computed ahead"):
        stream(accelerator)


def test_a_wrong_bit_ends_it_and_is_named(monkeypatch):
    parameters = load_parameters()

    def damaged(accelerator):
        yield from one_picture(accelerator, parameters, PICTURE)

    real = proof.check

    def flipped(accelerator, images):
        weights = accelerator.parameters.layers[3].weights
        weights[0] ^= 1  # the judge's, after the device has its own
        return real(accelerator, images)

    monkeypatch.setattr(proof, "check", flipped)
    with pytest.raises(ProofError, match="conv4 differs first"):
        run(ModelDevice(), damaged)


class FakeBuild:
    def __init__(self, folder):
        self.folder, self.tools = folder, type("Tools", (), {"chipdb": "", "database": ""})

    def netlist(self):
        path = self.folder / "zynq.json"
        path.write_text("{}")
        return path


def test_what_is_proved_already_is_not_run_again(monkeypatch, tmp_path):
    runs = []
    monkeypatch.setattr(proof, "read_circuit", lambda path: Circuit())
    monkeypatch.setattr(proof, "from_file", lambda *paths: type(
        "Recovered", (), {"circuit": Circuit(), "switches": 3}))
    monkeypatch.setattr(proof, "NetlistDevice", lambda path: ModelDevice())
    monkeypatch.setattr(proof, "run", lambda device, work: runs.append(device) or {"cycles": 1})
    bit = tmp_path / "bnn.bit"
    bit.write_bytes(b"bits")
    first = prove(FakeBuild(tmp_path), bit, None)
    assert len(runs) == 2
    assert first["recovered"]["switches"] == 3
    assert json.dumps(prove(FakeBuild(tmp_path), bit, None, first)) == json.dumps(first)
    assert len(runs) == 2
    bit.write_bytes(b"other bits")
    prove(FakeBuild(tmp_path), bit, None, first)
    assert len(runs) == 3
