"""``python -m overlays.bitstream.proof BOARD``: run the netlist, and what the .bit configures.

Both stand in place of the gateware behind the simulated memory, under the driver that a board gets;
:func:`pynq_bnn.verify.check.check` decides every bit by host_ref.  What synthesis, placer, router
or bit generator did wrong shows here without a board.  The small configuration, built for this,
runs random networks, the board's own design one picture through all layers of the shipped network;
both run batches of a stream, each one's first layer beside the last ones of the batch before, and
several batches in one run, FC layers of one beside convolutions of the next.
The results go into the board's report.json.  Wants the tools of ``python -m overlays.bitstream``
and their results in ``--work``; ends with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

import numpy as np

import overlays
from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.network import NetworkError
from host_ref.parameters import Parameters
from host_ref.random_networks import random_network, random_parameters
from overlays.bitstream import assemble
from overlays.bitstream.bitfile import read_bit
from overlays.bitstream.build import TOP, Build, Settings
from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.recover.__main__ import from_file
from overlays.bitstream.tools import ToolsMissing, find
from overlays.boards import BOARDS, Board
from overlays.boards import find as find_board
from overlays.gateware.config import FULL, SMALL
from overlays.simulation import circuit_file
from overlays.simulation.circuit import Circuit
from overlays.simulation.synthesized import read_circuit
from pynq_bnn import Accelerator
from pynq_bnn.devices.netlist import NetlistDevice
from pynq_bnn.images import to_pictures
from pynq_bnn.networks import load_parameters
from pynq_bnn.verify.check import check

log = logging.getLogger(__name__)

NETWORKS = 6
PICTURE = Path(overlays.__file__).parents[1] / "notebooks" / "pictures" / "chelsea.png"
TIMEOUT_S = 4 * 3600.0
BATCHES = 4
STREAMED = net.Network.from_description({"height": 6, "width": 8, "layers": [
    {"name": "conv1", "kind": net.FP_CONV, "outputs": 192},
    {"name": "conv2", "kind": net.BIN_CONV, "outputs": 128, "pool": True},
    {"name": "fc1", "kind": net.BIN_FC, "outputs": 576},
    {"name": "fc2", "kind": net.BIN_FC, "outputs": 64},
    {"name": "last", "kind": net.LAST, "outputs": 10}]})
"""So small that a stream of batches takes no longer than one picture of a real network."""
CHAINED = net.Network.from_description({"height": 6, "width": 8, "layers": [
    {"name": "conv1", "kind": net.FP_CONV, "outputs": 128},
    {"name": "conv2", "kind": net.BIN_CONV, "outputs": 192, "pool": True},
    {"name": "conv3", "kind": net.BIN_CONV, "outputs": 320},
    {"name": "conv4", "kind": net.BIN_CONV, "outputs": 64},
    {"name": "fc1", "kind": net.BIN_FC, "outputs": 576},
    {"name": "fc2", "kind": net.BIN_FC, "outputs": 64},
    {"name": "last", "kind": net.LAST, "outputs": 10}]})
"""Its FC layers go beside conv2, and the next first layer beside conv3 and conv4."""


class ProofError(BitstreamError):
    """A circuit does not compute what it should; the message says which and where."""


def random_work(accelerator: Accelerator, seeds: Iterable[int]) -> Iterator[np.ndarray]:
    """Load each seed's first random network that fits; pictures for two runs of it."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        while True:
            parameters = random_parameters(random_network(rng), rng)
            try:
                accelerator.load(parameters)
            except NetworkError:  # more than this configuration holds
                continue
            break
        network = parameters.network
        shape = (accelerator.batch + 1, network.height, network.width, 3)
        yield rng.integers(0, 256, shape).astype(np.uint8)


def one_picture(accelerator: Accelerator, parameters: Parameters, picture: Path
                ) -> Iterator[np.ndarray]:
    """Load a network; a real picture for it."""
    accelerator.load(parameters)
    yield to_pictures(picture, parameters.network.height, parameters.network.width)


def stream(accelerator: Accelerator) -> Dict[str, int]:
    """Run batches, each one's first layer beside the last ones of the batch before it.

    Raises
    ------
    ProofError
        If a sum differs, or a first layer was not computed ahead.
    """
    rng = np.random.default_rng(0)
    parameters = random_parameters(STREAMED, rng)
    accelerator.load(parameters)
    shape = (BATCHES, accelerator.batch, STREAMED.height, STREAMED.width, 3)
    batches = rng.integers(0, 256, shape).astype(np.uint8)
    model, compared = IntegerModel(parameters), 0
    for number, batch in enumerate(batches):
        started = accelerator.start(batch, *batches[number + 1:number + 2])
        if started.program.prepared != (number > 0):
            raise ProofError(f"batch {number} of a stream: its first layer was not computed ahead")
        sums, expected = accelerator.finish(started).sums, model.sums(batch)
        if not np.array_equal(sums, expected):
            raise ProofError(f"batch {number} of a stream: {np.count_nonzero(sums != expected)} "
                             f"of {sums.size} sums differ")
        compared += sums.size
    return {"batches": BATCHES, "sums_compared": compared, "sums_differing": 0}


def chain(accelerator: Accelerator) -> Dict[str, int]:
    """Run BATCHES batches at once, twice, the second time with the first layer prepared.

    Raises
    ------
    ProofError
        If a sum differs, or batches were run one by one.
    """
    rng = np.random.default_rng(1)
    parameters = random_parameters(CHAINED, rng)
    accelerator.load(parameters)
    if accelerator.run_size < BATCHES * accelerator.batch:
        raise ProofError("the accelerator runs one batch at a time: no chain to prove")
    shape = (BATCHES * accelerator.batch, CHAINED.height, CHAINED.width, 3)
    pictures = rng.integers(0, 256, shape).astype(np.uint8)
    expected = IntegerModel(parameters).sums(pictures)
    for number, following in enumerate(([pictures], [])):
        started = accelerator.start(pictures, *following)
        if started.program.prepared != (number > 0):
            raise ProofError(f"run {number} of a chain: its first layer was not computed ahead")
        sums = accelerator.finish(started).sums
        if not np.array_equal(sums, expected):
            raise ProofError(f"run {number} of a chain: {np.count_nonzero(sums != expected)} of "
                             f"{sums.size} sums differ")
    return {"batches": BATCHES, "runs": 2, "sums_compared": 2 * expected.size, "sums_differing": 0}


def run(device: Any, work: Callable[[Accelerator], Iterator[np.ndarray]]) -> Dict[str, Any]:
    """Compare everything that `device` computes of some work.

    Raises
    ------
    ProofError
        At the first bit that differs: its layer and place.
    """
    begun = time.monotonic()
    compared = pictures = networks = cycles = 0
    with Accelerator(device, TIMEOUT_S) as accelerator:
        for images in work(accelerator):
            report = check(accelerator, images)
            if not report.passed:
                raise ProofError(report.verdict)
            cycles = accelerator.run(images[:1]).cycles
            compared += sum(layer.compared for layer in report.layers)
            pictures, networks = pictures + len(images), networks + 1
        streamed, chained = stream(accelerator), chain(accelerator)
    return {"networks": networks, "pictures": pictures, "bits_compared": compared,
            "bits_differing": 0, "cycles_of_the_last_run": cycles, "stream": streamed,
            "chain": chained,
            "seconds": round(time.monotonic() - begun)}


def prove(build: Build, bit: Path, work: Callable[[Accelerator], Iterator[np.ndarray]],
          known: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
    """Run what `build` synthesized and what `bit`, made from it, configures; by proof, its result.

    Parameters
    ----------
    known : dict
        Results of before; one of the same circuit is not computed again.
    """
    tools, results = build.tools, dict(known or {})
    netlist = build.netlist()

    def step(name: str, source: Path, circuit: Callable[[], Circuit],
             extra: Callable[[], Dict[str, Any]]) -> None:
        digest = _sha256(source)
        if results.get(name, {}).get("of_sha256") == digest:
            return
        log.info("%s: reading %s", name, source)
        path = build.folder / f"{name}.circuit"
        circuit_file.write(circuit(), path)
        log.info("%s: running", name)
        with NetlistDevice(path) as device:
            results[name] = {"of_sha256": digest, **extra(), **run(device, work)}
        log.info("%s: %s", name, results[name])

    found: Dict[str, Any] = {}

    def recovered() -> Circuit:
        everything = from_file(bit, tools.chipdb, tools.database)
        found.update(switches=everything.switches, unknown_bits=0, open_pins=0,
                     nodes_with_two_drivers=0, primitives=everything.circuit.counts())
        return everything.circuit

    step("synthesized", netlist, lambda: read_circuit(netlist), dict)
    step("recovered", bit, recovered, lambda: found)
    return results


def small_bit(build: Build, board: Board) -> Path:
    """The small configuration's .bit, whose timing nobody needs."""
    path = build.routing / "small.bit"
    if not path.exists():
        assemble(build.features(), path, build.tools.database, board.part, f"{TOP}_small")
    return path


def main(arguments: Optional[List[str]] = None) -> int:
    """Prove one board's overlay; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m overlays.bitstream.proof",
                                     description=__doc__)
    parser.add_argument("board", help=", ".join(sorted({each.overlay for each in BOARDS})))
    parser.add_argument("--work", type=Path, default=Path("build/overlay"))
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--small", action="store_true",
                        help="the small configuration alone, which needs no board's files")
    parser.add_argument("--folder", type=Path, help="default: the board's folder in overlays/")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    board = find_board(options.board)
    if board is None:
        parser.error(f"board {options.board!r} is not known")
    try:
        tools, root = find(), options.work.resolve()
        small = Build(SMALL, tools, Settings(), root)
        if options.small:
            results = {"small": _small(small, board, None)}
        else:
            results = _full(small, board, options)
    except (BitstreamError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2 if isinstance(error, ToolsMissing) else 1
    sys.stdout.write(json.dumps(results, indent=1) + "\n")
    return 0


def _small(build: Build, board: Board, known: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    return prove(build, small_bit(build, board),
                 lambda accelerator: random_work(accelerator, range(NETWORKS)), known)


def _full(small: Build, board: Board, options: argparse.Namespace) -> Dict[str, Any]:
    """Both proofs of a board's overlay, each written into its report when it is done."""
    folder = options.folder or Path(overlays.__file__).parent / board.overlay
    bit, path = folder / "bnn.bit", folder / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    build = Build(FULL, small.tools, Settings(**report["settings"]), small.root)
    if build.hash != report["gateware"]["design_sha256"]:
        raise ProofError(f"{bit} is of another gateware: make overlay again")
    read_bit(bit)
    proofs: Dict[str, Any] = report.setdefault("proof", {})
    for name, results in (
            ("small", lambda: _small(small, board, proofs.get("small"))),
            ("full", lambda: prove(build, bit, lambda accelerator: one_picture(
                accelerator, load_parameters(), options.picture), proofs.get("full")))):
        proofs[name] = results()
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return proofs


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
