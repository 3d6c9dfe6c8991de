"""One XNOR-popcount unit: a window of 9 x 128 lanes against weights, to a count of mismatches."""

from typing import Dict, List, Sequence, Tuple

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.pipeline import register

Columns = Dict[int, List[Value]]
"""Vectors of bits by the log2 of their weight; all bits of a column count alike."""


class Reducer(wiring.Component):
    """Counts the lanes in which window and weights differ, over the taps that are valid.

    Ports
    -----
    window, weights : 9 x 128 bits, tap after tap
    valid : 9 bits, the taps that count
    mismatches : 11 bits, 0 to 1152, LATENCY cycles after the three inputs

    A new input every cycle.  Cost: 1,660 LUT (1.44 a lane) and 1,610 flip-flops; no more than two
    LUT or one carry chain between registers.
    """

    window: In(data.ArrayLayout(UNIT, TAPS))
    weights: In(data.ArrayLayout(UNIT, TAPS))
    valid: In(TAPS)
    mismatches: Out(11)

    TAP_LATENCY = 5
    LATENCY = TAP_LATENCY + 4

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid = self.valid  # crosses the chip, so it gets registers before it is inverted
        for _ in range(self.TAP_LATENCY - 2):
            valid = register(m, valid, keep=True)
        masked = register(m, ~valid, keep=True)
        counts = [_tap_count(m, self.window[tap], self.weights[tap], masked[tap])
                  for tap in range(TAPS)]
        while len(counts) > 1:
            sums = [register(m, a + b) for a, b in zip(counts[::2], counts[1::2])]
            if len(counts) % 2:
                sums.append(register(m, counts[-1]))
            counts = sums
        m.d.comb += self.mismatches.eq(counts[0])
        return m


def _tap_count(m: Module, window: Value, weights: Value, masked: Value) -> Signal:
    """Mismatches of one tap, TAP_LATENCY later; `masked` comes a cycle before the count."""
    third = -(-UNIT // 3)
    differ = _wires(m, Cat(window ^ weights, Const(0, 3 * third - UNIT)))
    # Two LUT6 take three lanes, XOR included.
    ones, twos = _full_adder(*(differ[i * third:(i + 1) * third] for i in range(3)))
    columns = {0: [register(m, ones)], 1: [register(m, twos)]}
    columns = _compress(m, columns)
    columns = {weight: [register(m, Cat(bits))] for weight, bits in columns.items()}
    columns = _compress(m, _compress(m, columns))
    rows = [register(m, row) for row in _rows(columns)]
    assert len(rows) <= 4
    halves = [register(m, sum(rows[i:i + 2])) for i in range(0, len(rows), 2)]
    count = Signal(8, reset_less=True)
    m.d.sync += count.eq(sum(halves))
    with m.If(masked):  # the flip-flops' own reset: no LUT
        m.d.sync += count.eq(0)
    return count


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
