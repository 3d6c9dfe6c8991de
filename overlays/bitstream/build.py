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
from overlays.bitstream.anneal import Cooling, anneal
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
    seed: int = 2
    timing_weight: int = 30
    """How much more the placer's analytic part minds critical nets than others; nextpnr's own is
    10, which leaves control signals that cross the chip."""
    estimate_weight: float = 1.2
    """How much the router trusts its guess of what is left of a way; with nextpnr's own 1.75 it is
    done sooner, with ways that are longer by up to 2 ns."""

    margin: int = 8
    """How far a way may leave the box round its net's pins, in tiles.  nextpnr-xilinx reads this
    but takes 4 all the same, until the lines that say so are out of its arch.cc."""

    moves: int = Cooling.moves
    """How many moves the placement is annealed by, for each slice and temperature
    (:mod:`overlays.bitstream.anneal`); with 0 it stays nextpnr's."""

    @property
    def placing(self) -> str:
        """Of the folder with the placement that they led to."""
        return f"{self.target_mhz:g}MHz-weight{self.timing_weight}-seed{self.seed}"

    @property
    def routing(self) -> str:
        """Of the folder in it with the annealed placement and its routes."""
        return f"moves{self.moves}-estimate{self.estimate_weight:g}-margin{self.margin}"

    @property
    def cooling(self) -> Cooling:
        """How the placement is annealed."""
        return Cooling(moves=self.moves, period_ns=1000 / self.target_mhz)

    @property
    def placer(self) -> Dict[str, object]:
        """What the placer has no option for."""
        return {"placerHeap/timingWeight": self.timing_weight}

    @property
    def router(self) -> Dict[str, object]:
        """What the router has no option for."""
        return {"router2/estimateWeight": f"{self.estimate_weight:g}",
                "router2/biasCostFactor": f"{ROUTER_BIAS:g}",
                "router2/bbMargin/x": self.margin, "router2/bbMargin/y": self.margin}


ROUTER_BIAS = 0.1
"""How much the router is drawn to a net's middle; nextpnr's own is 0.25."""


def written_into(source: Path, target: Path, settings: Dict[str, object]) -> None:
    """Copy a netlist with more of the settings that nextpnr takes from it.

    They are the top module's "settings", as its own ``--write`` leaves them.
    """
    document = json.loads(source.read_text(encoding="utf-8"))
    modules = document["modules"]
    # nextpnr writes one module, by a name of its own
    module = modules[TOP] if TOP in modules else next(iter(modules.values()))
    module.setdefault("settings", {}).update(settings)
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
    def placing(self) -> Path:
        """Where the placer leaves its."""
        path = self.folder / self.settings.placing
        path.mkdir(exist_ok=True)
        return path

    @property
    def routing(self) -> Path:
        """Where the router leaves its."""
        path = self.placing / self.settings.routing
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

    def placed(self) -> Path:
        """The netlist with its cells' places."""
        netlist = self.netlist()
        return self._made(self.placing / "placed.json", lambda path: self._nextpnr(
            self.placing, netlist, self.settings.placer, path, "--no-route"))

    def annealed(self) -> Path:
        """The same with better places."""
        placed = self.placed()
        if not self.settings.moves:
            return placed
        return self._made(self.routing / "annealed.json", lambda path: anneal(
            placed, path, self.tools.database, self.settings.seed, self.settings.cooling))

    def routed(self) -> Path:
        """The same with its nets' routes too, for the timing analysis."""
        annealed = self.annealed()
        features = self.routing / "zynq.fasm"
        return self._made(self.routing / "routed.json", lambda path: self._nextpnr(
            self.routing, annealed, self.settings.router, path,
            "--no-pack", "--no-place", "--fasm", str(features)))

    def _nextpnr(self, folder: Path, source: Path, settings: Dict[str, object], path: Path,
                 *options: str) -> None:
        constraints, design = folder / "no_pins.xdc", folder / "asked.json"
        constraints.write_text("")
        written_into(source, design, settings)
        self._run(folder, "nextpnr", [
            self.tools.nextpnr, "--chipdb", str(self.tools.chipdb), "--xdc", str(constraints),
            "--json", str(design), "--write", str(path),
            "--freq", f"{self.settings.target_mhz:g}", "--seed", str(self.settings.seed),
            "--router", "router2", "--timing-allow-fail", *options])
        design.unlink()

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
