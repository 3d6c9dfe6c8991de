"""What synthesis made, or what a bitstream configures, under the driver in place of the RTL.

The slow tests want such a circuit: BNN_CIRCUIT names the file that
``python -m overlays.simulation`` or ``python -m overlays.bitstream.recover`` wrote.
"""

import os

import pytest

pytest.importorskip("amaranth", reason="the proof's modules name the gateware: pip install .[rtl]")

from overlays.bitstream.proof import random_work
from overlays.gateware.config import SMALL
from overlays.simulation import circuit_file
from overlays.simulation.circuit import ONE, ZERO, Circuit, FlipFlop, Port
from pynq_bnn import Accelerator
from pynq_bnn.devices.netlist import NetlistDevice
from pynq_bnn.devices.rtl import RtlDevice
from pynq_bnn.errors import DeviceError
from pynq_bnn.verify.check import check

CIRCUIT = os.environ.get("BNN_CIRCUIT", "")
TIMEOUT_S = 1200


def constant(name, value, width):
    return Port(name, False, tuple(ONE if value >> place & 1 else ZERO for place in range(width)))


def test_a_circuit_stands_where_the_gateware_does(tmp_path):
    """All registers are one, which holds what was written last; AXI's answers are always there."""
    written, taken = [f"d{bit}" for bit in range(32)], ["valid"]
    circuit = Circuit(
        flip_flops=[FlipFlop(f"f{bit}", f"d{bit}", "valid", ZERO, 0, 0, f"q{bit}")
                    for bit in range(32)],
        ports=[Port("gp__wdata", True, tuple(written)), Port("gp__wvalid", True, tuple(taken)),
               Port("gp__rdata", False, tuple(f"q{bit}" for bit in range(32))),
               constant("gp__rid", 0x123, 12), constant("gp__bid", 0x456, 12),
               *(constant(f"gp__{name}", 1, 1) for name in
                 ("arready", "rvalid", "awready", "wready", "bvalid"))])
    circuit_file.write(circuit, tmp_path / "circuit")
    with NetlistDevice(tmp_path / "circuit") as device, \
            NetlistDevice(tmp_path / "circuit") as other:
        device.mmio.write(0, 0xCAFE1234)
        other.mmio.write(8, 3)
        assert device.mmio.read(4) == 0xCAFE1234
        assert other.mmio.read(0) == 3
        assert str(tmp_path) in device.describe()["simulates"]


def test_no_circuit(tmp_path):
    with pytest.raises(DeviceError, match="nothing: the circuit's file can't be read"):
        NetlistDevice(tmp_path / "nothing")


@pytest.fixture(scope="module")
def netlist():
    if not CIRCUIT:
        pytest.skip("BNN_CIRCUIT names no circuit")
    with NetlistDevice(CIRCUIT) as device:
        yield device


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_random_networks_bit_by_bit_and_cycle_by_cycle(netlist, seed):
    with Accelerator(netlist, TIMEOUT_S) as accelerator:
        (pictures,) = random_work(accelerator, [seed])
        parameters = accelerator.parameters
        report = check(accelerator, pictures)
        assert report.passed, report.verdict
        cycles = accelerator.run(pictures[:1]).cycles
        is_small = accelerator.capabilities.lanes == SMALL.lanes
    with RtlDevice(small=is_small) as rtl, Accelerator(rtl, TIMEOUT_S) as accelerator:
        accelerator.load(parameters)
        assert accelerator.run(pictures[:1]).cycles == cycles
