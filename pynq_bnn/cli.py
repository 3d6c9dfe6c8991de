"""The command line: ``python -m pynq_bnn classify|check|evaluate|info|selftest|convert|network``.

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
from typing import List, Optional

from pynq_bnn import __version__

BAD_INPUT, DEVICE_FAILED = 2, 3  # 0 and 1 are pynq_bnn.commands'
FIGURE_SUFFIXES = (".png", ".pdf", ".svg")


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON for a program to read")
    common.add_argument("--verbose", action="store_true", help="log what happens")
    loaded = argparse.ArgumentParser(add_help=False, parents=[common])
    loaded.add_argument("--parameters", default="cifar10", metavar="NAME_OR_FILE",
                        help="a shipped network or a parameter file (default %(default)s)")
    on_device = argparse.ArgumentParser(add_help=False, parents=[loaded])
    on_device.add_argument(
        "--device", choices=("model", "rtl", "board"),
        help="default: PYNQ_BNN_DEVICE, else the board on a board, else the model")
    on_device.add_argument("--timeout", type=_seconds, default=10.0, metavar="S",
                           help="longest wait for any run, in seconds (default %(default)s)")
    result = argparse.ArgumentParser(prog="python -m pynq_bnn", description=__doc__)
    result.add_argument("--version", action="version", version=__version__)
    commands = result.add_subparsers(dest="command", required=True)

    def command(name: str, help_text: str,
                parent: argparse.ArgumentParser = on_device) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help_text, description=help_text, parents=[parent])

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
    convert = command("convert", "another project's parameter file as one of ours", common)
    convert.add_argument("source", metavar="SOURCE", help="BinaryNet's or BNN-PYNQ's .npz, Zhao's")
    convert.add_argument("output", type=_parameter_file, metavar="OUTPUT.npz")
    convert.add_argument("--from", dest="source_format", choices=("binarynet", "zhao"),
                         help="default: told from the contents")
    convert.add_argument("--network", metavar="FILE.json",
                         help="the network's description (default: told from the weights' shapes)")
    convert.add_argument("--kernels", choices=("flipped", "straight"),
                         help="whether its convolutions flip their kernels, as Lasagne's do unless "
                              "told otherwise (default: as the recognized network's)")
    convert.add_argument("--classes", metavar="A,B,C_OR_FILE",
                         help="their names, or a file with one a line (default: CIFAR-10's)")
    convert.add_argument("--name", help="the network's name (default: the source's)")
    convert.add_argument("--force", action="store_true", help="overwrite OUTPUT.npz")
    command("network", "memory and operations of each layer", loaded)
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


def _parameter_file(text: str) -> Path:
    if not text.endswith(".npz"):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .npz")
    return Path(text)


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command; return the exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING,
                        format="%(levelname)s %(name)s: %(message)s")
    # imported here, so that --help and --version answer at once
    from host_ref.cifar10 import DatasetError
    from pynq_bnn import errors
    from pynq_bnn.commands import COMMANDS
    from pynq_bnn.devices import UnknownDeviceError

    try:
        code, text = COMMANDS[options.command](options)
    except (errors.PictureError, errors.ParameterError, errors.NetworkError, DatasetError,
            UnknownDeviceError) as error:
        return _fail(error, BAD_INPUT, options)
    except errors.BnnError as error:  # before OSError, which a timeout is too
        return _fail(error, DEVICE_FAILED, options)
    except OSError as error:
        return _fail(error, BAD_INPUT, options)
    print(text)
    return code


def _fail(error: BaseException, code: int, options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}))
    else:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return code
