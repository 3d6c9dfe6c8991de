"""The command line: ``python -m pynq_bnn COMMAND``, of which ``--help`` lists the commands.

Exit codes: 0 all well, 1 a check or self-test found a difference or the doctor a fault, 2 bad input
or usage, or output
that can't be written, 3 the device failed, 70 a defect of this program (with a traceback), 141
whoever read the output left (as after ``| head -1``).
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import traceback
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import List, Optional, TextIO, Tuple

from host_ref.errors import BnnError, printable, reason, shortened
from pynq_bnn import __version__
from pynq_bnn.cli.output import write

BAD_INPUT, DEVICE_FAILED = 2, 3  # 0 and 1 are pynq_bnn.cli.commands'
DEFECT = 70  # EX_SOFTWARE of sysexits.h; Python's own 1 would mean a difference
READER_LEFT = 128 + 13  # what a shell says of a program that SIGPIPE ended
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
        "--device", choices=("model", "cpu", "rtl", "board"),
        help="default: PYNQ_BNN_DEVICE, else the board on a board, else the cpu, or the model "
             "where there is no C compiler")
    on_device.add_argument("--timeout", type=_seconds, default=10.0, metavar="S",
                           help="longest wait for any run, in seconds (default %(default)s)")
    result = argparse.ArgumentParser(prog="python -m pynq_bnn", description=__doc__)
    result.add_argument("--version", action="version", version=__version__)
    commands = result.add_subparsers(dest="command", required=True)

    def command(name: str, help_text: str,
                parent: argparse.ArgumentParser = on_device) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help_text, description=help_text, parents=[parent])

    classify = command("classify", "classify pictures")
    classify.add_argument("paths", nargs="+", metavar="PATH",
                          help="a picture; with --output also a folder or an archive of them")
    classify.add_argument("--top", type=_count, default=3, metavar="K",
                          help="how many classes to print (default %(default)s)")
    classify.add_argument("--figure", type=_figure, metavar="PNG",
                          help="save the first picture and its scores")
    classify.add_argument("--output", type=_answers, metavar="FILE",
                          help="a line a picture into a .jsonl or .csv: any number of pictures")
    classify.add_argument("--resume", action="store_true",
                          help="go on with an OUTPUT that was interrupted")
    classify.add_argument("--workers", type=_workers, metavar="N",
                          help="processes that decode for OUTPUT (default: all processors "
                               "but one, at most 8)")
    classify.add_argument("--cluster", metavar="ADDRESS",
                          help="with --output, on the workers of a Dask scheduler, such as "
                               "tcp://host:8786")
    check = command("check", "compare every layer of the device with the reference")
    check.add_argument("paths", nargs="+", metavar="PATH")
    evaluate = command("evaluate", "classify CIFAR-10's test pictures: accuracy and confusion")
    evaluate.add_argument("folder", metavar="CIFAR_DIR", help="CIFAR-10, binary version")
    evaluate.add_argument("--count", type=_count, help="only the first COUNT pictures")
    evaluate.add_argument("--cluster", metavar="ADDRESS",
                          help="on the workers of a Dask scheduler, such as tcp://host:8786")
    evaluate.add_argument("--figure", type=_figure, metavar="PNG", help="save the confusion matrix")
    bench = command("bench", "latency of one picture and of a batch, pictures a second")
    bench.add_argument("paths", nargs="+", metavar="PATH")
    bench.add_argument("--repeat", type=_count, default=30, metavar="N",
                       help="calls of each kind (default %(default)s)")
    bench.add_argument("--seconds", type=_seconds, default=5.0, metavar="S",
                       help="how long pictures are streamed (default %(default)s)")
    bench.add_argument("--figure", type=_figure, metavar="PNG", help="draw one picture's latency")
    power = command("power", "run windows of work and idle, and say what they took")
    power.add_argument("paths", nargs="+", metavar="PATH")
    power.add_argument("--windows", type=_count, default=5, metavar="N",
                       help="how many (default %(default)s)")
    power.add_argument("--seconds", type=_seconds, default=10.0, metavar="S",
                       help="length of each (default %(default)s)")
    power.add_argument("--idle", type=_seconds, default=10.0, metavar="S",
                       help="rest before and after (default %(default)s)")
    power.add_argument("--source", action="append", metavar="SENSOR",
                       help="a sensor of this machine; again for more, to be summed up")
    power.add_argument("--save", type=_recording, metavar="RUN.json",
                       help="keep the stamps, for `energy` and a meter's log")
    power.add_argument("--figure", type=_figure, metavar="PNG", help="draw power over time")
    energy = command("energy", "bring a saved run together with a meter's log", common)
    energy.add_argument("recording", metavar="RUN.json")
    energy.add_argument("log", metavar="METER.csv")
    energy.add_argument("--supply-v", type=_positive, metavar="V",
                        help="what the supply holds, for a log without volts")
    energy.add_argument("--shunt-ohm", type=_positive, metavar="OHM",
                        help="the log's volts are across this resistor (ZedBoard's J21: 0.01)")
    energy.add_argument("--figure", type=_figure, metavar="PNG", help="draw power over time")
    command("info", "device, versions, hashes, clocks, limits")
    command("selftest", "is the accelerator alive and right?")
    doctor = command("doctor", "look at the whole machine, and say what is wrong and what to do",
                     common)
    doctor.add_argument("--report", type=Path, metavar="FILE",
                        help="write what was found there too, to paste into an issue")
    convert = command("convert", "another project's parameter file as one of ours", common)
    convert.add_argument("source", metavar="SOURCE",
                         help="BinaryNet's or BNN-PYNQ's .npz, BNN-PYNQ's cnvW1A1 folder, Zhao's")
    convert.add_argument("output", type=_parameter_file, metavar="OUTPUT.npz")
    convert.add_argument("--from", dest="source_format", choices=("binarynet", "zhao", "bnn-pynq"),
                         help="default: told from the contents")
    convert.add_argument("--network", metavar="FILE.json",
                         help="the network's description (default: told from the weights' shapes)")
    convert.add_argument("--kernels", choices=("flipped", "straight"),
                         help="whether its convolutions flip their kernels, as Lasagne's do unless "
                              "told otherwise (default: as the recognized network's)")
    convert.add_argument("--classes", metavar="A,B,C_OR_FILE",
                         help="their names, or a file with one a line (default: the folder's own, "
                              "else CIFAR-10's)")
    convert.add_argument("--name", help="the network's name (default: the source's)")
    convert.add_argument("--force", action="store_true", help="overwrite OUTPUT.npz")
    command("network", "memory and operations of each layer", loaded)
    return result


def _count(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10 and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{_quoted(text)} is not a whole number of 1 or more")
    return int(text)


def _workers(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _seconds(text: str) -> float:
    return _positive(text, "a time of more than 0 s")


def _positive(text: str, wanted: str = "a number above 0") -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{_quoted(text)} is not {wanted}")
    return value


def _figure(text: str) -> Path:
    """Where a figure can be saved; what can't is refused before the work, not after it."""
    path = _output_path(text, FIGURE_SUFFIXES)
    if not os.access(str(path.parent), os.W_OK):
        raise argparse.ArgumentTypeError(f"{_quoted(path.parent)} is not a folder to write in")
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install matplotlib")
    return path


def _parameter_file(text: str) -> Path:
    return _output_path(text, (".npz",))


def _answers(text: str) -> Path:
    from pynq_bnn.bulk.answers import SUFFIXES  # imports numpy, which --help must not wait for

    return _output_path(text, SUFFIXES)


def _recording(text: str) -> Path:
    return _output_path(text, (".json",))


def _output_path(text: str, suffixes: Tuple[str, ...]) -> Path:
    path = Path(text)
    if path.suffix.lower() not in suffixes:
        raise argparse.ArgumentTypeError(f"{_quoted(text)} does not end in {' or '.join(suffixes)}")
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # not yet there; what it is to be in is told elsewhere
    except (OSError, ValueError) as error:  # a NUL, or a name longer than any file's
        raise argparse.ArgumentTypeError(
            f"{_quoted(text)} is not a path to write to: {reason(error)}") from None
    return path


def _quoted(value: object) -> str:
    return shortened(repr(str(value)), 200)


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command; return the exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING,
                        format="%(levelname)s %(name)s: %(message)s")
    code, text, stream = _run(options)
    try:
        write(text, stream)
    except BrokenPipeError:
        return code or READER_LEFT
    except OSError as error:
        with suppress(OSError):  # stderr may be the one, or full too
            write(f"OSError: the output can't be written: {reason(error)}", sys.stderr)
        return code or BAD_INPUT
    return code


def _run(options: argparse.Namespace) -> Tuple[int, str, TextIO]:
    """Exit code, and what to print where."""
    try:
        # imported here, so that --help and --version answer at once
        from pynq_bnn.cli.commands import COMMANDS

        return (*COMMANDS[options.command](options), sys.stdout)
    except BnnError as error:  # before OSError, which a timeout is too
        # of those, what a user gave is at fault in the ones that are a ValueError too
        return _failure(error, BAD_INPUT if isinstance(error, ValueError) else DEVICE_FAILED,
                        options)
    except OSError as error:
        return _failure(error, BAD_INPUT, options)
    except Exception:
        return DEFECT, traceback.format_exc(), sys.stderr


def _failure(error: Exception, code: int, options: argparse.Namespace) -> Tuple[int, str, TextIO]:
    kind, message = type(error).__name__, shortened(error)
    if options.json:
        return code, json.dumps({"error": message, "kind": kind}), sys.stdout
    return code, f"{kind}: {printable(message)}", sys.stderr
