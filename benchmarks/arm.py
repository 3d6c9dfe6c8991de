"""What the host's side of a classification executes on a board: ``python benchmarks/arm.py``.

Instructions, counted on an emulated Cortex-A9; the device is one that is done at once, so the wait
for it is left out.  Caches are not modelled and seconds are not measured: those given are predicted
from an assumed speed.  With ``--parts`` it says which functions the instructions are in.

It needs Debian 12; benchmarks/arm/emulator.py says what it makes below build/arm.  As root it
installs what is missing there (qemu-user, gcc).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "arm"))

import emulator  # noqa: E402

from pynq_bnn.cpu.library import source_hash  # noqa: E402

SCRIPT = HERE / "arm" / "measured.py"
PICTURE = HERE.parent / "notebooks" / "pictures" / "chelsea.png"
PHOTO_SIZE = (4000, 3000)
PHOTO_QUALITY = 90

INSTRUCTIONS_PER_S = (300e6, 400e6)
"""What an A9 at 650 MHz executes of Python and numpy: an assumption, not a measurement."""

TARGETS = {"classify, one array": (250_000, 120_000),
           "classify, a picture of 80": (40_000, 20_000),
           "scores, a picture of 80": (30_000, 15_000)}
"""Instructions that a call must stay below, and that it should."""

JPEG, FULL = "to_pictures, JPEG of 12 megapixels", "the same JPEG, every pixel decoded"
_COUNT = re.compile(r"instructions (\d+)")


def photo(size: Tuple[int, int] = PHOTO_SIZE) -> Image.Image:
    """Something as hard to decode as a photograph: shapes of every size, and a camera's grain."""
    rng = np.random.default_rng(0)
    width, height = size
    levels = np.full((height, width, 3), 110, np.float32)
    for cells, amplitude in ((4, 60), (16, 30), (64, 15), (256, 8), (1024, 5)):
        small = rng.integers(0, 256, (cells * 3 // 4, cells, 3)).astype(np.uint8)
        wide = Image.fromarray(small).resize(size, Image.BICUBIC)
        levels += (np.asarray(wide, np.float32) - 128) * (amplitude / 64)
    levels += 3 * rng.standard_normal((height, width, 1), np.float32)
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def photo_file() -> Path:
    """The photograph as a JPEG, made once."""
    path = emulator.BUILD / "photo.jpg"
    if not path.exists():
        emulator.BUILD.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        photo().save(unfinished, "JPEG", quality=PHOTO_QUALITY)
        unfinished.rename(path)
    return path


def emulated(*arguments: str) -> Tuple[Dict[str, Any], List[str]]:
    """Run the script emulated: what it says, and its standard error's lines, counts and marks."""
    result = emulator.python([str(SCRIPT), *arguments])
    lines = result.stderr.splitlines()
    if result.returncode:
        said = [line for line in lines if not _COUNT.fullmatch(line)]
        sys.exit("the emulated script failed: " + (said[-1] if said else
                                                   f"exit status {result.returncode}"))
    return json.loads(result.stdout), lines


def call_counts(said: Dict[str, Any], lines: List[str]) -> Dict[str, Tuple[float, float]]:
    """Instructions of each call, a picture, and how far its repeats lie apart."""
    about = said["about"]
    counts = [int(match.group(1)) for match in map(_COUNT.fullmatch, lines) if match]
    times = about["warm_up"] + about["repeats"]
    if len(counts) != len(said["rows"]) * times * about["marks"]:
        sys.exit(f"{len(counts)} counts of {len(said['rows'])} calls: does this qemu-user take "
                 "plugins, as Debian 12's does?")
    marks = np.array(counts).reshape(len(said["rows"]), times, about["marks"])
    marks = marks[:, about["warm_up"]:]
    # a mark costs most after a call that was long: what it costs here is its least
    cost = (marks[:, :, 1] - marks[:, :, 0]).min()
    each = marks[:, :, 2] - marks[:, :, 1] - cost
    nothing = each[0].min()
    found = {}
    for row, values in zip(said["rows"][1:], each[1:]):
        found[row["meaning"]] = (max(0, values.min() - nothing) / row["divisor"],
                                 (values.max() - values.min()) / row["divisor"])
    return found


def part_counts(said: Dict[str, Any], lines: List[str]) -> List[Tuple[str, str, int, float]]:
    """Of each function inside a call: the call, its name, how often, instructions a picture."""
    blocks: List[List[int]] = []
    inside = False
    for line in lines:
        if line in ("begin", "end"):
            inside = line == "begin"
            if inside:
                blocks.append([])
        elif inside and _COUNT.fullmatch(line):
            blocks[-1].append(int(line.split()[1]))
    found, nothing = [], 0
    for row, counts in zip(said["rows"], blocks):
        total = sum(counts[1::2]) - sum(counts[::2])
        times = len(counts) // 2
        if row["meaning"] == "nothing":
            nothing = total // times
        else:
            found.append((row["call"], row["meaning"], times,
                          (total - times * nothing) / row["divisor"]))
    return found


def milliseconds(instructions: float) -> str:
    slow, fast = INSTRUCTIONS_PER_S
    return f"{1e3 * instructions / fast:.3g} to {1e3 * instructions / slow:.3g}"


def print_calls(said: Dict[str, Any], lines: List[str]) -> None:
    found = call_counts(said, lines)
    print(f"{'':<46} {'instructions':>14} {'spread':>9} {'must':>9} {'goal':>9} "
          f"{'predicted ms':>16}")
    for meaning, (each, spread) in found.items():
        must, goal = (f"{value:,}" for value in TARGETS.get(meaning, ())) if (
            meaning in TARGETS) else ("", "")
        print(f"{meaning:<46} {each:>14,.0f} {spread:>9,.0f} {must:>9} {goal:>9} "
              f"{milliseconds(each):>16}")
    print(f"{'every pixel decoded / to_pictures, of the JPEG':<46} "
          f"{found[FULL][0] / found[JPEG][0]:>14.1f}")


def keep(said: Dict[str, Any], lines: List[str], path: Path) -> None:
    """Write the counts, and of which engine.c, for benchmarks/comparison.py."""
    found = {meaning: round(each) for meaning, (each, _) in call_counts(said, lines).items()}
    path.write_text(json.dumps({
        "cpu": emulator.CPU, "about": said["about"],
        "engine_sha256": source_hash(),
        "assumed_instructions_per_s": INSTRUCTIONS_PER_S, "instructions": found}, indent=1) + "\n",
        encoding="utf-8")


def print_parts(said: Dict[str, Any], lines: List[str]) -> None:
    call_before = ""
    for call, name, times, each in sorted(part_counts(said, lines),
                                          key=lambda row: (row[0], -row[3])):
        if call != call_before:
            print(f"\n{call:<64} {'calls':>6} {'instructions':>14}")
            call_before = call
        print(f"  {name:<62} {times:>6} {max(each, 0):>14,.0f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Instructions of the host's side, emulated.")
    parser.add_argument("--parts", action="store_true", help="which functions they are in")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the counts of the calls, kept")
    options = parser.parse_args()
    parts = options.parts
    if parts and options.json:
        parser.error("--json keeps the calls' counts, which --parts doesn't make")
    emulator.require_tools()
    said, lines = emulated("parts") if parts else (
        emulated("calls", str(photo_file()), str(PICTURE)))
    about = said["about"]
    print(f"emulated {emulator.CPU}, Python {about['python']}, numpy {about['numpy']}, Pillow "
          f"{about['pillow']}; network {about['network']}, batches of {about['batch']}")
    if parts:
        print_parts(said, lines)
        print("\na function's instructions include those of what it calls; a picture's share.\n"
              "Counted after many calls, when Python 3.11 has specialized its code: the table of "
              "whole calls has more")
    else:
        print_calls(said, lines)
        slow, fast = INSTRUCTIONS_PER_S
        print(f"each call after {about['warm_up']} others, {about['repeats']} times: the least, "
              "and how far they lie apart;\nfrom run to run what reads the clock differs a little, "
              "by less than one in a thousand\n"
              f"predicted: at an assumed {slow / 1e6:.0f} to {fast / 1e6:.0f} million instructions "
              "a second")
        if options.json:
            keep(said, lines, options.json)


if __name__ == "__main__":
    main()
