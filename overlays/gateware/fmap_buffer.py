"""The two feature-map buffers: who reads which, and what is written into them.

Each has a port for reading and one for writing, so two stages can work at the same time, if they
read different buffers: a convolution, and one of all the others.
"""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import ROW, Config
from overlays.gateware.interfaces import (
    FMAP_READ_LATENCY,
    MERGE_CYCLES,
    ByteWrite,
    FmapRead,
    MapBytes,
)
from overlays.gateware.pipeline import OWN, register

BYTES = ROW // 8
SLICE = 128
"""Bits of a row that share copies of addresses and controls: eight block RAMs in the full
configuration, which lie all over the chip."""
SLICES = ROW // SLICE
QUEUE = 16
"""Single bytes that may wait: more than a batch has images, which bring one each at a time."""
_Single = data.StructLayout({name: member.shape for name, member in ByteWrite.members.items()
                             if name != "enable"})


class FmapBuffers(wiring.Component):
    """Buffers A and B, 512 bits a row.

    A row's data follow its address by FMAP_READ_LATENCY cycles.  A write is in the buffer
    WRITE_CYCLES after its enable, a single byte SINGLE_CYCLES after, or later by as many cycles as
    others are written into that buffer meanwhile.

    Cost in the full configuration: 64 BRAM36.

    Attributes
    ----------
    read, source_b : In(FmapRead), In(1)
        Rows of B or A, of that which no convolution reads; `source_b` stands from the cycle before
        the first address.
    conv_read, conv_source_b, conv_reads : In(FmapRead), In(1), In(1)
        The same for the convolution, while `conv_reads`.
    write_a, write_b : In(MapBytes)
        Bytes for each buffer.
    bytes : In(ByteWrite)
        Single bytes, for A while `bytes_to_a`, for B while `bytes_to_b`.  They wait while others
        are written, QUEUE of them at most, and `bytes_wait` is 1 from the cycle after they come.
    """

    WRITE_CYCLES = 3
    SINGLE_CYCLES = 5

    read: In(FmapRead)
    source_b: In(1)
    conv_read: In(FmapRead)
    conv_source_b: In(1)
    conv_reads: In(1)
    write_a: In(MapBytes)
    write_b: In(MapBytes)
    bytes: In(ByteWrite)
    bytes_to_a: In(1)
    bytes_to_b: In(1)
    bytes_wait: Out(1)

    def __init__(self, config: Config) -> None:
        self.rows = config.fmap_rows
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = (self.rows - 1).bit_length()
        address, conv_address = (register(m, read.address, name) for read, name in (
            (self.read, "address"), (self.conv_read, "conv_address")))
        blocked = self.bytes_to_a & self.write_a.enable | self.bytes_to_b & self.write_b.enable
        single, there = self._queue(m, blocked)
        written = []
        for name, write, to in (("a", self.write_a, self.bytes_to_a),
                                ("b", self.write_b, self.bytes_to_b)):
            row, place, both = (register(m, value, f"{name}_{kind}") for value, kind in (
                (Mux(write.enable, write.row, single.row), "row"),
                (Mux(write.enable, write.place, single.place), "place"),
                (Mux(write.enable, write.bytes, single.byte.replicate(2)), "bytes")))
            enable = register(m, Cat(write.enable | there & to, write.enable & write.wide),
                              f"{name}_enable", reset_less=False)
            places = Mux(enable[0], Cat(Const(1, 1), enable[1]) << place, 0)[:BYTES]
            written.append((row, both, places))
        for number in range(SLICES):
            here = slice(number * SLICE, (number + 1) * SLICE)
            source_b, conv_b, conv_reads = (Signal(name=f"{name}{number}", **OWN) for name in (
                "source_b", "conv_b", "conv_reads"))
            m.d.sync += [source_b.eq(self.source_b), conv_b.eq(self.conv_source_b),
                         conv_reads.eq(self.conv_reads)]
            outputs = []
            for name, is_b, (row, both, places) in zip("ab", (0, 1), written):
                buffer = memory.Memory(shape=SLICE, depth=self.rows, init=[])
                m.submodules[f"{name}{number}"] = buffer
                read, write = buffer.read_port(), buffer.write_port(granularity=8)
                own = f"{name}{number}"
                read_row, write_row = (Signal(bits, name=f"{kind}_row_{own}", **OWN)
                                       for kind in ("read", "write"))
                both_here = Signal(16, name=f"data_{own}", **OWN)
                enable = Signal(SLICE // 8, name=f"enable_{own}", **OWN)
                m.d.sync += [
                    read_row.eq(Mux(conv_reads & (conv_b == is_b), conv_address, address)),
                    write_row.eq(row), both_here.eq(both),
                    enable.eq(places.word_select(number, SLICE // 8)),
                ]
                m.d.comb += [read.addr.eq(read_row), write.addr.eq(write_row),
                             write.data.eq(both_here.replicate(SLICE // 16)),
                             write.en.eq(enable)]
                outputs.append(register(m, read.data, f"row_{own}"))
            m.d.sync += [self.read.data[here].eq(Mux(source_b, outputs[1], outputs[0])),
                         self.conv_read.data[here].eq(Mux(conv_b, outputs[1], outputs[0]))]
        assert FMAP_READ_LATENCY == 5
        assert self.SINGLE_CYCLES < MERGE_CYCLES
        return m

    def _queue(self, m: Module, blocked: Value) -> tuple:
        """Single bytes, the oldest of them and whether it is written now."""
        m.submodules.queue = queue = memory.Memory(
            shape=_Single, depth=QUEUE, init=[], attrs={"ram_style": "distributed"})
        into, outof = queue.write_port(), queue.read_port(domain="comb")
        come = register(m, Cat(getattr(self.bytes, name) for name in _Single.members), "come")
        comes = register(m, self.bytes.enable, "comes", reset_less=False)
        first, last = Signal(range(QUEUE)), Signal(range(QUEUE))
        any_, leaves = Signal(), Signal()
        m.d.comb += [into.addr.eq(last), into.data.eq(come), into.en.eq(comes),
                     outof.addr.eq(first), leaves.eq(any_ & ~blocked),
                     self.bytes_wait.eq(comes | any_)]
        m.d.sync += [last.eq(last + comes), first.eq(first + leaves),
                     any_.eq((last + comes)[:len(last)] != (first + leaves)[:len(first)])]
        return outof.data, leaves
