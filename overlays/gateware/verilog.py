"""Verilog of the accelerator: ``python -m overlays.gateware.verilog OUT.v``, with what ``--help``
says.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import tokenize
from dataclasses import replace
from pathlib import Path

from amaranth.back import verilog

from overlays.boards import HP_PORTS
from overlays.gateware.config import FULL, SMALL, Config
from overlays.gateware.core import Core
from overlays.gateware.zynq import Zynq
from pynq_bnn import registers

TOP = "accelerator"
SYNTHESIS = object()
"""The platform of what is synthesized; blocks elaborated without one are for simulation."""
SOURCES = Path(__file__).parent


def code(text: str) -> str:
    """The lines of a Python file without comments, docstrings and what else decides nothing."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)):
            first, last = node.lineno - 1, node.end_lineno
            lines[first] = lines[first][:node.col_offset] + lines[last - 1][node.end_col_offset:]
            lines[first + 1:last] = [""] * (last - first - 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def source_hash(config: Config) -> str:
    """SHA-256 of all that decides the hardware: gateware, register table, ports, `config`."""
    digest = hashlib.sha256(repr((config, HP_PORTS[:config.ports])).encode())
    for path in [*sorted(SOURCES.glob("*.py")), Path(registers.__file__)]:
        digest.update(path.name.encode() + b"\0"
                      + code(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def convert(config: Config) -> str:
    """The Verilog of one configuration; register BUILD holds 32 bits of its source's hash."""
    top = Core(config, build=int(source_hash(config)[:8], 16))
    return verilog.convert(top, name=TOP, strip_internal_attrs=True)


def convert_zynq(config: Config) -> str:
    """The same between the ports of a Zynq's processing system, for synthesis."""
    top = Zynq(config, build=int(source_hash(config)[:8], 16))
    return verilog.convert(top, name="zynq", platform=SYNTHESIS, strip_internal_attrs=True,
                           ports=[])


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m overlays.gateware.verilog",
                                     description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--small", action="store_true", help="the configuration of quick tests")
    parser.add_argument("--ports", type=int, choices=(1, 2, 4), default=FULL.ports,
                        help="HP ports")
    parser.add_argument("--zynq", action="store_true", help="with the PS7, for synthesis")
    arguments = parser.parse_args()
    made = convert_zynq if arguments.zynq else convert
    config = replace(SMALL if arguments.small else FULL, ports=arguments.ports)
    arguments.out.write_text(made(config))


if __name__ == "__main__":
    main()
