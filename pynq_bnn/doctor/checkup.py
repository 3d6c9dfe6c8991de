"""All checks in the order in which one rests on the other."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Optional

from overlays.boards import HP_PORTS
from pynq_bnn.devices.board.zynq import describe_ports
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.doctor import host, xadc
from pynq_bnn.doctor.findings import Amiss, Diagnosis, Untried, look
from pynq_bnn.driver.accelerator import Accelerator
from pynq_bnn.driver.capabilities import identify
from pynq_bnn.errors import BusyError
from pynq_bnn.networks import load_parameters
from pynq_bnn.verify.loopback import loopback
from pynq_bnn.verify.selftest import require_known_answer


def diagnose() -> Diagnosis:
    """Look at everything; on a board this loads the bitstream anew, as opening it does.

    Returns
    -------
    Diagnosis
        Prints as a list; nothing stays open.
    """
    fabric = _Fabric()
    try:
        return look([
            *host.checks(),
            ("fabric", fabric.load), ("first contact", fabric.contact),
            ("identity", fabric.identity), ("overlay and package", fabric.belonging),
            ("clock", fabric.clock), ("memory ports", fabric.ports),
            ("known answer", fabric.answer), ("temperature and voltages", _xadc),
            ("model", _model)])
    finally:
        fabric.close()


class _Fabric:
    """What is loaded, once the first check has loaded it."""

    def __init__(self) -> None:
        self._overlay: Optional[Any] = None

    @property
    def overlay(self) -> Any:
        host.board_here()
        if self._overlay is None:
            raise Untried("nothing is loaded: see above")
        return self._overlay

    def load(self) -> str:
        host.board_here()
        try:
            from pynq_bnn.devices.board.overlay import BnnOverlay
        except ImportError as error:
            raise Amiss(f"Python can't import pynq: {error}") from error
        try:
            self._overlay = BnnOverlay()
        except BusyError as error:
            raise Untried(str(error)) from error
        return f"loaded {self._overlay.bitfile_name}"

    def contact(self) -> str:
        contact = self.overlay.contact
        if contact is None:
            raise Untried("it was left out")
        tried = ", ".join(f"{mhz:.4g} MHz {outcome}" for mhz, outcome in contact.tried)
        if contact.tried[-1][1] != "passed":
            raise Amiss(f"{tried}: {contact.clock_mhz:.4g} MHz is kept, and right; check the power "
                        "supply, and tell us")
        return f"{contact.wires}; {tried}"

    def identity(self) -> str:
        limits = identify(self.overlay.driver.mmio)
        return (f"build {limits.build:08x}, batches of {limits.batch}, "
                f"{limits.ports} memory ports")

    def belonging(self) -> str:
        path = host.packaged_bitstream(host.board_here()).with_name("report.json")
        try:
            built = json.loads(path.read_text(encoding="utf-8"))["gateware"]["build"]
        except (OSError, ValueError, KeyError) as error:
            raise Untried(f"{path} can't be read: {error}") from error
        answers = f"0x{identify(self.overlay.driver.mmio).build:08x}"
        if int(built, 16) != int(answers, 16):
            raise Amiss(f"the fabric answers build {answers}, {path} says {built}: another "
                        "release's file is there; install the package again")
        return f"both of build {answers}"

    def clock(self) -> str:
        tree = self.overlay.driver.clock_tree
        board = host.board_here()
        said = (f"PS_CLK {board.ps_clk_mhz:.4g} MHz, {tree.source} {tree.pll_mhz:.5g} MHz / "
                f"({tree.divisors[0]} * {tree.divisors[1]}) = {tree.mhz:.4g} MHz")
        shipped = self.overlay.clock_dict[0]
        timed_mhz = board.divided(shipped["divisor0"], shipped["divisor1"]).fclk0_mhz
        if tree.mhz > timed_mhz * 1.001:
            raise Amiss(f"{said}: the bitstream was timed for {timed_mhz:.4g} MHz")
        return said

    def ports(self) -> str:
        driver = self.overlay.driver
        count = identify(driver.mmio).ports
        return describe_ports(driver.widen_ports(HP_PORTS[:count]))

    def answer(self) -> str:
        return _answer(self.overlay.as_device())

    def close(self) -> None:
        overlay, self._overlay = self._overlay, None
        if overlay is not None:
            with suppress(Exception):
                overlay.free()


def _answer(device: Any) -> str:
    with Accelerator(device) as accelerator:
        accelerator.load(load_parameters())
        require_known_answer(accelerator)
    return "the shipped network gives the sums that its file says"


def _xadc() -> str:
    host.board_here()
    found = xadc.read()
    if not found:
        raise Untried(f"no XADC in {xadc.IIO}")
    said = ", ".join(f"{value:.1f} °C" if name == "temperature" else f"{name} {value:.3f} V"
                     for name, value in found.items())
    beyond = xadc.outside(found)
    if beyond:
        wanted = ", ".join(f"{name} {limits}" for name, limits in beyond.items())
        raise Amiss(f"{said}: wanted {wanted}; feed the board from its barrel jack, cool it")
    return said


def _model() -> str:
    with ModelDevice() as device:
        with Accelerator(device) as accelerator:
            said = loopback(accelerator)
        return f"{said}; {_answer(device)}"
