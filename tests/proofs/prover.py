"""Unbounded proofs of claims about a block: yosys makes a circuit of it, its abc proves (`pdr`).

A claim is an output that is 1 in a cycle in which it is broken.  A proof says that no inputs, in
however many cycles from the start, bring that about; the counter-example to a claim that is wrong
says in which cycle it is.
"""

import inspect
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Set, Type

import pytest
from amaranth import Cat, ClockDomain, Module, Signal, Value
from amaranth.back import verilog
from amaranth.lib import wiring

TIMEOUT_S = 600
"""Of one proof; the longest takes seconds."""

SCRIPT = """
read_verilog {folder}/claims.v
hierarchy -check -top claims
proc; flatten; opt -nodffe -nosdff; memory -nordff; opt -full -nodffe -nosdff
techmap; opt; async2sync; dffunmap; simplemap; opt -nodffe -nosdff
setundef -anyseq; aigmap; opt_clean
write_aiger -zinit -map {folder}/claims.map {folder}/claims.aig
"""

needs_yosys = pytest.mark.skipif(
    not (shutil.which("yosys") and shutil.which("yosys-abc")),
    reason="needs yosys with its abc: Debian's package yosys")


class Verdict(NamedTuple):
    """What came of a claim: proved, or broken in a cycle (the first is 0)."""

    proved: bool
    cycle: Optional[int]


class Claims:
    """Claims about one block, to be filled by `state`.

    Attributes
    ----------
    dut : Component
    m : Module
        Holds the block, and the state that the claims need.
    """

    def __init__(self, dut: wiring.Component) -> None:
        self.dut, self.m = dut, Module()
        self.m.domains.sync = self._clock = ClockDomain("sync", reset_less=True)
        self.m.submodules.dut = dut
        self._claims: Dict[str, Signal] = {}
        self._assumed: List[Value] = []
        self.state()

    def state(self) -> None:
        raise NotImplementedError

    @property
    def names(self) -> Set[str]:
        return set(self._claims)

    def claim(self, name: str, holds: Value) -> None:
        """In every cycle `holds`, unless an assumption has been broken by then."""
        broken = Signal(name=f"broken_{len(self._claims)}")
        self.m.d.comb += broken.eq(~Value.cast(holds).bool())
        self._claims[name] = broken

    def assume(self, holds: Value) -> None:
        """Of the block's inputs, in every cycle up to now."""
        self._assumed.append(Value.cast(holds).bool())

    def before(self, value: Value, init: int = 0) -> Value:
        """`value` in the cycle before."""
        later = Signal(Value.cast(value).shape(), init=init)
        self.m.d.sync += later.eq(value)
        return later

    def held(self, valid: Value, ready: Value, *payload: Value) -> Value:
        """AXI's rule: what is offered stays as it is until it is taken."""
        waits = self.before(valid & ~ready)
        same = Cat(value == self.before(value) for value in payload).all() if payload else 1
        return ~waits | valid & same

    def count(self, most: int, up: Value, down: Value) -> Signal:
        """Ups less downs before this cycle; enough bits for one past `most` and below 0."""
        value = Signal((4 * most + 4).bit_length())
        self.m.d.sync += value.eq(value + up - down)
        return value

    def in_order(self, pushed: Value, push_mark: Value, popped: Value, pop_mark: Value,
                 most: int) -> None:
        """Claim that what goes in comes out: all of it, once, in order.

        By one bit that is marked once, at any time (Wolper): only what was pushed with the mark
        comes out with it, after as many others as were inside, of which there are `most`.
        """
        m, marked, done = self.m, Signal(), Signal()
        inside = self.count(most, pushed, popped)
        ahead = Signal.like(inside)
        self.assume(~(pushed & push_mark & marked))
        with m.If(pushed & push_mark):
            m.d.sync += [marked.eq(1), ahead.eq(inside - popped)]
        with m.Elif(popped & marked & ~done):
            m.d.sync += ahead.eq(ahead - 1)
        due = marked & ~done & (ahead == 0)
        with m.If(popped & due):
            m.d.sync += done.eq(1)
        self.claim("what comes out went in", ~popped | (inside != 0))
        self.claim("no more inside than there is room", inside <= most)
        self.claim("in order, nothing lost, nothing twice", ~popped | (pop_mark == due))

    def prove(self, folder: Path) -> Dict[str, Verdict]:
        m, kept, now = self.m, Signal(init=1), Signal()
        m.d.comb += now.eq(kept & Cat(*self._assumed, 1).all())
        m.d.sync += kept.eq(now)
        # With a free input no output is a constant 1; a constant 0, a claim that can't be broken,
        # is no output of the circuit any more.
        watched = Signal()
        outputs = [Signal(name=f"claim_{n}") for n in range(len(self._claims))]
        m.d.comb += [output.eq(broken & now & watched)
                     for output, broken in zip(outputs, self._claims.values())]
        inputs = [value for _, member, value in self.dut.signature.flatten(self.dut)
                  if member.flow == wiring.In]
        ports = [self._clock.clk, watched, *outputs, *(Value.cast(value) for value in inputs)]
        (folder / "claims.v").write_text(
            verilog.convert(m, name="claims", ports=ports, emit_src=False))
        (folder / "claims.ys").write_text(SCRIPT.format(folder=folder))
        subprocess.run(["yosys", "-q", "-s", str(folder / "claims.ys")], check=True,
                       timeout=TIMEOUT_S)
        places = dict(re.findall(r"^output (\d+) \d+ claim_(\d+)$",
                                 (folder / "claims.map").read_text(), re.MULTILINE))
        verdicts = {name: Verdict(True, None) for name in self._claims}
        for place, number in places.items():
            verdicts[list(self._claims)[int(number)]] = _solve(folder / "claims.aig", int(place))
        return verdicts


def _solve(circuit: Path, output: int) -> Verdict:
    said = subprocess.run(
        ["yosys-abc", "-c", f"read_aiger {circuit}; cone -s -O {output}; scorr; "
                            f"pdr -T {TIMEOUT_S}"],
        capture_output=True, text=True, timeout=2 * TIMEOUT_S, check=True).stdout
    broken = re.search(r"asserted in frame (\d+)", said)
    if broken:
        return Verdict(False, int(broken.group(1)))
    assert "Property proved" in said, f"undecided after {TIMEOUT_S} s: {said[-300:]}"
    return Verdict(True, None)


def faulty(block: Type[wiring.Component], right: str, wrong: str) -> Type[wiring.Component]:
    """The block from its module's source, `right` once replaced by `wrong`."""
    module = sys.modules[block.__module__]
    source = inspect.getsource(module)
    assert source.count(right) == 1, f"{right!r} is {source.count(right)} times in {module}"
    changed = types.ModuleType(module.__name__)
    exec(compile(source.replace(right, wrong), module.__file__, "exec"), changed.__dict__)
    return getattr(changed, block.__name__)
