"""A circuit of an FPGA's primitives on one clock: what netlist/circuit.h simulates.

Whoever makes one (:mod:`overlays.simulation.synthesized` from a netlist,
:mod:`overlays.bitstream.recover` from a bitstream) names its nets as it likes.  What isn't clocked
is a table of up to six inputs or the reading of a LUT's memory; :mod:`.primitives` says what the
larger primitives are in these terms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Hashable, Iterator, List, NamedTuple, Sequence, Tuple, Union

Net = Hashable
"""A net's name; ZERO and ONE are constants."""
ZERO, ONE = "0", "1"
MOST_INPUTS = 6


class CircuitError(RuntimeError):
    """A circuit that can't be: a net with two drivers or none, a loop without a clock."""


class Table(NamedTuple):
    """A LUT: bit ``i`` of `content` is the output for inputs that make the number ``i``."""

    name: str
    content: int
    inputs: Tuple[Net, ...]
    output: Net


class FlipFlop(NamedTuple):
    """A flip-flop with a synchronous set or reset, which precedes the enable (UG474)."""

    name: str
    data: Net
    enable: Net
    reset: Net
    reset_value: int
    start: int
    output: Net


class LutRam(NamedTuple):
    """A LUT as a memory of up to 64 bits: written on the clock, read at once at `address`."""

    name: str
    content: int
    address: Tuple[Net, ...]
    write_address: Tuple[Net, ...]
    data: Net
    enable: Net
    output: Net


class ShiftRegister(NamedTuple):
    """A LUT as a shift register of up to 32 bits; `address` says how long it is, less one."""

    name: str
    content: int
    address: Tuple[Net, ...]
    data: Net
    enable: Net
    output: Net


class BlockRamPort(NamedTuple):
    """One port of a block RAM (UG473).

    Attributes
    ----------
    enable, reset : net
        Without `enable` nothing happens; `reset` gives the output `reset_value`.
    mode : str
        WRITE_FIRST, READ_FIRST or NO_CHANGE: what the output does while the port writes.
    reset_value, start : int
        Of the output.
    address : nets
        Of a bit, the lowest first.
    outputs : nets
        As many as the read width, data bits before parity bits.
    data, write_enables : nets
        As many as the write width, in the same order: each bit with its own enable.
    """

    enable: Net
    reset: Net
    mode: str
    reset_value: int
    start: int
    address: Tuple[Net, ...]
    outputs: Tuple[Net, ...]
    data: Tuple[Net, ...]
    write_enables: Tuple[Net, ...]


class BlockRam(NamedTuple):
    """A block RAM of `bits` bits, the ninth of them parity; `ones` are those that begin as 1."""

    name: str
    bits: int
    ones: Tuple[int, ...]
    ports: Tuple[BlockRamPort, BlockRamPort]


class Port(NamedTuple):
    """Nets that a simulator sets or looks at as one number, the lowest bit first."""

    name: str
    is_input: bool
    nets: Tuple[Net, ...]


Unclocked = Union[Table, LutRam, ShiftRegister]


@dataclass
class Circuit:
    """What there is of each kind; whoever makes the circuit fills these lists."""

    tables: List[Table] = field(default_factory=list)
    flip_flops: List[FlipFlop] = field(default_factory=list)
    lut_rams: List[LutRam] = field(default_factory=list)
    shift_registers: List[ShiftRegister] = field(default_factory=list)
    block_rams: List[BlockRam] = field(default_factory=list)
    ports: List[Port] = field(default_factory=list)

    def unclocked(self) -> Iterator[Unclocked]:
        """All whose output follows an input at once."""
        yield from self.tables
        yield from self.lut_rams
        yield from self.shift_registers

    def counts(self) -> Dict[str, int]:
        """How many there are of each kind."""
        return {"tables": len(self.tables), "flip-flops": len(self.flip_flops),
                "LUT RAMs": len(self.lut_rams), "shift registers": len(self.shift_registers),
                "block RAMs": len(self.block_rams)}


def table(name: str, content: int, inputs: Sequence[Net], output: Net) -> Table:
    """A table without the inputs that are constant or change nothing."""
    left = list(inputs)
    for constant in (True, False):  # constants first: an input may matter only for the other value
        kept: List[Net] = []
        for place, net in enumerate(left):
            low, high = _halves(content, len(kept), len(kept) + len(left) - place)
            if constant and net in (ZERO, ONE):
                content = high if net == ONE else low
            elif not constant and low == high:
                content = low
            else:
                kept.append(net)
        left = kept
    return Table(name, content & (1 << (1 << len(left))) - 1, tuple(left), output)


def _halves(content: int, place: int, inputs: int) -> Tuple[int, int]:
    """What is left of a table where the input at `place` is 0, and where it is 1."""
    low = high = 0
    width = 1 << place
    mask = (1 << width) - 1
    for part in range((1 << inputs) // (2 * width)):
        low |= (content >> 2 * part * width & mask) << part * width
        high |= (content >> (2 * part + 1) * width & mask) << part * width
    return low, high


def in_order(circuit: Circuit) -> List[List[Unclocked]]:
    """What isn't clocked, in levels: each looks only at what is clocked and at levels before.

    Raises
    ------
    CircuitError
        Names a loop without a clock.
    """
    makers = {each.output: each for each in circuit.unclocked()}
    waits = {}
    users: Dict[Net, List[Unclocked]] = {}
    for each in makers.values():
        needs = {net for net in _looks_at(each) if net in makers}
        waits[each.output] = len(needs)
        for net in needs:
            users.setdefault(net, []).append(each)
    levels = []
    ready = [each for each in makers.values() if not waits[each.output]]
    while ready:
        levels.append(ready)
        following = []
        for each in ready:
            del waits[each.output]
            for user in users.get(each.output, ()):
                waits[user.output] -= 1
                if not waits[user.output]:
                    following.append(user)
        ready = following
    if waits:
        raise CircuitError("a loop without a clock: " + _loop(makers, waits))
    return levels


def _looks_at(each: Unclocked) -> Tuple[Net, ...]:
    return each.inputs if isinstance(each, Table) else each.address


def _loop(makers: Dict[Net, Unclocked], left: Dict[Net, int]) -> str:
    """The names round one loop: going back from what is left, some net comes again."""
    net = next(iter(left))
    seen: List[Net] = []
    while net not in seen:
        seen.append(net)
        net = next(each for each in _looks_at(makers[net]) if each in left)
    return " <- ".join(makers[each].name for each in [*seen[seen.index(net):], net])


def require_driven(circuit: Circuit) -> None:
    """Every net that is looked at has one driver.

    Raises
    ------
    CircuitError
        Names the nets and what drives or looks at them.
    """
    drivers: Dict[Net, str] = {ZERO: "the constant 0", ONE: "the constant 1"}
    for net, name in _drives(circuit):
        if net in drivers:
            raise CircuitError(f"net {net} is driven by {drivers[net]} and by {name}")
        drivers[net] = name
    undriven = [f"{net} at {name}" for net, name in _looks(circuit) if net not in drivers]
    if undriven:
        more = f" and {len(undriven) - 5} more" if len(undriven) > 5 else ""
        raise CircuitError(f"nothing drives net {', '.join(undriven[:5])}{more}")


def _drives(circuit: Circuit) -> Iterator[Tuple[Net, str]]:
    for each in (*circuit.unclocked(), *circuit.flip_flops):
        yield each.output, each.name
    for ram in circuit.block_rams:
        for port in ram.ports:
            for net in port.outputs:
                yield net, ram.name
    for pins in circuit.ports:
        if pins.is_input:
            for net in pins.nets:
                yield net, f"port {pins.name}"


def _looks(circuit: Circuit) -> Iterator[Tuple[Net, str]]:
    for each in circuit.unclocked():
        for net in _looks_at(each):
            yield net, each.name
    for lut_ram in circuit.lut_rams:
        for net in (lut_ram.data, lut_ram.enable, *lut_ram.write_address):
            yield net, lut_ram.name
    for shift in circuit.shift_registers:
        yield shift.data, shift.name
        yield shift.enable, shift.name
    for flip_flop in circuit.flip_flops:
        for net in (flip_flop.data, flip_flop.enable, flip_flop.reset):
            yield net, flip_flop.name
    for ram in circuit.block_rams:
        for port in ram.ports:
            for net in (port.enable, port.reset, *port.address, *port.data, *port.write_enables):
                yield net, ram.name
    for pins in circuit.ports:
        if not pins.is_input:
            for net in pins.nets:
                yield net, f"port {pins.name}"
