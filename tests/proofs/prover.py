"""Unbounded proofs of claims about a block: yosys makes a circuit of it, its abc proves.

A claim is an output that is 1 in a cycle in which it is broken.  A proof says that no inputs, in
however many cycles from the start, bring that about; the counter-example to a claim that is wrong
says in which cycle it is.  Claims are proved together, so that one helps another; what is said of
a block's inside only for that is a lemma.
"""

import inspect
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Set, Tuple, Type

import pytest
from amaranth import Array, Cat, ClockDomain, Module, Signal, Value
from amaranth.back import verilog
from amaranth.hdl import Fragment
from amaranth.hdl._dsl import FSM
from amaranth.lib import enum, wiring

TIMEOUT_S = 600
"""Of one proof; the longest takes seconds."""
STEPS, CONFLICTS = 3, 10_000_000
"""Of induction, which is tried first."""
SEARCHED = 200
"""Cycles from the start in which a broken claim is looked for."""

# What begins as anything begins as 0, as the bitstream has it
SCRIPT = """
read_verilog {folder}/claims.v
hierarchy -check -top claims
proc; flatten; opt -nodffe -nosdff; memory -nordff; opt -full -nodffe -nosdff
techmap; opt; async2sync; dffunmap; simplemap; opt -nodffe -nosdff
setundef -zero -init; setundef -anyseq; aigmap; opt_clean
write_aiger -zinit -map {folder}/claims.map {folder}/claims.aig
"""

needs_yosys = pytest.mark.skipif(
    not (shutil.which("yosys") and shutil.which("yosys-abc")),
    reason="needs yosys with its abc: Debian's package yosys")


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
        self.m.submodules.dut, self._inside = _elaborated(dut)
        self._free: List[Signal] = []
        self._claims: Dict[str, Signal] = {}
        self._lemmas: Set[str] = set()
        self._assumed: List[Value] = []
        self.state()

    def state(self) -> None:
        raise NotImplementedError

    @property
    def names(self) -> List[str]:
        """The claims', without the lemmas'."""
        return [name for name in self._claims if name not in self._lemmas]

    def claim(self, name: str, holds: Value) -> None:
        """In every cycle `holds`, unless an assumption has been broken by then."""
        broken = Signal(name=f"broken_{len(self._claims)}")
        self.m.d.comb += broken.eq(~Value.cast(holds).bool())
        self._claims[name] = broken

    def lemma(self, name: str, holds: Value) -> None:
        """A claim of no interest of its own, which is there for the others."""
        self._lemmas.add(name)
        self.claim(name, holds)

    def assume(self, holds: Value) -> None:
        """Of the block's inputs, in every cycle up to now."""
        self._assumed.append(Value.cast(holds).bool())

    def free(self, bits: int = 1) -> Signal:
        """An input of the circuit: whatever the block's environment may do."""
        value = Signal(bits, name=f"free_{len(self._free)}")
        self._free.append(value)
        return value

    def inside(self, name: str, block: str = "") -> Value:
        """What the block's module, or this one's within it, calls so where it is elaborated.

        Or what has this name itself, which comes first.
        """
        found = self._inside.get((block or Path(_source(self.dut)).stem, name), {})
        found = {each: value for each, value in found.items()
                 if getattr(value, "name", None) == name} or found
        assert len(found) == 1, f"{len(found)} values are called {name}"
        return next(iter(found.values()))

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

    def grows(self, name: str, restart: Value, moves: Value, stands: Value,
              *places: Value) -> None:
        """Claim that the place that it `stands` at is further on than that of the last move.

        Places are digits, the highest one first.  There are only so many, so there are only so
        many moves until `restart`.
        """
        place = Cat(*reversed([Value.cast(each) for each in places]))
        last, some = Signal(len(place)), Signal()
        with self.m.If(restart):
            self.m.d.sync += some.eq(0)
        with self.m.Elif(moves):
            self.m.d.sync += [last.eq(place), some.eq(1)]
        self.claim(name, ~(stands & some) | restart | (place > last))

    def patience(self, most: int, waits: Value) -> Signal:
        """For how many cycles it has waited by now, up to `most` + 1."""
        cycles = Signal(range(most + 2))
        with self.m.If(~waits):
            self.m.d.sync += cycles.eq(0)
        with self.m.Elif(cycles <= most):
            self.m.d.sync += cycles.eq(cycles + 1)
        return cycles

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

    def prove(self, folder: Path) -> None:
        """All claims; AssertionError if one is broken, or if it can't be told."""
        places = self._circuit(folder)
        output = places.get("all")
        assert output is not None or not places, "a claim never holds"
        if output is not None:
            # equal registers become one by lcorr: scorr makes nothing of claims that it finds true,
            # which then can't help others
            said = _abc(folder, output, f"lcorr; bmc3 -F {STEPS} -T {TIMEOUT_S}")
            assert f"No output asserted in {STEPS} frames" in said, said[-300:]
            # `ind` is the step alone; bmc3 was its base
            said = _abc(folder, output, f"lcorr; ind -F {STEPS} -C {CONFLICTS}")
            if "Networks are equivalent" not in said:
                said = _abc(folder, output, f"lcorr; pdr -T {TIMEOUT_S}")
                assert "Property proved" in said, said[-300:]

    def broken(self, folder: Path, names: Iterable[str]) -> Dict[str, Optional[int]]:
        """By claim: a cycle in which it is broken, or None if none was found."""
        places, numbers = self._circuit(folder), list(self._claims)
        return {name: _search(folder, places.get(str(numbers.index(name)))) for name in names}

    def must_break(self, folder: Path, names: Iterable[str]) -> None:
        """For a block with a fault: each of these claims is broken in some cycle."""
        found = self.broken(folder, names)
        assert None not in found.values(), found

    def _circuit(self, folder: Path) -> Dict[str, int]:
        """Write it; the outputs of the claims that have not become constants, by number, and all's.
        """
        m, kept, now = self.m, Signal(init=1), Signal()
        m.d.comb += now.eq(kept & Cat(*self._assumed, 1).all())
        m.d.sync += kept.eq(now)
        # With a free input no claim's output is a constant 1; a constant 0, a claim that can't be
        # broken, is no output of the circuit any more.
        watched = Signal()
        outputs = [Signal(name=f"claim_{n}") for n in range(len(self._claims))]
        m.d.comb += [output.eq(broken & now & watched)
                     for output, broken in zip(outputs, self._claims.values())]
        together = Signal(name="claim_all")
        m.d.comb += together.eq(now & Cat(*self._claims.values()).any())
        inputs = [value for _, member, value in self.dut.signature.flatten(self.dut)
                  if member.flow == wiring.In]
        ports = [self._clock.clk, watched, together, *outputs, *self._free,
                 *(Value.cast(value) for value in inputs)]
        (folder / "claims.v").write_text(
            verilog.convert(m, name="claims", ports=ports, emit_src=False))
        (folder / "claims.ys").write_text(SCRIPT.format(folder=folder))
        subprocess.run(["yosys", "-q", "-s", str(folder / "claims.ys")], check=True,
                       timeout=TIMEOUT_S)
        return {name: int(place) for place, name in re.findall(
            r"^output (\d+) \d+ claim_(\w+)$", (folder / "claims.map").read_text(), re.MULTILINE)}


Names = Dict[Tuple[str, str], Dict[int, Value]]


def _elaborated(dut: wiring.Component) -> Tuple[Fragment, Names]:
    """The block, and the values that its functions and those of blocks within it give names.

    By their module and the name, each with its identity, as names may mean more than one.
    """
    names: Names = {}
    folder = Path(_source(dut)).parent

    def watch(frame: types.FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "return" and path.parent == folder:
            for name, one in frame.f_locals.items():
                for mine, value in _parts(name, one):
                    if isinstance(value, Value):
                        for called in {mine, getattr(value, "name", mine)}:
                            names.setdefault((path.stem, called), {})[id(value)] = value

    sys.setprofile(watch)
    try:
        return Fragment.get(dut, None), names
    finally:
        sys.setprofile(None)


def _parts(name: str, one: object) -> Iterable[Tuple[str, object]]:
    """What a name stands for: a value, several, or those that an object of the gateware's holds."""
    if isinstance(one, (Array, list)):
        return [(name, each) for each in one]
    if isinstance(one, enum.EnumView):
        return [(name, Value.cast(one))]
    if isinstance(one, FSM):
        return [("state", one.state)]
    if type(one).__module__.startswith("overlays.") and not isinstance(one, wiring.Component):
        return [(mine, Value.cast(each) if isinstance(each, enum.EnumView) else each)
                for mine, each in getattr(one, "__dict__", {}).items()]
    return [(name, one)]


def _source(dut: wiring.Component) -> str:
    return inspect.getfile(type(dut).elaborate)


def _search(folder: Path, output: Optional[int]) -> Optional[int]:
    if output is None:
        return None
    said = _abc(folder, output, f"scorr; bmc3 -F {SEARCHED} -T {TIMEOUT_S}")
    if "Does not work for combinational networks" in said:
        return 0 if re.search(r"\bSATISFIABLE", _abc(folder, output, "sat")) else None
    found = re.search(r"asserted in frame (\d+)", said)
    return int(found.group(1)) if found else None


def _abc(folder: Path, output: int, commands: str) -> str:
    return subprocess.run(
        ["yosys-abc", "-c", f"read_aiger {folder}/claims.aig; cone -s -O {output}; {commands}"],
        capture_output=True, text=True, timeout=2 * TIMEOUT_S, check=True).stdout


def faulty(block: Type[wiring.Component], right: str, wrong: str,
           within: Optional[types.ModuleType] = None) -> Type[wiring.Component]:
    """The block, `right` once replaced by `wrong` in its module or in one it imports from."""
    module = sys.modules[block.__module__]
    broken = within or module
    source = inspect.getsource(broken)
    assert source.count(right) == 1, f"{right!r} is {source.count(right)} times in {broken}"
    changed = _executed(broken, source.replace(right, wrong))
    if within:
        theirs, changed = changed, _executed(module, inspect.getsource(module))
        for name, value in vars(within).items():
            if vars(changed).get(name) is value:
                setattr(changed, name, getattr(theirs, name))
    return getattr(changed, block.__name__)


def _executed(module: types.ModuleType, source: str) -> types.ModuleType:
    fresh = types.ModuleType(module.__name__)
    exec(compile(source, module.__file__, "exec"), fresh.__dict__)
    return fresh
