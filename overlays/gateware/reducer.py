"""One XNOR-popcount unit: windows of 9 x 128 lanes against weights, to counts of mismatches."""

from typing import Dict, List, Sequence, Tuple

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.pipeline import OWN, register
from overlays.gateware.raster import Edges, Place
from overlays.gateware.weight_cells import (
    GROUPS,
    NO_SLOT,
    CellAddress,
    Contents,
    Slot,
    WeightCells,
)
from pynq_bnn.registers import MAX_SIDE

Columns = Dict[int, List[Value]]
"""Vectors of bits by the log2 of their weight; all bits of a column count alike."""


ROWS, COLUMNS = 3, 3
ROW_BITS = (COLUMNS * UNIT).bit_length()
BELOW = 2
LEFT, RIGHT = 0, 2


class Reducer(wiring.Component):
    """Holds the weights of SLOTS passes and counts the lanes in which a window differs from them.

    An island: a pixel comes in each cycle, a count goes out, and nothing else is wide.  Three
    pixels of a row lie in registers and meet all nine taps at once, each row of these in a tree of
    its own.  What the pixels' row adds to the centres one row below, of its own row and one row
    above is kept for each column, in memories, until the last of these sums is complete.

    Ports
    -----
    write, address, contents : its expander's; pixels that are in the middle WRITE_LATENCY cycles
        after the expander's `load` can meet the unit
    pixel : in the middle two cycles later
    slot, slot_above, edges : LEAD cycles before the pixel is in the middle: the slot that its row
        is counted with, the one that the row above is, and which neighbours count
    place : of the pixel in the middle PLACE_LAG cycles ago
    mismatches : 11 bits, 0 to 1152, of the window round the pixel above the one that was in the
        middle LATENCY cycles ago

    No more than a weight cell and a LUT, two LUT, one carry chain or a memory and a carry chain
    between registers.
    """

    write: In(TAPS)
    address: In(CellAddress)
    contents: In(Contents)
    pixel: In(UNIT)
    slot: In(Slot)
    slot_above: In(Slot)
    edges: In(Edges)
    place: In(Place)
    mismatches: Out(11)

    LEAD = 2
    WRITE_LATENCY = 11
    LATENCY = 7
    PLACE_LAG = LATENCY - 3

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # kept, as other reducers have equal ones
        right, middle, left = (Signal(UNIT, name=name, **OWN)
                               for name in ("right", "middle", "left"))
        m.d.sync += [right.eq(self.pixel), middle.eq(right), left.eq(middle)]
        slot, slot_above = Signal(Slot, **OWN), Signal(Slot, **OWN)
        edges = Signal(Edges, **OWN)
        m.d.sync += [slot.eq(self.slot), slot_above.eq(self.slot_above), edges.eq(self.edges)]
        assert (1 << len(slot)) - 1 == NO_SLOT
        counts = []
        for row in range(ROWS):
            columns: Columns = {}
            for column, window in enumerate((left, middle, right)):
                tap = COLUMNS * row + column
                outside = (~edges.left if column == LEFT else ~edges.right if column == RIGHT
                           else Const(0, 1)) | (~edges.below if row == BELOW else Const(0, 1))
                m.submodules[f"cells_{tap}"] = cells = WeightCells()
                m.d.comb += [
                    cells.write.eq(self.write[tap]), cells.address.eq(self.address),
                    cells.contents.eq(self.contents),
                    cells.slot.eq((slot_above if row == BELOW else slot)
                                  | outside.replicate(len(slot))),
                    cells.window.eq(window),
                ]
                for weight in range(2):
                    columns.setdefault(weight, []).append(Cat(
                        cells.differ[g][weight] for g in range(GROUPS)))
            counts.append(self._count(m, columns))
        self._join(m, counts)
        return m

    def _count(self, m: Module, columns: Columns) -> Value:
        """How many lanes of a row differ, LATENCY - 2 cycles later."""
        latency = 0
        while _height(columns) > 4:
            columns = _compress(m, columns)
            if latency and _height(columns) > 4:  # the cells are the first one's other LUT
                columns = _compress(m, columns)
            columns = {weight: [register(m, Cat(bits))] for weight, bits in columns.items()}
            latency += 1
        rows = _rows(columns)
        halves = [register(m, sum(rows[i:i + 2])) for i in range(0, len(rows), 2)]
        assert latency + 4 == self.LATENCY
        return register(m, sum(halves)[:ROW_BITS])

    def _join(self, m: Module, counts: Sequence[Value]) -> None:
        """Rows of counts: the first adds to the row below, the next to its own, the last above."""
        place = Signal(Place, **OWN)
        m.d.sync += place.eq(self.place)
        sums = []  # what rows before have brought: one, two of them
        for name, bits in (("first", ROW_BITS), ("second", ROW_BITS + 1)):
            m.submodules[name] = memory = Memory(shape=bits, depth=MAX_SIDE, init=[])
            into, outof = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [into.en.eq(place.write), into.addr.eq(place.column),
                         outof.addr.eq(place.column)]
            sums.append((into.data, outof.data))
        (first_in, first), (second_in, second) = sums
        m.d.comb += [
            first_in.eq(counts[0]),
            second_in.eq(counts[1] + (first & place.joined.replicate(ROW_BITS))),
        ]
        # one register beside the adder, one on the way to where all counts come together
        m.d.comb += self.mismatches.eq(register(m, register(m, counts[2] + second)))


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
