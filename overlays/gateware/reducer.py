"""One XNOR-popcount unit: a window of 9 x 128 lanes against weights, to a count of mismatches."""

from typing import Dict, List, Sequence, Tuple

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.expander import Expander, Load
from overlays.gateware.pipeline import OWN, register
from overlays.gateware.weight_cells import GROUP, GROUPS, NO_SLOT, Slot, WeightCells

Columns = Dict[int, List[Value]]
"""Vectors of bits by the log2 of their weight; all bits of a column count alike."""


class Reducer(wiring.Component):
    """Holds the weights of SLOTS passes and counts the lanes in which a window differs from them.

    Ports
    -----
    load, entry, phase : the expander's: a unit of weights, and where it goes; a window that comes
        WRITE_LATENCY cycles after `load` can meet it
    slot, outside : of the window that comes LEAD cycles later; `outside` are the taps, 9 bits, that
        don't count
    window : 9 x 128 bits, tap after tap
    mismatches : 11 bits, 0 to 1152, LATENCY cycles after the window

    A new window every cycle.  No more than a weight cell and a LUT, or two LUT, or one carry chain
    between registers.
    """

    load: In(1)
    entry: In(Load)
    phase: In(GROUP)
    slot: In(Slot)
    outside: In(TAPS)
    window: In(data.ArrayLayout(UNIT, TAPS))
    mismatches: Out(11)

    LEAD = 2
    WRITE_LATENCY = 11
    LATENCY = 6

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.expander = expander = Expander()
        slot, outside = Signal(Slot, **OWN), Signal(TAPS, **OWN)
        m.d.sync += [slot.eq(self.slot), outside.eq(self.outside)]
        m.d.comb += [expander.load.eq(self.load), expander.entry.eq(self.entry),
                     expander.phase.eq(self.phase)]
        columns: Columns = {}
        assert (1 << len(slot)) - 1 == NO_SLOT
        for tap in range(TAPS):
            m.submodules[f"cells_{tap}"] = cells = WeightCells()
            m.d.comb += [
                cells.write.eq(expander.write[tap]), cells.address.eq(expander.address),
                cells.contents.eq(expander.contents),
                cells.slot.eq(slot | outside[tap].replicate(len(slot))),
                cells.window.eq(self.window[tap]),
            ]
            for weight in range(2):
                columns.setdefault(weight, []).append(Cat(
                    cells.differ[g][weight] for g in range(GROUPS)))
        latency = 0
        while _height(columns) > 4:
            columns = _compress(m, columns)
            if latency and _height(columns) > 4:  # the cells are the first one's other LUT
                columns = _compress(m, columns)
            columns = {weight: [register(m, Cat(bits))] for weight, bits in columns.items()}
            latency += 1
        rows = _rows(columns)
        halves = [register(m, sum(rows[i:i + 2])) for i in range(0, len(rows), 2)]
        m.d.comb += self.mismatches.eq(register(m, sum(halves)))
        assert latency + 2 == self.LATENCY
        return m


def _height(columns: Columns) -> int:
    return max(sum(len(Cat(vector)) for vector in vectors) for vectors in columns.values())


def _wires(m: Module, value: Value) -> Signal:
    """`value` under a name, so that its parts can be used without building it again."""
    wires = Signal(len(value))
    m.d.comb += wires.eq(value)
    return wires


def _full_adder(a: Value, b: Value, c: Value) -> Tuple[Value, Value]:
    return a ^ b ^ c, (a & b) | (a & c) | (b & c)


def _compress(m: Module, columns: Columns) -> Columns:
    """One level of 6:3 (three LUT6) and 3:2 compressors."""
    result: Columns = {}

    def put(weight: int, bits: Value) -> None:
        result.setdefault(weight, []).append(bits)

    for weight, vectors in columns.items():
        bits = _wires(m, Cat(vectors))
        sixes = len(bits) // 6
        if sixes:
            parts = [bits[i * sixes:(i + 1) * sixes] for i in range(6)]
            ones_a, twos_a, ones_b, twos_b = (
                _wires(m, sums) for sums in _full_adder(*parts[:3]) + _full_adder(*parts[3:]))
            twos, fours = _full_adder(twos_a, twos_b, ones_a & ones_b)
            put(weight, ones_a ^ ones_b)
            put(weight + 1, twos)
            put(weight + 2, fours)
        rest = bits[6 * sixes:]
        if len(rest) >= 3:
            ones, twos = _full_adder(*rest[:3])
            put(weight, ones)
            put(weight + 1, twos)
            rest = rest[3:]
        if len(rest):
            put(weight, rest)
    return result


def _rows(columns: Columns) -> Sequence[Value]:
    """The columns' bits as numbers to be added, the full ones first."""
    bits = [Cat(columns.get(weight, [])) for weight in range(max(columns) + 1)]
    return [Cat(*(column[row] if row < len(column) else Const(0, 1) for column in bits))
            for row in range(max(len(column) for column in bits))]
