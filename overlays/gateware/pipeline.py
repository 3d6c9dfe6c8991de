"""A value a cycle later, and what keeps a register apart from its like."""

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data

KEEP = {"attrs": {"keep": 1}}
"""Options of a Signal that synthesis may neither merge with an equal one nor make part of a shift
register: a copy near those who read it, or a flip-flop whose output comes sooner than a LUT's."""
OWN = {**KEEP, "reset_less": True}
"""The same for data, which need no reset."""


def register(m: Module, value: object, name: object = None, *, keep: bool = False,
             reset_less: bool = True, init: object = 0) -> Signal:
    """`value` a cycle later; `keep` as KEEP.  A view stays one."""
    if not isinstance(value, data.View):
        value = Value.cast(value)
    later = Signal(value.shape(), name=name, reset_less=reset_less,
                   **({} if isinstance(value, data.View) else {"init": init}),
                   **(KEEP if keep else {}))
    m.d.sync += later.eq(value)
    return later


def moved(address: Signal, move: Value) -> Value:
    """Address + move, a lookup table a bit: `move` comes late, and a carry chain takes longer."""
    return address ^ Cat(move, *(move & address[:n].all() for n in range(1, len(address))))


def delay(m: Module, value: Value, cycles: int) -> Value:
    """`value` some cycles later; the last register is kept, so its output comes soon."""
    for cycle in range(cycles):
        value = register(m, value, keep=cycle == cycles - 1)
    return value
