"""The two feature-map buffers and what is written into them.

While a convolution runs, one buffer is its source and the other its target.  The target's read port
is free then, so :class:`FmapBuffers` uses it to merge a few new bits into the byte that holds them.
What comes in whole bytes needs no reading: it may go into the buffer that is read, too.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import ROW, Config
from overlays.gateware.interfaces import (
    FMAP_READ_LATENCY,
    MERGE_CYCLES,
    ByteWrite,
    FmapRead,
    FmapWrite,
)
from overlays.gateware.pipeline import OWN, register

BYTES = ROW // 8
SLICE = 128
"""Bits of a row that share copies of addresses and controls: eight block RAMs in the full
configuration, which lie all over the chip."""
SLICES = ROW // SLICE


class FmapBuffers(wiring.Component):
    """Buffers A and B, 512 bits a row.

    A row's data follow its address by FMAP_READ_LATENCY cycles.  A write is in the buffer
    MERGE_CYCLES after its enable at the latest.

    Cost in the full configuration: 64 BRAM36.

    Attributes
    ----------
    source_b : In(1)
        The stage reads B and writes A; stable from the cycle before its first address.
    read : In(FmapRead)
        The source's rows.
    write : In(FmapWrite)
        Bits for the target.
    bytes : In(ByteWrite)
        Whole bytes, for A while `bytes_to_a`, for B while `bytes_to_b`; nothing of `write` goes
        into that buffer meanwhile.  They are there MERGE_CYCLES - 1 after their enable at the
        latest.
    """

    source_b: In(1)
    read: In(FmapRead)
    write: In(FmapWrite)
    bytes: In(ByteWrite)
    bytes_to_a: In(1)
    bytes_to_b: In(1)

    def __init__(self, config: Config) -> None:
        self.rows = config.fmap_rows
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        merge = m.submodules.merge = _Merge()
        wiring.connect(m, wiring.flipped(self.write), merge.write)
        bits = (self.rows - 1).bit_length()
        address = register(m, self.read.address, "address")
        # a register on its way, and one for the choice among 64
        row, byte, place, comes = (register(m, getattr(self.bytes, name), f"byte_{name}")
                                   for name in ("row", "byte", "place", "enable"))
        row, byte = register(m, row, "byte_row2"), register(m, byte, "byte_byte2")
        places = register(m, Mux(comes, Const(1, BYTES) << place, 0)[:BYTES], "places")
        for number in range(SLICES):
            source_b = Signal(name=f"source_b{number}", **OWN)
            m.d.sync += source_b.eq(self.source_b)
            outputs = []
            for name, is_source, to in (("a", ~source_b, self.bytes_to_a),
                                        ("b", source_b, self.bytes_to_b)):
                buffer = memory.Memory(shape=SLICE, depth=self.rows, init=[])
                m.submodules[f"{name}{number}"] = buffer
                read, write = buffer.read_port(), buffer.write_port(granularity=8)
                own = f"{name}{number}"
                read_row, write_row = (Signal(bits, name=f"{kind}_row_{own}", **OWN)
                                       for kind in ("read", "write"))
                data = Signal(16, name=f"data_{own}", **OWN)
                enable = Signal(SLICE // 8, name=f"enable_{own}", **OWN)
                whole = Signal(name=f"bytes_to_{own}", **OWN)
                merged, put = (Mux(when, which.word_select(number, SLICE // 8), 0)
                               for when, which in ((~is_source, merge.new_enable), (whole, places)))
                m.d.sync += [
                    whole.eq(to),
                    read_row.eq(Mux(is_source, address, merge.old_row)),
                    write_row.eq(Mux(whole, row, merge.new_row)),
                    data.eq(Mux(whole, byte.replicate(2), merge.new_data)),
                    enable.eq(merged | put),
                ]
                m.d.comb += [read.addr.eq(read_row), write.addr.eq(write_row),
                             write.data.eq(data.replicate(SLICE // 16)), write.en.eq(enable)]
                outputs.append(register(m, read.data, f"row_{own}"))
            here = slice(number * SLICE, (number + 1) * SLICE)
            m.d.sync += self.read.data[here].eq(Mux(source_b, outputs[1], outputs[0]))
            m.d.comb += [merge.old_a[here].eq(outputs[0]), merge.old_b[here].eq(outputs[1])]
        m.d.sync += merge.target_b.eq(~self.source_b)
        assert FMAP_READ_LATENCY == 5
        return m


class _Merge(wiring.Component):
    """Turns 1 to 16 output bits into a write of one or two whole bytes."""

    write: In(FmapWrite)
    target_b: In(1)
    old_row: Out(16)
    old_a: In(ROW)
    old_b: In(ROW)
    new_row: Out(16)
    new_data: Out(16)
    new_enable: Out(BYTES)

    LATENCY = 7
    """Cycles from ``write.enable`` to the write port's enable, with the slice's register."""
    WAY = 2
    """Registers between a stage's own ``write`` and this one."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        assert self.WAY + self.LATENCY < MERGE_CYCLES
        # 1: the row's address is at the block RAM; 2: its data are there; 3: in the register
        stages = [self.write]
        for number in range(1, self.LATENCY - 1):
            address = Signal(FmapWrite.members["address"].shape, name=f"address{number}")
            stage = _Later(m, stages[-1], number, address)
            stages.append(stage)
        m.d.comb += self.old_row.eq(self.write.address[9:])
        groups = []
        for old in (self.old_a, self.old_b):
            bytes_ = [old[8 * n:8 * n + 8] for n in range(BYTES)]
            for stage, ways, bits in ((stages[2], 4, slice(3, 5)), (stages[3], 16, slice(5, 9))):
                chosen = []
                for number in range(len(bytes_) // ways):
                    if number % SLICES == 0:  # four bytes of eight bits share a selector
                        selector = Signal(bits.stop - bits.start, **OWN)
                        m.d.sync += selector.eq(stage.address[bits])
                    picked = Signal(8, reset_less=True)
                    m.d.sync += picked.eq(
                        Cat(*bytes_[ways * number:ways * (number + 1)]).word_select(selector, 8))
                    chosen.append(picked)
                bytes_ = chosen
            groups.append(bytes_[0])
        # what doesn't need the old byte is ready a cycle before it comes
        before, last = stages[4], stages[5]
        shifted = (before.bits[:8] << before.address[:3])[:8]
        new, joins, wide = (Signal(16, reset_less=True), Signal(reset_less=True),
                            Signal(reset_less=True))
        m.d.sync += [
            wide.eq(before.size == 4),
            new.eq(Mux(before.size == 4, before.bits, Cat(shifted, shifted))),
            joins.eq(before.address[:3] != 0),  # sixteen bits are two whole bytes
        ]
        old_byte = Mux(joins, Mux(self.target_b, groups[1], groups[0]), 0)
        m.d.sync += [
            self.new_row.eq(last.address[9:]),
            self.new_data.eq(new | Cat(old_byte, old_byte)),
            self.new_enable.eq(Mux(last.enable, Mux(wide, 3, 1) << last.address[3:9], 0)),
        ]
        return m


class _Later:
    """A write, one cycle later, with only the bits that its size names."""

    def __init__(self, m: Module, before: object, number: int, address: Signal) -> None:
        self.enable = Signal(name=f"enable{number}")
        self.address = address
        self.size = Signal(3, name=f"size{number}", reset_less=True)
        self.bits = Signal(16, name=f"bits{number}", reset_less=True)
        bits = before.bits
        if number == 1:
            keep = Signal(16)
            with m.Switch(before.size):
                for size in range(5):
                    with m.Case(size):
                        m.d.comb += keep.eq((1 << (1 << size)) - 1)
            bits = before.bits & keep
        m.d.sync += [self.enable.eq(before.enable), self.address.eq(before.address),
                     self.size.eq(before.size), self.bits.eq(bits)]
