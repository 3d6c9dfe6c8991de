"""The steps from gateware to a board's files, each done once for what it is made from.

Verilog, netlist and routing serve every board, since the design has no pins; only the .bit and the
.hwh are a board's own.  All are kept in a folder named by the gateware's hash, and within it by
the placer's settings, so a build that was interrupted goes on where it stopped, and none takes an
old step's result for a new one's.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List

from overlays.bitstream import hold
from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.gate import require_safe
from overlays.bitstream.netlist import Netlist
from overlays.bitstream.netlist import read as read_netlist
from overlays.bitstream.tools import Tools
from overlays.gateware.config import Config
from overlays.gateware.verilog import convert_zynq, source_hash

log = logging.getLogger(__name__)

GATEWARE = Path(__file__).parents[1] / "gateware"
SCRIPT, BLOCK_RAMS = GATEWARE / "synth.ys", GATEWARE / "block_rams.txt"
STEP_TIMEOUT_S = 6 * 3600
TOP = "zynq"


@dataclass(frozen=True)
class Settings:
    """What place and route is asked for."""

    target_mhz: float = 125.0
    """What the placer and router try for: more than the clock that ships, as they leave out half of
    the delays (:mod:`overlays.bitstream.timing` has them)."""
    seed: int = 1
    timing_weight: int = 30
    """How much more the placer's analytic part minds critical nets than others; nextpnr's own is
    10, which leaves control signals that cross the chip."""

    @property
    def name(self) -> str:
        """Of the folder with what they led to."""
        return f"{self.target_mhz:g}MHz-weight{self.timing_weight}-seed{self.seed}"

    def written_into(self, netlist: Path, target: Path, top: str) -> None:
        """Copy `netlist` with those settings that the placer has no option for.

        It takes them from the top module's "settings", as its own ``--write`` leaves them.
        """
        document = json.loads(netlist.read_text(encoding="utf-8"))
        document["modules"][top]["settings"] = {"placerHeap/timingWeight": self.timing_weight}
        target.write_text(json.dumps(document), encoding="utf-8")


@dataclass
class Build:
    """One design on its way: call the steps in their order.

    Attributes
    ----------
    seconds : dict of str to float
        Wall clock of the steps that were done now, not found done.
    """

    config: Config
    tools: Tools
    settings: Settings
    root: Path
    seconds: Dict[str, float] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 of all that the netlist is made from."""
        digest = hashlib.sha256(source_hash(self.config).encode())
        for path in (SCRIPT, BLOCK_RAMS, Path(hold.__file__)):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    @property
    def folder(self) -> Path:
        """Where the steps up to the netlist leave their files."""
        path = self.root / self.hash[:12]
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def routing(self) -> Path:
        """Where place and route leave theirs."""
        path = self.folder / self.settings.name
        path.mkdir(exist_ok=True)
        return path

    def verilog(self) -> Path:
        """The design in Verilog."""
        return self._made(self.folder / "zynq.v",
                          lambda path: path.write_text(convert_zynq(self.config)))

    def synthesized(self) -> Path:
        """The netlist as yosys leaves it."""
        source = self.verilog()

        def synthesize(path: Path) -> None:
            script = SCRIPT.read_text()
            for old, new in (("build/zynq.v", source), ("build/zynq.json", path),
                             ("overlays/gateware/block_rams.txt", BLOCK_RAMS)):
                if old not in script:
                    raise BitstreamError(f"{SCRIPT.name} does not name {old}")
                script = script.replace(old, str(new))
            own = self.folder / "synth.ys"
            own.write_text(script)
            self._run(self.folder, "yosys", [self.tools.yosys, "-q", "-s", str(own)])

        return self._made(self.folder / "synthesized.json", synthesize)

    def netlist(self) -> Path:
        """What is placed: hold is seen to (:mod:`overlays.bitstream.hold`), and the tools get it
        right (:mod:`overlays.bitstream.gate`).
        """
        source = self.synthesized()
        netlist = self._made(self.folder / "zynq.json", lambda path: log.info(
            "%d LUTs for hold", hold.delay_write_addresses(source, path, TOP)))
        require_safe(read_netlist(netlist, TOP))
        return netlist

    def cells(self) -> Netlist:
        """What the netlist holds."""
        return read_netlist(self.netlist(), TOP)

    def features(self) -> Path:
        """The placed and routed design as features, for the bitstream."""
        self.routed()
        return self.routing / "zynq.fasm"

    def routed(self) -> Path:
        """The same with its cells' places and its nets' routes, for the timing analysis."""
        netlist, settings = self.netlist(), self.settings

        def route(path: Path) -> None:
            constraints, features = self.routing / "no_pins.xdc", self.routing / "zynq.fasm"
            constraints.write_text("")
            design = self.routing / "zynq.json"
            settings.written_into(netlist, design, TOP)
            self._run(self.routing, "nextpnr", [
                self.tools.nextpnr, "--chipdb", str(self.tools.chipdb), "--xdc", str(constraints),
                "--json", str(design), "--fasm", str(features), "--write", str(path),
                "--freq", f"{settings.target_mhz:g}", "--seed", str(settings.seed),
                "--router", "router2", "--timing-allow-fail"])

        return self._made(self.routing / "routed.json", route)

    def _made(self, path: Path, make: Callable[[Path], object]) -> Path:
        """A step's file, made unless it is there; a step that fails leaves none."""
        if not path.exists():
            partial = path.with_name("partial-" + path.name)
            log.info("making %s", path)
            begun = time.monotonic()
            make(partial)
            partial.replace(path)
            self.seconds[path.name] = round(time.monotonic() - begun, 1)
        return path

    def _run(self, folder: Path, name: str, command: List[str]) -> None:
        """Run a tool; what it prints is kept, and its end is in the error if it fails."""
        output = folder / f"{name}.log"
        with open(output, "w", encoding="utf-8") as file:
            try:
                code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT,
                                      timeout=STEP_TIMEOUT_S).returncode
            except subprocess.TimeoutExpired:
                raise BitstreamError(f"{name} did not end within {STEP_TIMEOUT_S} s; what it "
                                     f"printed is in {output}") from None
        if code:
            end = "\n  ".join(output.read_text(errors="replace").splitlines()[-8:])
            raise BitstreamError(f"{name} failed with {code}; {output} ends with:\n  {end}")
