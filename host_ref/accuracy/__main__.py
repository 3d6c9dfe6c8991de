"""Measure a parameter file on CIFAR-10's test pictures and print the tables of docs/accuracy.md.

``python -m host_ref.accuracy CIFAR_DIR --parameters FILE``
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import List, Optional

from host_ref import parameters
from host_ref.accuracy import testset
from host_ref.accuracy.arithmetics import ARITHMETICS, answer
from host_ref.accuracy.report import Report

SUFFIXES = (".png", ".pdf", ".svg")
DEFAULT_PARAMETERS = "pynq_bnn/weights/cifar10.npz"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m host_ref.accuracy", description=__doc__)
    result.add_argument("folder", metavar="CIFAR_DIR", help="CIFAR-10, binary version")
    result.add_argument("--parameters", default=DEFAULT_PARAMETERS, metavar="FILE",
                        help="default %(default)s, from the root of a checkout")
    result.add_argument("--count", type=int, help="only the first COUNT pictures")
    result.add_argument("--arithmetic", nargs="+", choices=tuple(ARITHMETICS),
                        default=list(ARITHMETICS), metavar="NAME",
                        help="; ".join(f"{name}: {what}" for name, what in ARITHMETICS.items())
                        + " (default: all)")
    result.add_argument("--figures", type=Path, metavar="FOLDER",
                        help="save confusion.png, classes.png and confidence.png there")
    result.add_argument("--wrong", type=Path, metavar="PNG",
                        help="save the pictures most confidently wrong; CIFAR-10's pictures are "
                             "not ours to pass on, so keep it to yourself")
    result.add_argument("--mistakes", type=int, default=24, metavar="N",
                        help="how many of those to show and to list (default %(default)s)")
    result.add_argument("--json", action="store_true", help="print JSON for a program to read")
    return result


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure as the command line says."""
    command = parser()
    options = command.parse_args(arguments)
    if options.mistakes < 0:
        command.error(f"--mistakes {options.mistakes}: 0 or more")
    if (options.figures or options.wrong) and find_spec("matplotlib") is None:
        command.error("figures need matplotlib: pip install matplotlib")
    if options.wrong and options.wrong.suffix.lower() not in SUFFIXES:
        command.error(f"--wrong {options.wrong}: ends in none of {', '.join(SUFFIXES)}")
    try:
        if options.figures:  # what can't be written is refused before the work, not after it
            options.figures.mkdir(parents=True, exist_ok=True)
        if options.wrong:
            options.wrong.parent.mkdir(parents=True, exist_ok=True)
        own = parameters.load(options.parameters)
        images, labels = testset.load(own, options.folder, options.count)
    except (ValueError, OSError) as error:
        command.error(str(error))
    answers = {name: answer(own, images, name, progress=not options.json)
               for name in dict.fromkeys(options.arithmetic)}
    report = Report(own.name, own.checksum, own.classes, labels, answers)
    saved: List[Path] = []
    if options.figures or options.wrong:
        from host_ref.accuracy import figures

        if options.figures:
            saved += figures.save_all(report, options.figures)
        if options.wrong:
            figures.save_wrong(report, images, options.mistakes, options.wrong)
            saved.append(options.wrong)
    if options.json:
        print(json.dumps(report.to_dict(options.mistakes)))
    else:
        print(report.markdown(options.mistakes))
        for path in saved:
            print(f"figure: {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
