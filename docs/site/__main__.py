"""The documentation as a site: ``python docs/site``, by ``make docs`` in its own environment.

README, docs/*.md, the notebooks with what they showed, the API from the docstrings, source files
that a page points at, and a page that runs the network in the browser.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
from pathlib import Path
from typing import Dict, List

from PIL import Image
from sphinx.cmd.build import build_main

from pynq_bnn.networks import available

sys.path.insert(0, str(Path(__file__).parent))
from links import dead_links

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "site"
SOURCE, OUT = ROOT / "build" / "site-source", ROOT / "build" / "site"

PAGES: Dict[str, List[str]] = {
    "First steps": ["tour", "board", "bring_your_own", "power", "cluster"],
    "Notebooks": ["notebooks/*"],
    "How it works": ["contract", "registers", "gateware", "performance", "overlay", "network"],
    "How right it is": ["accuracy", "faults", "training", "methods", "converters"],
    "API": ["api/*"],
    "More": ["changelog"],
}
API: Dict[str, List[str]] = {
    "Classify": ["pynq_bnn", "pynq_bnn.classifier", "pynq_bnn.result", "pynq_bnn.images",
                 "pynq_bnn.bulk", "pynq_bnn.cluster", "pynq_bnn.sweep", "pynq_bnn.frames",
                 "pynq_bnn.inside", "pynq_bnn.networks", "pynq_bnn.errors"],
    "Measure": ["pynq_bnn.timing", "pynq_bnn.profile", "pynq_bnn.measure.latency",
                "pynq_bnn.measure.throughput", "pynq_bnn.measure.simulated",
                "pynq_bnn.measure.roofline", "pynq_bnn.power.recording", "pynq_bnn.power.energy",
                "pynq_bnn.power.meter_log", "pynq_bnn.power.connect", "pynq_bnn.power.hwmon"],
    "Verify": ["pynq_bnn.verify.check", "pynq_bnn.verify.selftest", "pynq_bnn.verify.evaluate",
               "pynq_bnn.verify.loopback", "pynq_bnn.doctor.checkup", "pynq_bnn.doctor.findings"],
    "Drive": ["pynq_bnn.devices", "pynq_bnn.driver.accelerator", "pynq_bnn.driver.packing",
              "pynq_bnn.driver.program", "pynq_bnn.registers"],
    "Reference": ["host_ref.network", "host_ref.parameters", "host_ref.integer",
                  "host_ref.floating", "host_ref.folding", "host_ref.calibration",
                  "host_ref.cost"],
}
MEMBERS = "   :members:\n"
AGAIN = {"pynq_bnn": "", "pynq_bnn.errors": MEMBERS + "   :no-index:\n"}
"""Modules whose members have their place on another page."""
LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s#]+)(#[^)\s]*)?\)")
TEXTS = {".py": "python", ".js": "javascript", ".tcl": "text", ".cpp": "c++", ".h": "c++",
         ".ys": "text", ".txt": "text"}


def collect() -> None:
    """Write the folder that Sphinx reads."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    SOURCE.mkdir(parents=True)
    for name in ("conf.py", "icon.svg"):
        shutil.copy(SITE / name, SOURCE)
    for path in sorted((ROOT / "docs").glob("*.md")):
        page(path, SOURCE / path.name)
    for path in [*(ROOT / "docs").glob("*.png"), *(ROOT / "docs").glob("*/*.png")]:
        copy(path, SOURCE / path.relative_to(ROOT / "docs"))
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        copy(path, SOURCE / "notebooks" / path.name)
    page(ROOT / "CHANGELOG.md", SOURCE / "changelog.md")
    for title, modules in API.items():
        path = SOURCE / "api" / f"{title.lower()}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {title}\n\n" + "".join(
            f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n"
            f"{AGAIN.get(name, MEMBERS)}```\n\n" for name in modules), encoding="utf-8")
    page(ROOT / "README.md", SOURCE / "index.md")
    with open(SOURCE / "index.md", "a", encoding="utf-8") as index:
        index.write('\n<p><b><a href="tour-in-the-browser/index.html">The network in your '
                    "browser</a></b>: nothing to install.</p>\n")
        for title, names in PAGES.items():
            glob = any("*" in name for name in names)
            index.write(f"\n```{{toctree}}\n:caption: {title}\n:hidden:\n:maxdepth: 1\n"
                        + (":glob:\n" if glob else "") + "\n" + "\n".join(names) + "\n```\n")


def page(source: Path, target: Path) -> None:
    """Copy a page, with links to what the site has in place of the checkout's."""
    def moved(match: "re.Match[str]") -> str:
        label, address, anchor = match.group(1), match.group(2), match.group(3) or ""
        if "://" in address or address.startswith("mailto:"):
            return match.group(0)
        there = (source.parent / address).resolve()
        return linked(label, there, anchor, target)

    copy(source, target)
    target.write_text(LINK.sub(moved, source.read_text(encoding="utf-8")), encoding="utf-8")


def linked(label: str, there: Path, anchor: str, target: Path) -> str:
    """A link of a page at `target` to the file `there` of the checkout."""
    if not there.exists():
        raise SystemExit(f"{target.name} points at {there}, which does not exist")
    name = there.relative_to(ROOT)
    if name.parts[0] == "docs" and there.suffix in (".md", ".png"):
        place = Path(*name.parts[1:])
    elif there.suffix == ".ipynb":
        place = name
    elif there.suffix in TEXTS:
        place = Path("source") / f"{name}.md"
        shown = SOURCE / place
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.write_text(f"---\norphan: true\n---\n\n# {name}\n\n`````{TEXTS[there.suffix]}\n"
                         f"{there.read_text(encoding='utf-8')}\n`````\n", encoding="utf-8")
    else:  # a folder, or a file that is not for reading
        return label.strip("![]")
    return f"{label}({place.as_posix()}{anchor})"


def copy(source: Path, target: Path) -> None:
    """Copy a file into a folder that may not be there yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def tour() -> None:
    """The page that runs the network in the browser, with the shipped file and sample pictures."""
    folder = SOURCE / "extra" / "tour-in-the-browser"
    shutil.copytree(SITE / "browser", folder)
    shutil.copy(available()["cifar10"], folder / "cifar10.npz")
    photo = Image.open(ROOT / "notebooks" / "pictures" / "chelsea.png").convert("RGB")
    names = []
    for number, (left, upper, side) in enumerate(((75, 0, 300), (120, 40, 200), (180, 60, 110))):
        names.append(f"chelsea{number}.png")
        box = (left, upper, left + side, upper + side)
        photo.crop(box).resize((32, 32), Image.LANCZOS).save(folder / names[-1])
    (folder / "samples.json").write_text(json.dumps(names))


def main() -> int:
    """Build it; 1 if Sphinx warns or a link is dead."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    collect()
    tour()
    shutil.rmtree(OUT, ignore_errors=True)
    if build_main(["-q", "-W", "--keep-going", "-b", "html", str(SOURCE), str(OUT)]):
        return 1
    dead = dead_links(OUT)
    for line in dead:
        logging.error("%s", line)
    logging.info("%s: %d pages, %d dead links", OUT / "index.html", len(list(OUT.rglob("*.html"))),
                 len(dead))
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
