"""The command line: ``python -m pynq_bnn classify|check|evaluate|info|selftest``.

Exit codes: 0 all well, 1 a check or self-test found a difference, 2 bad input or usage, 3 the
device failed.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, Optional

from pynq_bnn import __version__

OK, DIFFERENT, BAD_INPUT, DEVICE_FAILED = 0, 1, 2, 3
FIGURE_SUFFIXES = (".png", ".pdf", ".svg")


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--device", choices=("model", "rtl", "board"),
                        help="default: PYNQ_BNN_DEVICE, else the board on a board, else the model")
    common.add_argument("--parameters", default="cifar10", metavar="NAME_OR_FILE",
                        help="a shipped network or a parameter file (default %(default)s)")
    common.add_argument("--timeout", type=_seconds, default=10.0, metavar="S",
                        help="longest wait for any run, in seconds (default %(default)s)")
    common.add_argument("--json", action="store_true", help="print JSON for a program to read")
    common.add_argument("--verbose", action="store_true", help="log what happens")
    result = argparse.ArgumentParser(prog="python -m pynq_bnn", description=__doc__)
    result.add_argument("--version", action="version", version=__version__)
    commands = result.add_subparsers(dest="command", required=True)

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help_text, description=help_text, parents=[common])

    classify = command("classify", "classify pictures")
    classify.add_argument("paths", nargs="+", metavar="PATH")
    classify.add_argument("--top", type=_count, default=3, metavar="K",
                          help="how many classes to print (default %(default)s)")
    classify.add_argument("--figure", type=_figure, metavar="PNG",
                          help="save the first picture and its scores")
    check = command("check", "compare every layer of the device with the reference")
    check.add_argument("paths", nargs="+", metavar="PATH")
    evaluate = command("evaluate", "classify CIFAR-10's test pictures: accuracy and confusion")
    evaluate.add_argument("folder", metavar="CIFAR_DIR", help="CIFAR-10, binary version")
    evaluate.add_argument("--count", type=_count, help="only the first COUNT pictures")
    evaluate.add_argument("--figure", type=_figure, metavar="PNG", help="save the confusion matrix")
    command("info", "device, versions, hashes, clocks, limits")
    command("selftest", "is the accelerator alive and right?")
    return result


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time above 0 s")
    return seconds


def _figure(text: str) -> Path:
    """Where a figure can be saved; what can't is refused before the work, not after it."""
    path = Path(text)
    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text!r} ends in none of {', '.join(FIGURE_SUFFIXES)}")
    if not os.access(str(path.parent), os.W_OK):
        raise argparse.ArgumentTypeError(f"no folder {str(path.parent)!r} to write in")
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install matplotlib")
    return path


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command; return the exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING,
                        format="%(levelname)s %(name)s: %(message)s")
    # imported here, so that --help and --version answer at once
    from host_ref.cifar10 import DatasetError
    from pynq_bnn import errors
    from pynq_bnn.devices import UnknownDeviceError

    try:
        return _COMMANDS[options.command](options)
    except (errors.PictureError, errors.ParameterError, errors.NetworkError, DatasetError,
            UnknownDeviceError) as error:
        return _fail(error, BAD_INPUT, options)
    except errors.BnnError as error:  # before OSError, which a timeout is too
        return _fail(error, DEVICE_FAILED, options)
    except OSError as error:
        return _fail(error, BAD_INPUT, options)


def _fail(error: BaseException, code: int, options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}))
    else:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return code


def _open(options: argparse.Namespace, known_answer: bool = True) -> Any:
    from pynq_bnn.classifier import Classifier

    return Classifier(options.parameters, options.device, options.timeout, known_answer)


def _print(options: argparse.Namespace, report: Any) -> None:
    print(json.dumps(report.to_dict()) if options.json else report)


def _classify(options: argparse.Namespace) -> int:
    with _open(options) as classifier:
        results = classifier.classify(options.paths)
    if options.figure:  # first, so that --json prints results or an error, never both
        results[0].save(options.figure)
    if options.json:
        print(json.dumps([{"path": path, **result.to_dict()}
                          for path, result in zip(options.paths, results)]))
    else:
        for path, result in zip(options.paths, results):
            print(path)
            for label, score in result.top(options.top):
                print(f"  {label:<12} {score:8.3f}")
        print(results[-1].timing.describe())
        if options.figure:
            print(f"figure: {options.figure}")
    return OK


def _check(options: argparse.Namespace) -> int:
    with _open(options, known_answer=False) as classifier:
        report = classifier.check(options.paths)
    _print(options, report)
    return OK if report.passed else DIFFERENT


def _evaluate(options: argparse.Namespace) -> int:
    from pynq_bnn.evaluate import evaluate

    with _open(options) as classifier:
        evaluation = evaluate(classifier, options.folder, options.count,
                              progress=not options.json)
    if options.figure:
        evaluation.save(options.figure)
    _print(options, evaluation)
    return OK


def _info(options: argparse.Namespace) -> int:
    with _open(options) as classifier:
        info = {"pynq_bnn": __version__, **classifier.info()}
    print(json.dumps(info) if options.json else "\n".join(_lines(info)))
    return OK


def _lines(info: Dict[str, Any], indent: str = "") -> List[str]:
    """A nested dict as indented lines."""
    lines: List[str] = []
    for name, value in info.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            lines.append(f"{indent}{name}: {shown}")
    return lines


def _selftest(options: argparse.Namespace) -> int:
    with _open(options, known_answer=False) as classifier:
        report = classifier.selftest()
    _print(options, report)
    return OK if report.passed else DIFFERENT


_COMMANDS = {"classify": _classify, "check": _check, "evaluate": _evaluate, "info": _info,
             "selftest": _selftest}
