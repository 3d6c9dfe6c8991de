"""Output bits of a map until they are whole bytes: so nobody has to read what he writes into."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from overlays.gateware.config import QUARTERS, ROW, UNIT
from overlays.gateware.interfaces import FmapWrite, MapBytes
from overlays.gateware.pipeline import register

QUARTER_SHIFT = exact_log2(UNIT)


class WholeBytes(wiring.Component):
    """Keeps an output pixel's bits from pass to pass until a byte of them is complete.

    Parts of a byte come MERGE_CYCLES apart at least, in ascending order, the last of them last;
    each byte's first part clears what the memory had.  A pixel has a place in the memory by the
    quarter of the row in which the byte lies.

    Cost for the full configuration: 1 BRAM36 if `least` is 4.

    Parameters
    ----------
    least : int
        The fewest bits that come at a time: 2, 4, or 8 and more, which need no memory.
    rows : int
        Of a buffer.

    Attributes
    ----------
    bits : In(FmapWrite)
        Of `least` bits or more.
    bytes : Out(MapBytes)
        A byte, LATENCY cycles after its last bits.
    """

    LATENCY = 3

    bits: In(FmapWrite)
    bytes: Out(MapBytes)

    def __init__(self, least: int, rows: int) -> None:
        self.least, self.rows = least, rows
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        come = self.bits
        # 1: the memory's data are there; 2: in a register; 3: joined
        size, low = register(m, come.size), register(m, come.address[:3])
        new, place = register(m, come.bits), register(m, come.address[3:])
        enable = register(m, come.enable, "enable", reset_less=False)
        shifted = Signal(8)
        with m.Switch(size):
            for log2 in range(3):
                with m.Case(log2):
                    m.d.comb += shifted.eq(new[:1 << log2] << low)
            with m.Default():
                m.d.comb += shifted.eq(new[:8])
        ends = (size >= 3) | (low + (1 << size[:2]) == 8)
        completes = register(m, enable & ends, "completes", reset_less=False)
        place2, wide, joins = (register(m, value) for value in (place, size == 4, low != 0))
        part, upper = register(m, shifted), register(m, new[8:])
        byte = part
        if self.least < 8:
            kept = m.submodules.kept = memory.Memory(
                shape=8 - self.least, depth=QUARTERS * self.rows, init=[],
                attrs={"ram_style": "block"})
            read, save = kept.read_port(), kept.write_port()
            old = register(m, read.data, "old")
            byte = part | Mux(joins, old, 0)
            m.d.comb += [
                read.addr.eq(come.address[QUARTER_SHIFT:]),
                save.addr.eq(register(m, place2[QUARTER_SHIFT - 3:], "save_place")),
                save.data.eq(register(m, byte[:8 - self.least], "save_bits")),
                save.en.eq(register(m, register(m, enable & ~ends, "begins", reset_less=False),
                                    "saves", reset_less=False)),
            ]
        in_row = exact_log2(ROW // 8)
        m.d.sync += [
            self.bytes.enable.eq(completes), self.bytes.wide.eq(wide),
            self.bytes.row.eq(place2[in_row:]), self.bytes.place.eq(place2[:in_row]),
            self.bytes.bytes.eq(Cat(byte, Mux(wide, upper, byte))),
        ]
        return m
